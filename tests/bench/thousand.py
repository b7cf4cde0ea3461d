"""A site's index for a great many services, as the real thing is written."""

import random
from pathlib import Path

from fleetslo.reports import index
from fleetslo.reports.html import render_index, write_assets


def site_of(folder: Path, services: int) -> Path:
    """Write the index of so many services into a folder and return its page."""
    chance = random.Random(1)  # noqa: S311  invented verdicts, not secrets
    verdicts = ["met"] * 17 + ["at_risk", "missed", "unjudged"]
    site = {
        "title": "Fleet",
        "sentence": f"A fleet of {services:,} services.",
        "services": [
            {
                "service": f"service-{n:04}",
                "href": f"2026-10-04_2026-11-01/service_slo/service-{n:04}.html",
                "squad": f"Squad {n % 120}",
                "tier": 1 + n % 4,
                "verdict": chance.choice(verdicts),
                "budget_left": chance.uniform(-1, 1),
                "sentence": f"`service-{n:04}` met its objective and has **61 %** of its budget left.",
            }
            for n in range(services)
        ],
    }
    write_assets(folder / "assets")
    data = index.script(site)
    name = None
    if data is not None:
        name = "assets/index-bench.js"
        (folder / name).write_text(data, encoding="utf-8")
    page = folder / "index.html"
    page.write_text(render_index(site, data=name), encoding="utf-8")  # type: ignore[arg-type]
    return page
