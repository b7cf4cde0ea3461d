"""Colours are read from style.css and the palette, and their contrast is computed as WCAG has it."""

import re

import pytest

from fleetslo.charts import theme
from fleetslo.reports import shared

AA_TEXT = 4.5
AA_GRAPHIC = 3.0
VERDICTS = ("met", "at_risk", "missed", "unjudged")


def themes() -> dict[str, dict[str, str]]:
    """Return the custom properties of each theme; the dark ones lie over the light ones."""
    light, dark = re.findall(r":root \{(.*?)\}", shared.text("style.css"), flags=re.S)
    read = re.compile(r"--([\w-]+): (#[0-9a-f]{6})")
    day = dict(read.findall(light))
    return {"light": day, "dark": {**day, **dict(read.findall(dark))}}


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2.2: 0 is black, 1 is white."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_formula_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    # #767676 on white is the well-known grey that just passes, 4.54
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("name", ["light", "dark"])
@pytest.mark.parametrize("colour", [*VERDICTS, "ink", "muted", "accent"])
@pytest.mark.parametrize("ground", ["page", "card", "hover", "soft"])
def test_text_passes_aa_on_every_ground(name, colour, ground):
    colours = themes()[name]
    assert contrast(colours[colour], colours[ground]) >= AA_TEXT


@pytest.mark.parametrize("name", ["light", "dark"])
def test_data_can_be_told_from_its_ground(name):
    colours = themes()[name]
    assert contrast(colours["data"], colours["card"]) >= AA_GRAPHIC


@pytest.mark.parametrize("name", ["light", "dark"])
def test_verdicts_differ_from_each_other_and_from_data(name):
    colours = themes()[name]
    used = [colours[one] for one in (*VERDICTS[:3], "data")]
    assert len(set(used)) == len(used)


@pytest.mark.parametrize("colour", ["BLUE", "SLATE", "INK", "MUTED", "BAND_EDGE"])
def test_lines_and_words_of_charts_can_be_seen_on_both(colour):
    light = getattr(theme, colour)
    dark = theme.COLOURS[light]
    least = AA_TEXT if colour in ("INK", "MUTED") else AA_GRAPHIC
    assert contrast(light, theme.SURFACE) >= least
    assert contrast(dark, theme.COLOURS[theme.SURFACE]) >= least


def test_charts_stand_on_the_colour_of_their_card():
    assert themes()["light"]["card"] == theme.SURFACE
    assert themes()["dark"]["card"] == theme.COLOURS[theme.SURFACE]


def test_charts_have_no_verdict_colours():
    for name, place in (("light", 0), ("dark", 1)):
        verdicts = {themes()[name][one] for one in ("met", "at_risk", "missed")}
        assert not verdicts & {pair[place] for pair in theme.COLOURS.items()}
