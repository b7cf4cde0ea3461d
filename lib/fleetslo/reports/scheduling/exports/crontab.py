"""The schedule as lines of a crontab."""

import shlex
from collections.abc import Sequence

from fleetslo.reports.scheduling.exports.parts import (
    LIMIT_H,
    NOTE,
    Surroundings,
    five_fields,
    refuse_shards,
    words,
)
from fleetslo.reports.scheduling.groups import Group

_HEAD = f"""\
# {NOTE}
# CRON_TZ is read by cronie; a cron without it counts in the machine's own zone.
# What batches need to know, credentials too, is read from /etc/fleetslo/env, where it is there.
SHELL=/bin/sh
"""


def crontab(groups: Sequence[Group], surroundings: Surroundings) -> dict[str, str]:
    """Return one crontab; a line per group, under its zone.

    Raises:
        SettingsError: an expression with seconds, or shards.
    """
    refuse_shards(surroundings, "cron")
    lines = []
    for group in sorted(groups, key=lambda one: (one.timing.zone, one.key)):
        command = (
            "set -a; [ ! -r /etc/fleetslo/env ] || . /etc/fleetslo/env; set +a; "
            f"cd {shlex.quote(surroundings.project)} && "
            f"timeout -k 60 {LIMIT_H}h .venv/bin/fleetslo "
            f"{shlex.join(words(group))}{' --tell' if surroundings.tells else ''}"
        )
        # To cron, a bare % ends the command.
        escaped = command.replace("%", r"\%")
        lines.append(f"\nCRON_TZ={group.timing.zone}\n{five_fields(group, 'cron')} {escaped}\n")
    return {"fleetslo.crontab": _HEAD + "".join(lines)}
