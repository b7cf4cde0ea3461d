"""Executed notebooks with realistic, made-up content, to look at and to test pages with."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import nbformat
import numpy as np
import plotly.graph_objects as go
import polars as pl
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from fleetslo.charts import theme, words
from fleetslo.charts.blocks import (
    Changes,
    Chart,
    Col,
    Made,
    Note,
    Sources,
    Table,
    Tile,
    Tiles,
    Verdict,
)

START = datetime(2026, 10, 4, tzinfo=UTC)
END = START + timedelta(days=28)
HOUR = timedelta(hours=1)
EVIL = "<script>alert(1)</script>/../x"


def outputs_of(block: Any) -> list[nbformat.NotebookNode]:
    """Return the outputs that a kernel would store for a block."""
    InteractiveShell.instance()
    with capture_output() as captured:
        block._ipython_display_()
    return [
        new_output("display_data", data=one.data, metadata=one.metadata) for one in captured.outputs
    ]


def notebook(cells: Sequence[tuple[str, Any] | str]) -> nbformat.NotebookNode:
    """Return a notebook of markdown texts and (source, block) pairs, all of it run."""
    made = []
    for cell in cells:
        if isinstance(cell, str):
            made.append(new_markdown_cell(cell))
        else:
            source, block = cell
            made.append(new_code_cell(source, outputs=[] if block is None else outputs_of(block)))
    return new_notebook(cells=made)


def deployments() -> pl.DataFrame:
    random = np.random.default_rng(4)
    at = sorted(START + timedelta(hours=float(h)) for h in random.uniform(0, 28 * 24, 18))
    hurt = min(range(18), key=lambda i: abs((at[i] - START).total_seconds() - 11.4 * 86400))
    return pl.DataFrame(
        {
            "started_at": at,
            "service": ["checkout"] * 18,
            "version": [f"4.{i + 2}.0" for i in range(18)],
            "outcome": ["rolled_back" if i == hurt else "succeeded" for i in range(18)],
        }
    )


def incidents() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "incident_id": ["INC-412", "INC-431", "INC-433"],
            "service": ["checkout", "payments-gateway", "checkout"],
            "title": ["checkout 4.18.0 rolled back", "payments-gateway slow", "cache <cold>"],
            "started_at": [
                START + timedelta(days=11, hours=10, minutes=48),
                START + timedelta(days=19, hours=6),
                START + timedelta(days=19, hours=20),
            ],
            "resolved_at": [
                START + timedelta(days=11, hours=12, minutes=40),
                START + timedelta(days=19, hours=18),
                None,
            ],
        },
        schema_overrides={"resolved_at": pl.Datetime("us", "UTC")},
    ).with_columns(
        pl.when(pl.col("incident_id") == "INC-433")
        .then(pl.lit(START + timedelta(days=20, hours=3)))
        .otherwise(pl.col("resolved_at"))
        .alias("resolved_at")
    )


MADE = Made(
    "budget left = 1 − bad_count / ((1 − target) × valid_count)",
    {"Good requests": 2_008_070_412, "Valid requests": 2_010_000_412, "Target": 0.999},
    ["slo/minutes", "slo/days"],
)


def budget_chart() -> Chart:
    hours = 28 * 24
    spent = np.full(hours, 0.5 / hours)
    spent[11 * 24 + 10 : 11 * 24 + 13] += 0.11
    spent[19 * 24 + 6 : 19 * 24 + 18] += 0.006
    left = 1 - np.cumsum(spent)
    left[340:356] = np.nan
    fig = theme.figure(
        go.Scatter(
            y=theme.floats(np.linspace(1, 0, hours)),
            **theme.regular(START, HOUR),
            line={"color": theme.SLATE, "width": 1, "dash": "3px,3px"},
            name="Even spending",
        ),
        go.Scatter(
            y=theme.floats(left),
            **theme.regular(START, HOUR),
            line={"color": theme.BLUE},
            name="Budget left",
        ),
        height=300,
        y_format=".0%",
    )
    theme.mark_time(fig, deployments(), incidents(), start=START, end=END)
    days = pl.DataFrame(
        {
            "day": [(START + timedelta(days=d)).date() for d in range(28)],
            "bad_count": [int(x) for x in np.add.reduceat(spent, range(0, hours, 24)) * 2_010_000],
            "budget_left": [float(x) for x in np.nan_to_num(left[23::24])],
        }
    )
    return Chart(
        "One afternoon took most of the budget; since then checkout has burned at half the allowed rate",
        "Availability budget left, with deployments (ticks) and incidents (bands). Dashed: even spending.",
        fig,
        days,
        MADE,
    )


def heat_chart(width: Any = "half") -> Chart:
    random = np.random.default_rng(1)
    steps, buckets = 28 * 8, 40
    middle = 14 + 3 * np.sin(np.arange(steps) / 8 * 2 * np.pi)[None, :]
    middle[:, 91:93] += 12
    middle[:, 154:160] += 6
    z = np.exp(-((np.arange(buckets)[:, None] - middle) ** 2) / 40) + random.uniform(
        0, 0.02, (buckets, steps)
    )
    z[:, 110:114] = np.nan
    fig = theme.figure(
        go.Heatmap(
            z=theme.floats(np.where(z < 0.015, np.nan, z)),
            x0="2026-10-04",
            dx=3 * 3600 * 1000,
            y=theme.floats(np.arange(buckets)),
        ),
        height=300,
    )
    fig.update_yaxes(
        tickvals=[0, 8, 16, 24, 32], ticktext=["8 ms", "16 ms", "32 ms", "64 ms", "128 ms"]
    )
    theme.mark_time(fig, deployments(), incidents(), start=START, end=END)
    numbers = pl.DataFrame(
        {
            "day": [(START + timedelta(days=d)).date() for d in range(28)],
            "p50_s": [0.041] * 28,
            "p95_s": [0.148] * 28,
            "p99_s": [0.271 + 0.01 * (d % 3) for d in range(28)],
        }
    )
    return Chart(
        "Latency doubled on 15 Oct and rose for half a day on the 23rd",
        "Requests by duration and time; the stronger the colour the more.",
        fig,
        numbers,
        MADE,
        width=width,
    )


def causes() -> Table:
    rows = [
        {"cause": "INC-412: checkout 4.18.0", "share": 0.58},
        {"cause": "upstream payments-gateway", "share": 0.21},
        {"cause": "POST /v1/orders timeouts", "share": 0.09},
        {"cause": "GET /v1/cart 503", "share": 0.05},
        {"cause": "everything else", "share": 0.07},
    ]
    return Table(
        "58 % of the spent budget was one deployment",
        "Share of 1.93 M bad requests, by cause; adds up to all of them",
        [Col("cause", "Cause"), Col("share", "Share", "bar")],
        rows,
        sort=("share", True),
        made=MADE,
        width="half",
    )


def endpoints(count: int = 14) -> Table:
    random = np.random.default_rng(7)
    names = [
        f"{v} /v1/{n}"
        for n in ("orders", "cart", "items", "rates", "coupons")
        for v in ("GET", "POST", "PUT")
    ]
    rows = [
        {
            "endpoint": names[i % len(names)] + ("" if i < len(names) else f"/{i}"),
            "requests": int(10 ** random.uniform(3, 9)),
            "sli": 1 - 10 ** random.uniform(-5, -2),
            "target": 0.999,
            "p99": 10 ** random.uniform(-2, 0.3),
            "spent": [float(x) for x in random.gamma(1.2, 1, 28)],
        }
        for i in range(count)
    ]
    return Table(
        "POST /v1/orders is the worst of 14 endpoints",
        "Sorted by share of good requests",
        [
            Col("endpoint", "Endpoint", "code"),
            Col("requests", "Requests", "number", priority=2),
            Col("sli", "SLI", "percent", against="target"),
            Col("p99", "p99", "number", format="ms", unit="ms"),
            Col("spent", "Bad per day", "spark", priority=3),
        ],
        rows,
        sort=("sli", False),
        search=True,
        made=MADE,
    )


def service_page() -> nbformat.NotebookNode:
    """Return a service's report with six charts."""
    return notebook(
        [
            "# One service against its objectives\n\nIs the service within its objectives, and what spent the budget?",
            ('service: str = "checkout"  # which service\nperiod: str = "28d"', None),
            (
                "report.verdict()",
                Verdict(
                    [
                        ("Fleet", "page:fleet_overview"),
                        ("Payments squad", None),
                        ("checkout", None),
                    ],
                    "checkout",
                    "at_risk",
                    "Checkout met its availability objective and has **4 %** of its budget left; one deployment spent 58 % of it.",
                    [
                        "4 Oct – 1 Nov 2026 UTC, 28 days",
                        "tier 1",
                        "data complete to 1 Nov 00:00",
                        "coverage 100 %",
                    ],
                    {"service": "checkout", "budget_left": 0.04},
                ),
            ),
            (
                "report.note()",
                Note("Data is **late**: `requests` is complete to 31 Oct 22:00 only.", "warning"),
            ),
            (
                "report.tiles()",
                Tiles(
                    [
                        Tile(
                            "Availability, target 99.9 %",
                            words.percent(0.99904, against=0.999),
                            "99.901 – 99.907 % · 1.93 M bad of 2.01 G",
                            "at_risk",
                        ),
                        Tile(
                            "Latency, 99 % under 300 ms",
                            words.percent(0.9931),
                            "p50 41 · p95 148 · p99 271 ms",
                            "met",
                        ),
                        Tile(
                            "Availability budget left",
                            words.share(0.04),
                            "1.6 of 40.3 min of total outage",
                            "at_risk",
                        ),
                        Tile(
                            "Burn, last hour",
                            words.burn(0.3),
                            "at this rate the budget lasts beyond the window",
                            "met",
                        ),
                    ]
                ),
            ),
            (
                "report.changes()",
                Changes(
                    "**Since last week:** budget left fell from 71 to 4 %; `POST /v1/orders` is now the worst endpoint; latency objective still met."
                ),
            ),
            "Look for steps: a step is one event, a slope is the usual background.",
            ("report.budget()", budget_chart()),
            ("report.causes()", causes()),
            ("report.latency()", heat_chart()),
            "Which endpoints carry the bad requests?",
            ("report.endpoints()", endpoints()),
            ("report.heat()", heat_chart("full")),
            ("report.budget_again()", budget_chart()),
            ("report.heat_again()", heat_chart()),
            ("report.heat_once_more()", heat_chart()),
            (
                "report.sources()",
                Sources(
                    [
                        {
                            "name": "slo_minutes",
                            "says": "objectives, burn, budget",
                            "complete_until": END,
                        },
                        {
                            "name": "requests_hourly",
                            "says": "latency; exact",
                            "complete_until": END,
                        },
                        {"name": "incidents", "says": "bands", "complete_until": None},
                    ],
                    lab="fleetslo lab explore/explore_latency -p service=checkout -p period=2026-10-04/2026-11-01",
                    run={
                        "Period": "2026-10-04/2026-11-01",
                        "Objectives": "checkout-availability, checkout-latency",
                    },
                ),
            ),
        ]
    )


def failed() -> nbformat.NotebookNode:
    """Return a notebook whose second cell raised."""
    raised = new_output(
        "error",
        ename="NoData",
        evalue="nothing was recorded for <lyrics>",
        traceback=["\x1b[31mNoData\x1b[0m: nothing was recorded for <lyrics>", "  line 1 & 2"],
    )
    return new_notebook(
        cells=[
            new_markdown_cell("# A report"),
            new_code_cell("report = fs.open_fleet()", outputs=[raised]),
            new_code_cell("report.verdict()"),
        ]
    )


def fleet_rows(count: int) -> list[dict[str, Any]]:
    random = np.random.default_rng(11)
    squads = [
        "Identity",
        "Ads",
        "Payments",
        "Search",
        "Playlists",
        "Social",
        "Lyrics",
        "Media",
        "Home",
    ]
    rows = []
    for i in range(count):
        left = float(np.clip(random.normal(0.6, 0.45), -2.4, 1))
        judged = random.uniform() > 0.03
        verdict = (
            "unjudged"
            if not judged
            else "missed"
            if left < 0
            else "at_risk"
            if left < 0.25
            else "met"
        )
        name = (
            EVIL
            if i == 7
            else f"{('user', 'ads', 'search', 'track', 'home', 'pay')[i % 6]}-{('profile', 'decision', 'suggest', 'metadata', 'shelf')[i % 5]}-{i}"
        )
        rows.append(
            {
                "service": name,
                "page": f"page:service_slo/{name}",
                "squad": squads[i % len(squads)],
                "tier": 1 + i % 4,
                "verdict": verdict,
                "sli": 1 - (1 - left) * 0.001 if judged else None,
                "target": 0.999,
                "left": left if judged else None,
                "burn": float(random.gamma(1, 0.6)) if judged else None,
                "spent": [
                    None if 9 < d < 11 and i % 13 == 0 else float(x)
                    for d, x in enumerate(random.gamma(0.8, 1, 28))
                ],
                "p99": 10 ** random.uniform(-2, 0),
                "deploys": int(random.poisson(14)),
            }
        )
    return rows


def fleet_table(count: int) -> Table:
    return Table(
        "Four services spent half of the fleet's bad requests",
        "Sorted by budget left. Each service opens its own report.",
        [
            Col("service", "Service", "link", page="page"),
            Col("squad", "Squad", priority=2),
            Col("tier", "Tier", "number", priority=3),
            Col("verdict", "Availability", "verdict"),
            Col("sli", "SLI", "percent", against="target", priority=2),
            Col("left", "Budget left", "bar", verdict="verdict"),
            Col("burn", "Burn 1 h", "number", format="burn", priority=3),
            Col("spent", "Spent per day", "spark", priority=2),
            Col("p99", "p99", "number", format="ms", unit="ms", priority=3),
            Col("deploys", "Deploys", "number", priority=3),
        ],
        fleet_rows(count),
        search=True,
        filters=["squad", "tier", "verdict"],
        sort=("left", False),
    )


def fleet_page(count: int = 240) -> nbformat.NotebookNode:
    """Return a fleet overview over so many services."""
    return notebook(
        [
            "# Fleet overview\n\nHow is every service doing?",
            (
                "report.verdict()",
                Verdict(
                    [("Fleet", None)],
                    "Fleet overview",
                    None,
                    "**228 of 240** services met their objectives. Nine missed, three are at risk, and **payments-gateway** is burning fast now.",
                    [
                        "4 Oct – 1 Nov 2026 UTC, 28 days",
                        "61 squads",
                        "412 G requests",
                        "data complete to 1 Nov 00:00",
                    ],
                ),
            ),
            (
                "report.tiles()",
                Tiles(
                    [
                        Tile("Objectives met", "95.0 %", "▲ 1.7 points since last week"),
                        Tile("Bad requests", "0.021 %", "half of them in 4 services"),
                        Tile("Deployments", "3,184", "11 hurt, 9 rolled back · 0.35 %"),
                        Tile("Incidents", "14", "median 38 min to recover, 6 by deployment"),
                    ]
                ),
            ),
            ("report.services()", fleet_table(count)),
        ]
    )


def index_site(count: int) -> dict[str, Any]:
    """Return the index of a site with so many services; see ``reports/index.py``."""
    services = [
        {
            "service": row["service"],
            "href": f"2026-10-04_2026-11-01/service_slo/{i}.html",
            "squad": row["squad"],
            "tier": row["tier"],
            "verdict": row["verdict"],
            "budget_left": row["left"],
            "sentence": f"Met its availability objective with {words.share(row['left'])} of its budget left.",
            "trend": [None, *((row["left"] or 0) + 0.03 * week for week in range(10, -1, -1))],
            "trend_says": f"78\u202f% → {words.share(row['left'])}",
            **(
                {"stale": "since 28 Oct", "stale_href": f"failures/{i}.html"} if i % 50 == 0 else {}
            ),
        }
        for i, row in enumerate(fleet_rows(count))
    ]
    return {
        "title": "Fleet reports",
        "sentence": "**228 of 240** services met their objectives. Nine missed and three are at risk.",
        "covers": ["4 Oct – 1 Nov 2026 UTC", "run 2026-11-01-0600"],
        "services": services,
        "reports": [
            {
                "label": "Fleet overview",
                "href": "2026-10-04_2026-11-01/fleet_overview.html",
                "says": "Every service at a glance, worst first.",
            }
        ],
        "periods": [
            {
                "label": "4 Oct – 1 Nov 2026",
                "href": "2026-10-04_2026-11-01/fleet_overview.html",
                "report_count": count + 1,
                "run": "2026-11-01-0600",
            }
        ],
        "failures": [
            {
                "label": "service_slo for lyrics",
                "reason": "NoData: nothing was recorded in 2026-10-04/2026-11-01",
                "href": "failed/lyrics.html",
            }
        ],
    }
