"""The tiny demo, published by a run to a folder and to a bucket, opened in Chromium both ways."""

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image
from tests.storage import StorageServer

from fleetslo.cli import run

# What a reader meets: the text, where links lead, and how many charts are drawn.
SEEN = """root => ({
  title: document.title,
  text: document.body.innerText,
  links: [...document.querySelectorAll('a')].map((one) => one.href.replace(root, '')),
  charts: document.querySelectorAll('.plot .main-svg').length,
})"""


def seen(context: Any, root: str, path: str, own: str) -> tuple[dict[str, Any], bytes]:
    """Open a page, scroll through it, and return what is on it and a picture of its top."""
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", lambda one: wrong.append(f"no answer: {one.url}"))
    page.on("response", lambda one: one.status >= 400 and wrong.append(f"{one.status} {one.url}"))
    page.on("request", lambda one: one.url.startswith(own) or wrong.append(one.url))
    page.goto(root + path)
    page.evaluate(
        "async () => { for (let y = 0; y < document.body.scrollHeight; y += 500) {"
        " scrollTo(0, y); await new Promise((done) => setTimeout(done, 30)); } scrollTo(0, 0) }"
    )
    page.wait_for_function(
        "[...document.querySelectorAll('.plot')].every((one) => one.querySelector('.main-svg'))"
    )
    found = page.evaluate(SEEN, root)
    picture = page.screenshot(animations="disabled")
    page.close()
    assert wrong == [], path
    return found, picture


def apart(one: bytes, other: bytes) -> float:
    """Return the share of points in which two pictures of one size differ."""
    left, right = (np.asarray(Image.open(io.BytesIO(picture))) for picture in (one, other))
    return float((left != right).any(axis=-1).mean())


@pytest.mark.long
@pytest.mark.browser
@pytest.mark.xdist_group("runs-notebooks")
def test_the_demo_reads_the_same_from_the_bucket_as_from_the_folder(
    tiny_home: Path, storage: StorageServer, chromium: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    shutil.copytree(tiny_home, tmp_path / "home")
    monkeypatch.setenv("FLEETSLO_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FLEETSLO_WAREHOUSE", raising=False)
    monkeypatch.setenv("FLEETSLO_PUBLISH", "gs://reports/slo")
    monkeypatch.setenv("FLEETSLO_STORAGE_ENDPOINT", storage.url)
    assert run(["run"]) == 0
    release = (tmp_path / "home" / "site" / "current").resolve()
    top = storage.address("")
    inside = storage.address(f"releases/{release.name}/")
    local = f"{release.as_uri()}/"
    files = sorted(path for path in release.rglob("*") if path.is_file())
    for path in files:
        name = path.relative_to(release).as_posix()
        if name != "index.html":
            assert requests.get(inside + name, timeout=20).content == path.read_bytes(), name
    pages = [path.relative_to(release).as_posix() for path in files if path.suffix == ".html"]
    assert len(pages) > 5
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    for name in pages:
        here, here_drawn = seen(context, local, name, "file:")
        root = top if name == "index.html" else inside
        there, there_drawn = seen(context, root, name, storage.url)
        # From the top, pages lie in the release; the index and the feeds are at the top.
        lead = f"releases/{release.name}/"
        there["links"] = [one.removeprefix(lead).removeprefix(top) for one in there["links"]]
        assert there == here, name
        assert apart(there_drawn, here_drawn) < 1e-4, name  # Chromium's own edges come out unlike
    context.close()
