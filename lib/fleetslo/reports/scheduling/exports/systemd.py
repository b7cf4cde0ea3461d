"""The schedule as timers and services of systemd."""

from collections.abc import Sequence

from fleetslo.reports.scheduling.exports.parts import (
    LIMIT_H,
    NOTE,
    Surroundings,
    by_name,
    refuse_shards,
    telling,
    words,
)
from fleetslo.reports.scheduling.groups import Group
from fleetslo.reports.scheduling.timing import Timing

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


def units(groups: Sequence[Group], surroundings: Surroundings) -> dict[str, str]:
    """Return a ``.service`` and a ``.timer`` for each group, and a service that tells people.

    That one starts when the batch ended well, or has no attempt left.

    Raises:
        SettingsError: shards, or two groups of one name.
    """
    refuse_shards(surroundings, "systemd")
    files = {}
    for name, group in by_name(groups).items():
        after = f"{name}-tell.service" if surroundings.tells else ""
        files[f"{name}.service"] = _service(group, surroundings, after)
        files[f"{name}.timer"] = _timer(group)
        if after:
            files[after] = _tells(group, surroundings)
    return files


def calendar(timing: Timing) -> str:
    """Return a timing as ``OnCalendar`` reads it: ``Mon *-*-* 06:00:00 Europe/Berlin``."""
    fields = timing.fields
    weekdays = fields["weekday"]
    day = f"{','.join(_DAYS[value] for value in weekdays)} " if weekdays else ""

    def field(name: str) -> str:
        values = fields[name]
        return "*" if values is None else ",".join(f"{value:02d}" for value in values)

    time = ":".join(field(name) for name in ("hour", "minute", "second"))
    return f"{day}*-{field('month')}-{field('day')} {time} {timing.zone}"


def _service(group: Group, surroundings: Surroundings, after: str) -> str:
    # A service that is started again counts as failed only when it has no start left.
    tells = f"OnSuccess={after}\nOnFailure={after}\n" if after else ""
    return f"""\
# {NOTE}
[Unit]
Description=fleetslo: {_escaped(", ".join(sorted(group.names)))}
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=1d
StartLimitBurst={group.retries + 1}
{tells}
{_command(words(group), surroundings)}TimeoutStartSec={LIMIT_H}h
Restart=on-failure
RestartSec=60
"""


def _tells(group: Group, surroundings: Surroundings) -> str:
    return f"""\
# {NOTE}
[Unit]
Description=fleetslo tells of {_escaped(", ".join(sorted(group.names)))}

{_command(telling(group), surroundings)}"""


def _command(said: Sequence[str], surroundings: Surroundings) -> str:
    project = surroundings.project
    command = " ".join(_quoted(word) for word in [f"{project}/.venv/bin/fleetslo", *said])
    return f"""\
[Service]
Type=oneshot
WorkingDirectory={_escaped(project)}
EnvironmentFile=-/etc/fleetslo/env
ExecStart={command}
"""


def _timer(group: Group) -> str:
    return f"""\
# {NOTE}
[Unit]
Description=When fleetslo runs {_escaped(", ".join(sorted(group.names)))}

[Timer]
OnCalendar={calendar(group.timing)}
Persistent=true

[Install]
WantedBy=timers.target
"""


def _escaped(text: str) -> str:
    """Return a text in which systemd replaces nothing."""
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    """Return a word of a command as systemd reads it."""
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{_escaped(plain)}"'
