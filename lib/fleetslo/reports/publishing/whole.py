"""Whether a page shows all that its notebook came to."""

import re
from collections.abc import Iterator
from typing import Any

from fleetslo.charts.blocks import LAB_ONLY, MIMETYPE, PLOTLY_MIMETYPE
from fleetslo.reports.outputs import numbered

PAGE_BYTES_LIMIT = 10 * 1024**2
"""The most that a page may weigh; the overview of 3,000 services takes a tenth of it."""

_DRAWN = re.compile(r'<div class="plot" id="([^"]+)-plot"')


def shortcomings(notebook: Any, html: str, *, standalone: bool = False) -> list[str]:
    """Return why a page may not be published, in a sentence each; none when it is whole.

    Every cell of its notebook has run and none of them raised, each chart has a place and a figure
    on the page, and the page is not larger than a browser should be given; one that carries its
    scripts may be.
    """
    found = [*_unfinished(notebook)]
    expected = sum(map(_is_chart, _outputs(notebook)))
    places = _DRAWN.findall(html)
    drawn = sum(f'id="{place}-figure"' in html for place in places)
    if drawn != expected:
        found.append(f"it shows {drawn} of the {expected} charts of its notebook")
    size = len(html.encode())
    if size > PAGE_BYTES_LIMIT and not standalone:
        found.append(
            f"it is {size / 1024**2:.1f} MiB, over the limit of {PAGE_BYTES_LIMIT // 1024**2} MiB; "
            "show fewer rows or points"
        )
    return found


def _unfinished(notebook: Any) -> Iterator[str]:
    for number, cell in numbered(notebook):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        if any(output["output_type"] == "error" for output in cell.get("outputs", ())):
            yield f"cell {number} of its notebook raised an error"
        elif cell.get("execution_count") is None:
            yield f"cell {number} of its notebook did not run"


def _outputs(notebook: Any) -> Iterator[Any]:
    for cell in notebook.cells:
        yield from cell.get("outputs", ())


def _is_chart(output: Any) -> bool:
    data = output.get("data", {})
    if output.get("metadata", {}).get("fleetslo") == LAB_ONLY["fleetslo"]:
        return False
    block = data.get(MIMETYPE)
    return bool(block["block"] == "chart") if block else PLOTLY_MIMETYPE in data
