"""The few colours of charts, each with its dark twin.

Data is blue and grey; the colours of verdicts belong to verdicts and are in style.css alone. A
figure is made with the light colours. On a page, and whenever the reader's setting changes,
site.js swaps each colour of ``COLOURS`` for its dark twin, so a chart may use these names
anywhere: in a trace, a shape, an annotation or a colour scale.
"""

BLUE = "#2a6fdb"
"""What a chart is about."""
BLUE_SOFT = "#8fb3ee"
"""The same thing, earlier or elsewhere; bars behind a line."""
BLUE_FAINT = "#dbe7fa"
"""The area under a line, an interval around it."""
SLATE = "#51606f"
"""What it is compared with: the period before, the fleet's median."""
GREY = "#98a3b0"
"""Everything else."""
GREY_FAINT = "#e4e8ed"
"""The empty part of a bar."""
INK = "#1a1d21"
"""A line that is no data: the objective, a threshold."""
MUTED = "#57616c"
"""Words and numbers on axes."""
GRID = "#e6e9ed"
"""Grid lines."""
BAND = "rgba(81,96,111,0.16)"
"""An incident's stretch of time."""
BAND_EDGE = "#6d7b8a"
"""An incident's own bar under the axis."""
SURFACE = "#ffffff"
"""What a chart stands on."""

COLOURS: dict[str, str] = {
    BLUE: "#6ea8fe",
    BLUE_SOFT: "#3d6bb3",
    BLUE_FAINT: "#22385c",
    SLATE: "#a9b6c4",
    GREY: "#77828e",
    GREY_FAINT: "#2c333b",
    INK: "#e8eaed",
    MUTED: "#a7b0ba",
    GRID: "#2a3037",
    BAND: "rgba(169,182,196,0.20)",
    BAND_EDGE: "#93a1b0",
    SURFACE: "#191d22",
    "#f7f9fc": "#1d232a",
    "#d9e6fa": "#21375a",
    "#b3cdf5": "#29508c",
    "#86aeee": "#3469bb",
    "#5489e3": "#4d8ae6",
    "#2b62c4": "#83b4fb",
    "#173f8a": "#cfe2ff",
}
"""Each colour a figure may use, light to dark."""

HEAT: list[list[float | str]] = [
    [0.0, "#f7f9fc"],
    [0.04, "#d9e6fa"],
    [0.2, "#b3cdf5"],
    [0.4, "#86aeee"],
    [0.6, "#5489e3"],
    [0.8, "#2b62c4"],
    [1.0, "#173f8a"],
]
"""Colour scale of heat maps, from nothing to most; on dark pages most is brightest."""

SERIES = (BLUE, SLATE, BLUE_SOFT, GREY)
"""Colours of several lines in one chart, in order of importance."""
