"""The notebooks of explore/ in a real JupyterLab, in Chromium, on the tiny demo fleet."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fleetslo.reliability.objectives import read_objectives

ROOT = Path(__file__).parents[2]
EXPLORE = sorted((ROOT / "notebooks" / "explore").glob("*.ipynb"))
LATENCY = ROOT / "notebooks" / "explore" / "explore_latency.ipynb"
ERRORS = ROOT / "notebooks" / "explore" / "explore_errors.ipynb"
TUNING = ROOT / "notebooks" / "explore" / "slo_tuning.ipynb"
TOKEN = "a-token-for-tests"  # noqa: S105 -- of a server on loopback that lives for these tests
WAIT_MS = 90_000
QUIET = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "docmanager-extension/plugin": {"autosave": False},
}
DRAWN = """least => [...document.querySelectorAll(".js-plotly-plot")]
  .filter(figure => figure.querySelector(".main-svg") && figure.clientHeight > 100).length >= least"""
TRACES = """() => JSON.stringify([...document.querySelectorAll(".js-plotly-plot")].map(figure =>
  (figure._fullData || []).map(trace => [trace.name, Array.from(trace.y || []),
    trace.type === "heatmap" ? trace.z.map(row => Array.from(row)) : Array.from(trace.x || [])])))"""
CONTRAST = (
    """() => getComputedStyle(document.querySelector(".js-plotly-plot .main-svg")).background"""
)

pytestmark = [
    pytest.mark.lab,
    pytest.mark.browser,
    pytest.mark.xdist_group("lab"),
    pytest.mark.timeout(600),
]


@dataclass
class Lab:
    """A notebook that is open in JupyterLab, and what went wrong on its page.

    Attributes:
        page: the page in Chromium.
        notebook: the file, as JupyterLab saves it.
        errors: exceptions that reached the page.
        elsewhere: requests to other hosts.
    """

    page: Any
    notebook: Path
    errors: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def menu(self, *steps: str) -> None:
        """Choose from the menus."""
        first, *rest = steps
        self.page.get_by_role("menuitem", name=first, exact=True).click()
        for step in rest:
            self.page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{step}")).first.click()

    def idle(self) -> None:
        """Wait until the kernel has nothing to do."""
        self.page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for(timeout=WAIT_MS)

    def run_all(self, figures: int) -> None:
        """Run all cells and wait until at least so many figures are drawn."""
        self.idle()
        self.menu("Run", "Run All Cells")
        self.page.wait_for_function(DRAWN, arg=figures, timeout=WAIT_MS)
        self.idle()

    def traces(self) -> str:
        """Return what the figures draw."""
        return str(self.page.evaluate(TRACES))

    def until_traces_differ(self, before: str) -> str:
        """Wait for a figure to change, and return what is drawn then."""
        end = time.monotonic() + WAIT_MS / 1000
        while (now := self.traces()) == before:
            assert time.monotonic() < end, "no figure changed"
            self.page.wait_for_timeout(200)
        return now

    def saved_outputs(self) -> list[dict[str, Any]]:
        """Save the notebook and return every output in it."""
        before = self.notebook.stat().st_mtime_ns
        self.menu("File", "Save Notebook")
        for _ in range(100):
            if self.notebook.stat().st_mtime_ns != before:
                break
            self.page.wait_for_timeout(100)
        # JupyterLab writes in place: a reader that is too early meets a part of it.
        text = ""
        while not text.endswith("}\n") and not text.endswith("}"):
            self.page.wait_for_timeout(100)
            text = self.notebook.read_text(encoding="utf-8")
        cells = json.loads(text)["cells"]
        ran = [cell for cell in cells if cell["cell_type"] == "code"]
        assert all(cell["execution_count"] for cell in ran), "a cell was not run"
        return [output for cell in ran for output in cell["outputs"]]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def server(tiny_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A JupyterLab on a copy of the notebooks: its address and its folder."""
    folder = tmp_path_factory.mktemp("lab")
    notebooks = folder / "notebooks"
    shutil.copytree(ROOT / "notebooks" / "explore", notebooks)
    for name, values in QUIET.items():
        settings = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(json.dumps(values), encoding="utf-8")
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    environ = {
        **os.environ,
        "FLEETSLO_HOME": str(tiny_home),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "IPYTHONDIR": str(folder / "ipython"),
    }
    environ.pop("FLEETSLO_WAREHOUSE", None)
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
        *(f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={notebooks}"),
    ]
    log = folder / "lab.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, env=environ, stdout=output, stderr=output)
        try:
            until_it_answers(f"{address}/api?token={TOKEN}", process, log)
            yield address, notebooks
        finally:
            process.terminate()
            process.wait(30)


def until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 -- on loopback
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"JupyterLab does not answer:\n{log.read_text()}")


@pytest.fixture
def opened(
    chromium: Any, server: tuple[str, Path], request: pytest.FixtureRequest
) -> Iterator[Lab]:
    """A notebook opened in a tab of its own, every cell of it in view."""
    address, folder = server
    name = getattr(request, "param", LATENCY).name
    context = chromium.new_context(viewport={"width": 1440, "height": 3000})
    page = context.new_page()
    lab = Lab(page, folder / name)
    page.on("pageerror", lambda error: lab.errors.append(str(error)))
    page.on(
        "request",
        lambda sent: (
            None
            if sent.url.startswith((address, "data:", "blob:"))
            else lab.elsewhere.append(sent.url)
        ),
    )
    page.goto(f"{address}/lab/tree/{name}?token={TOKEN}&reset")
    page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=WAIT_MS)
    yield lab
    context.close()


@pytest.mark.parametrize(
    "opened",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.long] if number else [])
        for number, path in enumerate(EXPLORE)
    ],
    indirect=True,
)
def test_every_notebook_runs_draws_and_follows_its_widgets(opened: Lab) -> None:
    opened.run_all(figures=1)
    first = opened.traces()
    outputs = opened.saved_outputs()
    assert [one for one in outputs if one["output_type"] == "error"] == []
    assert [one for one in outputs if one.get("name") == "stderr"] == []

    chosen = opened.page.locator(".widget-dropdown select").first
    before = chosen.input_value()
    chosen.focus()
    opened.page.keyboard.press("ArrowDown")  # as a reader without a mouse would
    assert chosen.input_value() != before
    opened.until_traces_differ(first)
    assert opened.errors == []
    assert opened.elsewhere == []


@pytest.mark.long
def test_latency_compares_in_three_ways_and_takes_the_theme(opened: Lab) -> None:
    page = opened.page
    opened.run_all(figures=3)
    assert page.get_by_role("heading", name=re.compile("p99|p95|p50|steady")).count() >= 1
    first = opened.traces()

    page.get_by_label("Compare with").select_option(label="before a deployment")
    second = opened.until_traces_differ(first)
    assert page.get_by_label("Deployment").is_visible()
    page.get_by_label("Compare with").select_option(label="another version")
    opened.until_traces_differ(second)
    page.get_by_text(re.compile("compared with version")).first.wait_for(timeout=WAIT_MS)

    page.get_by_text("The numbers").first.click()
    assert page.get_by_role("table").first.is_visible()

    light = page.evaluate(CONTRAST)
    opened.menu("Settings", "Theme", "JupyterLab Dark")
    page.wait_for_function(f"light => ({CONTRAST})() !== light", arg=light, timeout=WAIT_MS)
    assert opened.errors == []
    opened.menu("Settings", "Theme", "JupyterLab Light")


@pytest.mark.parametrize("opened", [ERRORS], ids=["explore_errors"], indirect=True)
@pytest.mark.long
def test_errors_follow_their_kind_and_their_split_and_say_what_they_cost(opened: Lab) -> None:
    page = opened.page
    opened.run_all(figures=1)
    assert page.get_by_role("heading", name=re.compile("the budget of")).count() == 1
    first = opened.traces()

    page.get_by_label("Show", exact=True).select_option(label="mistakes of callers")
    second = opened.until_traces_differ(first)
    page.get_by_role("heading", name="Mistakes of callers cost no budget").wait_for(timeout=WAIT_MS)
    page.get_by_label("Split by").select_option(label="endpoint")
    third = opened.until_traces_differ(second)
    page.get_by_label("Compare with").select_option(label="an earlier stretch")
    page.get_by_label("Stretch", exact=True).fill("7d")
    page.keyboard.press("Enter")
    page.get_by_label("Show", exact=True).select_option(label="all errors")
    opened.until_traces_differ(third)
    assert opened.errors == []


@pytest.mark.parametrize("opened", [TUNING], ids=["slo_tuning"], indirect=True)
@pytest.mark.long
def test_a_target_is_tried_and_its_document_saved(opened: Lab) -> None:
    page = opened.page
    opened.run_all(figures=2)
    first = opened.traces()
    present = page.get_by_text(re.compile("its present target")).first
    present.wait_for(timeout=WAIT_MS)

    page.get_by_label("Objective", exact=True).select_option(label="Latency of buying")
    second = opened.until_traces_differ(first)
    page.get_by_label("or, in %").fill("99.7")
    page.keyboard.press("Enter")
    opened.until_traces_differ(second)
    page.get_by_role("heading", name=re.compile("^At 99.7.% within 300.ms")).wait_for()
    threshold = page.get_by_label("Threshold")
    threshold.select_option(index=0)
    shortest = threshold.locator("option").first.inner_text()
    told = page.get_by_role("status").get_by_text(f"within {shortest} instead of")
    told.wait_for(timeout=WAIT_MS)

    written = opened.notebook.with_name("mine.yaml")
    page.get_by_label("File", exact=True).fill(str(written))
    page.get_by_role("button", name="Save the document").click()
    page.get_by_text(f"Written to {written}.").wait_for(timeout=WAIT_MS)
    (found,) = read_objectives(written)
    assert (found.name, found.target) == ("checkout-latency", 0.997)
    assert opened.errors == []


@pytest.mark.long
def test_an_unknown_service_is_told_in_the_widget(opened: Lab) -> None:
    text = opened.notebook.read_text(encoding="utf-8")
    opened.notebook.write_text(text.replace('\\"checkout\\"', '\\"chekout\\"'), encoding="utf-8")
    try:
        opened.page.reload()
        opened.page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=WAIT_MS)
        opened.idle()
        opened.menu("Run", "Run All Cells")
        told = opened.page.get_by_role("status").get_by_text("Did you mean 'checkout'?")
        told.wait_for(timeout=WAIT_MS)
        opened.page.get_by_label("Service").select_option(label="payments-gateway")
        opened.page.wait_for_function(DRAWN, arg=3, timeout=WAIT_MS)
        assert opened.page.get_by_text("Traceback").count() == 0
    finally:
        opened.notebook.write_text(text, encoding="utf-8")
