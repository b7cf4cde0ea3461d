"""``fleetslo objectives``: read the OpenSLO documents and say what is wrong with them."""

from pathlib import Path
from typing import Annotated

import typer

from fleetslo.commands.screen import say, table

app = typer.Typer(help="The objectives: OpenSLO v1 documents.", no_args_is_help=True)


@app.command()
def check(
    path: Annotated[
        Path | None,
        typer.Argument(help="a file or folder; default: the objectives in force here"),
    ] = None,
) -> None:
    """Read every objective and name what is wrong; list those that are right."""
    from fleetslo.charts import words
    from fleetslo.fleet import objectives_in_force
    from fleetslo.reliability.objectives import nearest_bounds, read_objectives

    found = objectives_in_force() if path is None else read_objectives(path)
    rows = []
    for objective in found:
        within = objective.selector.within_s
        bounds = ""
        if within is not None:
            below, above = nearest_bounds(within)
            exact = below == within or above == within
            bounds = "exact" if exact else f"{below:.4f} or {above:.4f} s"
        rows.append(
            (
                objective.name,
                objective.for_condition or objective.service,
                words.target(objective.target),
                f"{objective.window.nominal.days} d",
                None if within is None else f"{within:g} s",
                bounds,
            )
        )
    table(["objective", "for", "target", "window", "within", "bucket bounds beside it"], rows)
    say(f"{len(found)} objectives, all valid")
