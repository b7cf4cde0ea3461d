"""A home for the user's own settings, notebooks, queries and objectives."""

from pathlib import Path

from fleetslo.errors import OutputError, UsageError
from fleetslo.files import write_file
from fleetslo.resources import PROJECT_FILE

_SETTINGS = """\
# Settings of this project. 'fleetslo settings' shows all of them and where each comes from.
# A FLEETSLO_* variable or a flag wins over this file.

# warehouse = "bigquery://my-project/reliability"   # default: Parquet files under .fleetslo/
# coverage_minimum = 0.9        # a window with less telemetry than this is not judged
# at_risk_budget_left = 0.25    # Met becomes At risk when this share of the budget is left
# alert_least_bad = 5           # bad requests a window needs before an alert fires
# jobs = 2                      # notebooks run at once
"""

_IGNORE = ".fleetslo/\n.ipynb_checkpoints/\n"

_NOTEBOOKS = """\
# Notebooks

A notebook here hides the packaged one of the same name (reports/service_slo.ipynb, say), and
schedule.yaml here replaces the packaged schedule. Upgrading fleetslo touches nothing here.
"""

_QUERIES = """\
# Queries and objectives

NAME.sql with NAME.yaml beside it answers a question; a file here hides the packaged one of the
same name. OpenSLO v1 documents in objectives/ join the packaged ones, and hide those of the
same file name. Check them with 'fleetslo objectives check'.
"""

_OBJECTIVE = """\
# One objective of one service. Change the names, then: fleetslo objectives check
#
# apiVersion: openslo/v1
# kind: SLO
# metadata: {name: my-service-availability, displayName: Availability}
# spec:
#   service: my-service
#   indicator:
#     metadata: {name: answered}
#     spec:
#       ratioMetric:
#         counter: true
#         good: {metricSource: {type: fleetslo, spec: {requests: successful}}}
#         total: {metricSource: {type: fleetslo, spec: {requests: all}}}
#   timeWindow: [{duration: 28d, isRolling: true}]
#   budgetingMethod: Occurrences
#   objectives: [{displayName: Availability, target: 0.999}]
"""

_FILES = {
    PROJECT_FILE: _SETTINGS,
    ".gitignore": _IGNORE,
    "notebooks/README.md": _NOTEBOOKS,
    "queries/README.md": _QUERIES,
    "queries/objectives/mine.yaml": _OBJECTIVE,
}


def make_project(folder: Path) -> list[Path]:
    """Make a project folder and return the files made; a file that exists is an error.

    Raises:
        UsageError: the folder is a project already.
        OutputError: the folder cannot be written to.
    """
    if (folder / PROJECT_FILE).exists():
        raise UsageError(f"{folder} is a project already: it has a {PROJECT_FILE}")
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; name a folder")
    made = []
    for name, content in _FILES.items():
        path = folder / name
        if not path.exists():
            write_file(path, content)
            made.append(path)
    return made
