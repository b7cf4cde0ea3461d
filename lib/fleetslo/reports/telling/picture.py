"""What is left of a squad's budgets, as a picture that an e-mail can carry."""

import io
from collections.abc import Sequence

from fleetslo.charts import palette, words
from fleetslo.reports.telling.messages import Spent

_WIDTH_IN, _ROW_IN, _FRAME_IN = 6.4, 0.34, 0.8
_COLOURS = {"missed": "#b3261e", "at_risk": "#8f5600", "met": "#10734f"}
"""Those of verdicts in style.css, in its light look; e-mail cannot be relied on for a dark one."""


def budgets(spent: Sequence[Spent]) -> bytes:
    """Return a PNG with a bar per objective: the share of its budget that is left."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((_WIDTH_IN, _FRAME_IN + _ROW_IN * len(spent)), dpi=144, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    places = list(range(len(spent)))[::-1]
    lengths = [max(-1.0, min(1.0, one.budget_left)) for one in spent]
    colours = [_COLOURS.get(one.verdict, palette.GREY) for one in spent]
    axes.barh(places, lengths, height=0.6, color=colours)
    for place, length, one in zip(places, lengths, spent, strict=True):
        side = "left" if length >= 0 else "right"
        axes.annotate(
            words.share(one.budget_left),
            (length, place),
            (4 if length >= 0 else -4, 0),
            textcoords="offset points",
            va="center",
            ha=side,
            fontsize=8,
            color=palette.INK,
        )
    axes.axvline(0, color=palette.INK, linewidth=0.8)
    axes.set_yticks(places, [one.name for one in spent], fontsize=8)
    axes.set_xlim(-1.25, 1.25)
    axes.set_xticks([-1, 0, 1], ["overspent", "0", "all left"], fontsize=8)
    axes.set_title("Budget left", fontsize=9, loc="left")
    axes.tick_params(length=0, colors=palette.MUTED)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    held = io.BytesIO()
    figure.savefig(held, format="png", metadata={"Software": None})
    return held.getvalue()


def described(spent: Sequence[Spent]) -> str:
    """Return what the picture shows, for those who do not see it."""
    each = [f"{one.name} {words.share(one.budget_left)}" for one in spent]
    return f"Budget left: {'; '.join(each)}"
