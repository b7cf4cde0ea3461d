"""The schedule as DAGs of Airflow 3, in one file."""

import shlex
from collections.abc import Sequence

from fleetslo.reports.scheduling.exports.parts import (
    LIMIT_H,
    NOTE,
    Surroundings,
    by_name,
    five_fields,
    telling,
    words,
)
from fleetslo.reports.scheduling.groups import Group

_HEAD = f'''\
# {NOTE}
"""The reports of fleetslo, a DAG for those that are due together."""

from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG
from airflow.timetables.trigger import CronTriggerTimetable
'''
# A run that somebody starts by hand has no logical date.
_DAY = "{{ (logical_date or dag_run.run_after).astimezone(dag.timezone).strftime('%Y-%m-%d') }}"


def dags(groups: Sequence[Group], surroundings: Surroundings) -> dict[str, str]:
    """Return one Python file; a DAG per group, in it a task per shard, and one that tells people.

    That one is a teardown: it comes when no task has an attempt left, and a mail server that is
    away does not fail the DAG. Tasks run in the project folder of the worker, with the worker's
    own environment.

    Raises:
        SettingsError: an expression with seconds, or two groups of one name.
    """
    texts = [_dag(name, group, surroundings) for name, group in by_name(groups).items()]
    return {"fleetslo_dags.py": "\n".join([_HEAD, *texts])}


def _dag(name: str, group: Group, surroundings: Surroundings) -> str:
    zone = group.timing.zone
    shards = surroundings.shards
    parts = [f" --shard {n}/{shards}" for n in range(1, shards + 1)] if shards > 1 else [""]
    names = ["run"] if len(parts) == 1 else [f"run_{n}" for n in range(1, len(parts) + 1)]
    run = words(group, as_of=_DAY)
    tasks = [
        f"    {name} = {_task(name, _command(run, surroundings) + part)}\n"
        for name, part in zip(names, parts, strict=True)
    ]
    if surroundings.tells:
        tell = _task("tell", _command(telling(group, as_of=_DAY), surroundings))
        tasks.append(f"    [{', '.join(names)}] >> {tell}.as_teardown()\n")
    return f"""
with DAG(
    dag_id={name!r},
    description={("Reports: " + ", ".join(sorted(group.names)))!r},
    schedule=CronTriggerTimetable({five_fields(group, "Airflow")!r}, timezone={zone!r}),
    start_date=pendulum.datetime(2026, 1, 1, tz={zone!r}),
    catchup=False,
    max_active_runs=1,
    default_args={{
        "retries": {group.retries},
        "retry_exponential_backoff": True,
        "execution_timeout": timedelta(hours={LIMIT_H}),
    }},
    tags=["fleetslo"],
):
{"".join(tasks)}"""


def _task(name: str, command: str) -> str:
    return f"""\
BashOperator(
        task_id={name!r},
        bash_command={command!r},
        append_env=True,
    )"""


def _command(said: Sequence[str], surroundings: Surroundings) -> str:
    command = " ".join(f'"{word}"' if word == _DAY else _plain(word) for word in said)
    return f"cd {_plain(surroundings.project)} && .venv/bin/fleetslo {command}"


def _plain(word: str) -> str:
    """Return a word in which neither the shell nor Airflow's templates find anything."""
    quoted = shlex.quote(word)
    return f"{{% raw %}}{quoted}{{% endraw %}}" if "{" in word else quoted
