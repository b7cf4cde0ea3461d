"""What every export needs: names of groups, the command of a batch, plain cron expressions."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from fleetslo.errors import SettingsError
from fleetslo.reports.scheduling.groups import Group
from fleetslo.reports.scheduling.planning import TODAY

NOTE = "Written by 'fleetslo schedule export' from notebooks/schedule.yaml; do not edit."
"""What the head of every file says."""

LIMIT_H = 12
"""A batch that takes longer is ended, as ``fleetslo schedule`` ends it, and has failed."""

# A CronJob may have 52 characters, and "fleetslo-" and "-now" go on.
_NAME_MAX = 36


@dataclass(frozen=True)
class Surroundings:
    """Where an engine runs batches.

    Args:
        project: the project folder on the machine, or in the container, that runs them.
        image: the container image, for engines that start one.
        shards: how many parts a batch is cut into, each on a machine of its own.
        tells: whether people are told of a batch: the project says who.
    """

    project: str
    image: str
    shards: int = 1
    tells: bool = False


def name_of(group: Group) -> str:
    """Return a name for a group, fit for a DNS label: its first report's, a digest if need be."""
    first = group.names[0]
    plain = re.sub(r"[^a-z0-9]+", "-", first.lower()).strip("-")[:_NAME_MAX]
    if plain == first.replace("_", "-"):
        return f"fleetslo-{plain}"
    digest = hashlib.sha256(first.encode()).hexdigest()[:8]
    return f"fleetslo-{plain[: _NAME_MAX - 9].strip('-') or 'report'}-{digest}"


def words(group: Group, as_of: str = TODAY) -> list[str]:
    """Return the command that runs a group, as words, without the program's name."""
    only = [word for name in sorted(group.names) for word in ("--only", name)]
    return ["run", "--trigger", "export", "--as-of", as_of, *only]


def telling(group: Group, as_of: str = "") -> list[str]:
    """Return the command that tells people of a group once all of its batch has ended, as words.

    Without a day it is of the newest that the group was made for.
    """
    only = [word for name in sorted(group.names) for word in ("--only", name)]
    return ["tell", *(["--as-of", as_of] if as_of else []), *only]


def five_fields(group: Group, engine: str) -> str:
    """Return a group's cron expression in five fields.

    Raises:
        SettingsError: it needs seconds, which the engine does not have.
    """
    if group.timing.fields["second"] != (0,):
        raise SettingsError(
            f"{group.entries[0].source}: 'cron' has seconds, and {engine} has none; "
            "write five fields"
        )
    return " ".join(group.timing.cron.split()[-5:])


def refuse_shards(surroundings: Surroundings, engine: str) -> None:
    """Refuse shards where an engine runs everything on one machine.

    Raises:
        SettingsError: shards were asked for.
    """
    if surroundings.shards > 1:
        raise SettingsError(
            f"{engine} starts a batch on one machine, so it cannot be cut into "
            f"{surroundings.shards} shards; leave --shards out, or export to kubernetes or airflow"
        )


def by_name(groups: Sequence[Group]) -> dict[str, Group]:
    """Return groups by their names, sorted.

    Raises:
        SettingsError: two groups have the same name.
    """
    found: dict[str, Group] = {}
    for group in groups:
        if other := found.get(name_of(group)):
            raise SettingsError(
                f"{group.entries[0].source}: {group.names[0]!r} and {other.names[0]!r} would have "
                "the same name in another engine; give one of them another 'name:'"
            )
        found[name_of(group)] = group
    return dict(sorted(found.items()))
