"""The schedule written for another engine, as files."""

from collections.abc import Callable, Mapping, Sequence

from fleetslo.reports.scheduling.exports.airflow import dags
from fleetslo.reports.scheduling.exports.crontab import crontab
from fleetslo.reports.scheduling.exports.kubernetes import manifests
from fleetslo.reports.scheduling.exports.parts import Surroundings
from fleetslo.reports.scheduling.exports.systemd import units
from fleetslo.reports.scheduling.groups import Group

_ENGINES: Mapping[str, Callable[[Sequence[Group], Surroundings], dict[str, str]]] = {
    "airflow": dags,
    "kubernetes": manifests,
    "systemd": units,
    "cron": crontab,
}


def files_for(engine: str, groups: Sequence[Group], surroundings: Surroundings) -> dict[str, str]:
    """Return the files of a schedule by name: for airflow, kubernetes, systemd or cron.

    The same schedule gives the same text. No secret is in it: files name where one lies.

    Raises:
        SettingsError: the engine cannot do what the schedule says.
    """
    return _ENGINES[engine](groups, surroundings)
