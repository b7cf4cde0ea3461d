"""Settings: defaults, then ``fleetslo.toml``, then ``FLEETSLO_*`` variables, then flags."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from fleetslo.errors import SettingsError, nearest
from fleetslo.resources import PROJECT_FILE, project_folder


def _by_name(given: Any) -> Any:
    """Return ``name=value,name=value`` as a mapping; anything else as it is."""
    if not isinstance(given, str):
        return given
    return dict(pair.strip().partition("=")[::2] for pair in given.split(",") if pair.strip())


class Settings(BaseModel):
    """What a command or notebook may assume about its surroundings. Immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    project: Annotated[Path, Field(description="the project folder")]
    home: Annotated[Path, Field(description="the folder that holds whatever a run produces")]
    warehouse: Annotated[str, Field(description="duckdb:///folder or bigquery://project/dataset")]
    coverage_minimum: Annotated[
        float, Field(ge=0, le=1, description="coverage under which a window is not judged")
    ] = 0.9
    at_risk_budget_left: Annotated[
        float, Field(ge=0, le=1, description="share of budget left at which Met becomes At risk")
    ] = 0.25
    alert_least_bad: Annotated[
        int, Field(ge=1, description="bad requests a window needs before an alert fires")
    ] = 5
    late_data_hours: Annotated[
        float, Field(ge=0, description="how far a period may reach past the newest data")
    ] = 6.0
    bigquery_bytes_limit: Annotated[
        int, Field(ge=0, description="the most bytes that one BigQuery query may read")
    ] = 200 * 1024**3
    bigquery_location: Annotated[
        str | None, Field(description="where BigQuery runs jobs; empty: where the data lies")
    ] = None
    bigquery_endpoint: Annotated[
        str | None, Field(description="another server to ask instead of Google's")
    ] = None
    bigquery_storage_endpoint: Annotated[
        str | None, Field(description="another server of the Storage Read API; empty: Google's")
    ] = None
    result_bytes_limit: Annotated[
        int, Field(ge=1, description="the most bytes that one BigQuery answer may take in memory")
    ] = 4 * 1024**3
    keep_days: Annotated[
        dict[str, Annotated[int, Field(ge=1)]],
        BeforeValidator(_by_name),
        Field(description="days that BigQuery keeps of a table: requests=35,errors=35"),
    ] = {}
    price_per_tib: Annotated[
        float, Field(ge=0, description="US dollars that BigQuery bills for a TiB read, on demand")
    ] = 6.25
    batch_bytes_limit: Annotated[
        int, Field(ge=0, description="the most bytes that a batch's questions may read together")
    ] = 2 * 1024**4
    batch: Annotated[
        Path | None, Field(description="answers of the batch that runs; set for its notebooks")
    ] = None
    report: Annotated[
        str, Field(description="the notebook that runs in that batch; set for it")
    ] = ""
    page: Annotated[str, Field(description="the page that it makes; set for it")] = ""
    rollup_horizon_days: Annotated[
        int, Field(ge=1, description="how far back BigQuery's days are rolled up again when late")
    ] = 35
    jobs: Annotated[int, Field(ge=1, le=64, description="notebooks run at once")] = 2
    notebook_timeout_s: Annotated[
        float, Field(gt=0, description="time that one notebook may take")
    ] = 900.0
    cell_timeout_s: Annotated[
        float | None,
        Field(gt=0, description="time that one cell may take; empty: as long as the notebook"),
    ] = None
    notebook_memory_mib: Annotated[
        int, Field(ge=256, description="memory that one notebook may hold, all its processes")
    ] = 4096
    engine: Annotated[
        Literal["auto", "fork", "kernel"],
        Field(description="how notebooks run: forked from a warm process, or in a Jupyter kernel"),
    ] = "auto"
    keep_releases: Annotated[
        int, Field(ge=1, description="published sites kept for going back")
    ] = 3
    keep_releases_days: Annotated[
        int, Field(ge=0, description="days that they are kept in any case, however many they are")
    ] = 0
    keep_runs_days: Annotated[
        int, Field(ge=1, description="days that records of runs and what they left are kept")
    ] = 90
    publish: Annotated[
        str, Field(description="where a run publishes its site, too: gs://bucket/prefix, or empty")
    ] = ""
    storage_endpoint: Annotated[
        str | None, Field(description="another storage server instead of Google's")
    ] = None


@dataclass(frozen=True)
class Loaded:
    """Settings with the place each one came from."""

    settings: Settings
    origins: Mapping[str, str]


def _from_file(project: Path) -> dict[str, Any]:
    path = project / PROJECT_FILE
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from None


def _refuse_unknown(names: Mapping[str, str]) -> None:
    known = [name for name in Settings.model_fields if name != "project"]
    for name, origin in names.items():
        if name not in known:
            raise SettingsError(
                f"{origin}: there is no setting {name!r}.{nearest(name, known)} "
                f"Settings are {', '.join(known)}"
            )


def load_settings(
    flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> Loaded:
    """Return the settings in force and where each came from.

    ``flags`` are values given on the command line (None means not given). Relative paths in the
    file are relative to the file; in variables and flags, to the current folder.

    Raises:
        SettingsError: an unknown name, or a value that the setting cannot have.
    """
    environ = os.environ if environ is None else environ
    project = project_folder()
    values: dict[str, Any] = {"project": project}
    origins: dict[str, str] = {"project": "default"}
    sources: list[tuple[dict[str, Any], str, Path]] = [
        ({"home": ".fleetslo"}, "default", project),
        (_from_file(project), PROJECT_FILE, project),
        (
            {
                key.removeprefix("FLEETSLO_").lower(): value
                for key, value in sorted(environ.items())
                if key.startswith("FLEETSLO_")
            },
            "variable",
            Path.cwd(),
        ),
        ({k: v for k, v in (flags or {}).items() if v is not None}, "flag", Path.cwd()),
    ]
    for given, origin, base in sources:
        _refuse_unknown(dict.fromkeys(given, origin))
        for name, value in given.items():
            values[name] = base / Path(str(value)).expanduser() if name == "home" else value
            origins[name] = f"FLEETSLO_{name.upper()}" if origin == "variable" else origin
    if "warehouse" not in values:
        values["warehouse"] = f"duckdb://{Path(values['home']).resolve() / 'warehouse'}"
        origins["warehouse"] = "default"
    try:
        settings = Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        origin = origins.get(name, "default")
        raise SettingsError(
            f"{origin}: setting {name!r} is {first['input']!r}: {first['msg']}"
        ) from None
    for name in Settings.model_fields:
        origins.setdefault(name, "default")
    return Loaded(settings, origins)
