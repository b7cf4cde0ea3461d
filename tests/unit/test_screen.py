"""What people see while a batch runs, where no bar can be drawn, and when it has failed."""

from pathlib import Path

import pytest

from fleetslo.commands import screen
from fleetslo.reports.failures import error_page, told
from fleetslo.reports.jobs import Failure, Job, Result

GONE = "IndexError: the warehouse is gone"


def job(service: str) -> Job:
    page = f"one/{service}"
    return Job(
        "reports/one", Path("one.ipynb"), page, f"p/{page}.html", "one", service, "7d", "", {}
    )


def failed(name: str, says: str) -> Result:
    return Result("failed", 1.0, failure=Failure(4, 1, name, says))


def same(count: int) -> dict[str, tuple[Job, Result]]:
    jobs = [job(f"s{place}") for place in range(count)]
    return {one.path: (one, failed("IndexError", "the warehouse is gone")) for one in jobs}


def test_what_fails_for_one_reason_is_told_once(tmp_path: Path) -> None:
    all_of_them = same(1000)
    other = job("other")
    all_of_them[other.path] = (other, failed("ValueError", "7"))
    kept = error_page(tmp_path, job("s1"))
    kept.parent.mkdir(parents=True)
    kept.touch()
    lines = told(all_of_them, 1200, tmp_path).splitlines()
    assert lines[0] == "1,001 of 1,200 reports failed; the other 199 are published"
    assert lines[1].startswith("  one/s0, one/s1, one/s2 and 997 more (reports/one): a cell raised")
    assert lines[1].endswith(GONE)
    assert lines[2] == f"    {kept}"  # of those named, the only one that has a page
    assert lines[3].startswith("  one/other (reports/one): a cell raised")
    assert len(lines) == 4


def test_many_reasons_are_cut_and_the_record_is_named(tmp_path: Path) -> None:
    jobs = [job(f"s{place}") for place in range(25)]
    reasons = {one.path: (one, failed("ValueError", str(place))) for place, one in enumerate(jobs)}
    lines = told(reasons, 25, tmp_path).splitlines()
    assert lines[0] == "25 of 25 reports failed; nothing was published"
    assert len(lines) == 1 + 20 + 1
    assert lines[-1] == f"  and 5 more reasons: {tmp_path / 'manifest.json'}"


def test_a_reason_that_comes_again_and_again_is_not_printed_again_and_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with screen.batch_progress() as watch:
        watch.planned([one for one, _ in same(50).values()])
        for one, result in same(50).values():
            watch.finished(one, result)
    printed = capsys.readouterr().err.splitlines()
    assert sum(GONE in line for line in printed) == 3
    assert printed[-1] == "running reports: 50 of 50"


def test_where_no_bar_is_drawn_a_line_now_and_then_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [0.0]
    monkeypatch.setattr(screen.time, "monotonic", lambda: clock[0])
    with screen.progress() as show:
        for done in range(101):
            show("drawing", done, 100)
            clock[0] += 0.5
        show("drawing", 100, 100)
    # A line every 10 s, which is every 20 of them.
    assert capsys.readouterr().err.splitlines() == [
        f"drawing: {done} of 100" for done in (20, 40, 60, 80, 100)
    ]
