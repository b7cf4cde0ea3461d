"""The real data sets as a user would load them: one project folder, with its own home, per scenario.

Everything goes through the command line, as README tells it: ``fleetslo init``, objectives of one's
own, ``warehouse load --source``, ``rollup``, ``check``, ``run``.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
FLEETSLO = Path(sys.executable).with_name("fleetslo")
METRICS, ISSUES = "petshop/metrics_5m.csv.gz", "petshop/injected_issues.csv"
SPANS, FAULTS = "nezha/spans_1m.csv.gz", "nezha/fault_injections.csv"
FRONTEND, RELEASES = "nezha/frontend_1m.csv.gz", "govuk_deployments/production.csv.gz"


def data_folder() -> Path:
    """Return where the real data lie: REAL_DATA, or ``../shared/data`` beside the project."""
    return Path(os.environ.get("REAL_DATA") or PROJECT.parent / "shared" / "data").resolve()


def missing() -> list[str]:
    """Return the files that are not there, each with its folder."""
    files = (METRICS, ISSUES, SPANS, FAULTS, FRONTEND, RELEASES)
    return [str(data_folder() / name) for name in files if not (data_folder() / name).is_file()]


OBJECTIVE = """\
apiVersion: openslo/v1
kind: SLO
metadata:
  name: "{{service}}-{name}"
  displayName: {name}
  annotations: {{fleetslo/for: "system = {system}"}}
spec:
  service: "{{service}}"
  indicator:
    metadata: {{name: {name}}}
    spec:
      ratioMetric:
        counter: true
        good: {{metricSource: {{type: fleetslo, spec: {{requests: successful{within}}}}}}}
        total: {{metricSource: {{type: fleetslo, spec: {{requests: {total}}}}}}}
  timeWindow: [{{duration: {window}, isRolling: true}}]
  budgetingMethod: Occurrences
  objectives: [{{target: {target}}}]
"""
FREE_OF_ERRORS = """\
apiVersion: openslo/v1
kind: SLO
metadata: {name: frontend-minutes-without-errors, displayName: minutes without errors}
spec:
  service: frontend
  indicator:
    metadata: {name: minutes-without-errors}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: fleetslo, spec: {sli: minutes_without_errors}}}
        total: {metricSource: {type: fleetslo, spec: {sli: minutes_without_errors}}}
  timeWindow: [{duration: 2d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.99}]
"""


def _availability(system: str, window: str, target: float) -> str:
    return OBJECTIVE.format(
        name="availability", system=system, window=window, target=target, within="", total="all"
    )


def _latency(system: str, window: str, target: float, within_s: float) -> str:
    within = f", within_s: {within_s}"
    return OBJECTIVE.format(
        name="latency",
        system=system,
        window=window,
        target=target,
        within=within,
        total="successful",
    )


@dataclass(frozen=True)
class Load:
    """One table filled from one file by one source."""

    source: str
    file: str
    parameters: tuple[str, ...] = ()

    @property
    def table(self) -> str:
        """The table that the source fills: the last part of its name."""
        return self.source.rpartition("/")[2]


@dataclass(frozen=True)
class Scenario:
    """What is loaded together, what is promised, and which period is reported on.

    ``late_data_hours`` lets a report end on the midnight after data that stop in the afternoon.
    """

    name: str
    says: str
    loads: tuple[Load, ...]
    period: str
    as_of: str
    objectives: tuple[str, ...] = ()
    pages_per_service: bool = True
    late_data_hours: int = 6


def _petshop(name: str, says: str, traffic: str, splits: str, as_of: str, period: str) -> Scenario:
    quiet = splits == "noissue"
    chosen = (f"traffic={traffic}", f"splits={splits}")
    loads = [
        Load("petshop/requests", METRICS, chosen),
        Load("petshop/services", METRICS, chosen),
    ]
    if not quiet:
        loads += [
            Load("petshop/incidents", ISSUES, chosen),
            Load("petshop/deployments", ISSUES, chosen),
        ]
    return Scenario(
        name=name,
        says=says,
        loads=tuple(loads),
        period=period,
        as_of=as_of,
        objectives=(
            _availability("petshop", period, 0.995),
            _latency("petshop", period, 0.99, 1.0),
        ),
        late_data_hours=24,
    )


def _nezha(name: str, says: str, system: str, days: str, as_of: str) -> Scenario:
    loads = [
        Load("nezha/requests", SPANS, (f"days={days}",)),
        Load("nezha/services", SPANS, (f"days={days}",)),
        Load("nezha/incidents", FAULTS, (f"days={days}",)),
    ]
    objectives = [_latency(system, "2d", 0.99, 0.25)]
    if system == "online-boutique":
        loads.append(Load("nezha/sli_events", FRONTEND))
        objectives.append(FREE_OF_ERRORS)
    return Scenario(name, says, tuple(loads), "2d", as_of, tuple(objectives), late_data_hours=24)


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        _petshop(
            "petshop-quiet-high",
            "39 components over a quiet day, high traffic",
            "high_traffic", "noissue", "2023-09-07", "1d",
        ),
        _petshop(
            "petshop-quiet-low",
            "41 components over a quiet day, low traffic",
            "low_traffic", "noissue", "2023-08-23", "1d",
        ),
        _petshop(
            "petshop-issues-high",
            "five intervals around each of 26 issues, high traffic",
            "high_traffic", "train,test", "2023-04-14", "2d",
        ),
        _petshop(
            "petshop-issues-low",
            "five intervals around each of 26 issues, low traffic",
            "low_traffic", "train,test", "2023-04-20", "2d",
        ),
        _petshop(
            "petshop-issues-temporal-1",
            "five intervals around each of 8 issues, traffic of a day",
            "temporal_traffic1", "train,test", "2023-05-01", "3d",
        ),
        _petshop(
            "petshop-issues-temporal-2",
            "five intervals around each of 8 issues, traffic of a day",
            "temporal_traffic2", "train,test", "2023-04-23", "3d",
        ),
        _nezha(
            "nezha-boutique",
            "spans of Online Boutique around 56 faults",
            "online-boutique", "2022-08-22,2022-08-23", "2022-08-24",
        ),
        _nezha(
            "nezha-train-ticket",
            "spans of Train Ticket around 45 faults",
            "train-ticket", "2023-01-29,2023-01-30", "2023-01-31",
        ),
        Scenario(
            name="govuk-2024-10",
            says="1,099 deployments to production of one month",
            loads=(
                Load("govuk/deployments", RELEASES),
                Load("govuk/services", RELEASES),
            ),
            period="2024-10",
            as_of="2024-11-01",
            pages_per_service=False,
        ),
    )
}  # fmt: skip


def run(folder: Path, *words: str) -> str:
    """Return what a ``fleetslo`` command prints when it is run in a folder; it must succeed.

    Raises:
        RuntimeError: it did not; the message is what it printed.
    """
    environ = {k: v for k, v in os.environ.items() if not k.startswith("FLEETSLO_")}
    done = subprocess.run(
        [FLEETSLO, *words], cwd=folder, env=environ, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(
            f"fleetslo {' '.join(words)} gave {done.returncode}\n{done.stdout}{done.stderr}"
        )
    return done.stdout


def make_home(scenario: Scenario, folder: Path) -> None:
    """Make the scenario's project folder with its objectives and schedule; nothing is loaded."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    run(folder.parent, "init", folder.name)
    (folder / "fleetslo.toml").write_text(f"late_data_hours = {scenario.late_data_hours}\n")
    objectives = folder / "queries" / "objectives" / f"{scenario.name}.yaml"
    objectives.write_text("---\n".join(scenario.objectives))
    schedule = "reports:\n" + "".join(
        f"  - {{notebook: {notebook}, every: day, period: {scenario.period}{each}}}\n"
        for notebook, each in [
            ("reports/fleet_overview", ""),
            *([("reports/service_slo", ", for_each: service")] * scenario.pages_per_service),
        ]
    )
    (folder / "notebooks" / "schedule.yaml").write_text(schedule)


def load(scenario: Scenario, folder: Path) -> str:
    """Load, roll up and check; return what the commands print."""
    said = [run(folder, "warehouse", "create")]
    for one in scenario.loads:
        words = [word for parameter in one.parameters for word in ("-p", parameter)]
        file = str(data_folder() / one.file)
        said.append(
            run(folder, "warehouse", "load", one.table, file, "--source", one.source, *words)
        )
    said.append(run(folder, "warehouse", "rollup"))
    said.append(run(folder, "warehouse", "check"))
    return "".join(said)


def report(scenario: Scenario, folder: Path, only: tuple[str, ...] = ()) -> Path:
    """Run the scenario's reports and return the site's index."""
    chosen = [word for name in only for word in ("--only", name)]
    run(folder, "run", "--as-of", scenario.as_of, *chosen)
    return folder / ".fleetslo" / "site" / "current" / "index.html"
