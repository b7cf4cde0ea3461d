"""How a block shows itself: as a payload for the site, as HTML in JupyterLab, as text elsewhere."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

MIMETYPE = "application/vnd.fleetslo.block.v1+json"
"""Carries a block's payload; ``reports/html.py`` builds the page from it."""
PLOTLY_MIMETYPE = "application/vnd.plotly.v1+json"
"""Carries a figure, beside the payload of its chart."""
LAB_ONLY = {"fleetslo": "lab"}
"""Metadata of an output that only JupyterLab needs."""


class Block(ABC):
    """What every block has in common: a kind, a payload, and how it is displayed."""

    kind: ClassVar[str]

    @abstractmethod
    def payload(self) -> dict[str, Any]:
        """Return the block as plain JSON; ``block`` is its kind."""

    @abstractmethod
    def text(self) -> str:
        """Return the block as plain text."""

    def _ipython_display_(self) -> None:
        """Show the block: payload for the site, HTML for JupyterLab, text for a terminal."""
        from fleetslo.charts import lab

        payload = self.payload()
        publish(
            {
                MIMETYPE: payload,
                "text/html": lab.block(payload),
                "text/plain": self.text(),
            }
        )


def publish(data: Mapping[str, Any], metadata: Mapping[str, Any] | None = None) -> None:
    """Hand one output to the front end."""
    from IPython.display import publish_display_data

    publish_display_data(dict(data), metadata=dict(metadata or {}))  # type: ignore[no-untyped-call]
