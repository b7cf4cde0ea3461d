"""Pages find each other: the period before, the period after, and those they name."""

from dataclasses import replace

from fleetslo.reports.html import Context, render
from fleetslo.reports.jobs import Head, Job
from fleetslo.reports.page import Page, Pages, page_of, relative, with_neighbours
from fleetslo.reports.slugs import page_path


def page(name, period, **more):
    report, _, service = name.partition("/")
    slug = Page("", name, "", None, period, "", "").span.slug
    return Page(
        path=page_path(name, slug),
        name=name,
        notebook=f"reports/{report}",
        service=service or None,
        period=period,
        run_id="20261124T000000Z-0000",
        title=name,
        **more,
    )


def test_the_neighbours_of_a_page_are_the_nearest_of_its_own_series():
    # 28-day reports made weekly: the one before ends seven days earlier, not 28.
    weekly = [
        page("one/a", f"{start}/{end}")
        for start, end in [
            ("2026-09-27", "2026-10-25"),
            ("2026-10-04", "2026-11-01"),
            ("2026-10-18", "2026-11-15"),
        ]
    ]
    other_length = page("one/a", "2026-10-30/2026-11-08")
    other_service = page("one/b", "2026-10-11/2026-11-08")
    pages = Pages([*reversed(weekly), other_length, other_service])
    first, second, third = weekly
    assert (pages.previous(first), pages.next(first)) == (None, second)
    assert (pages.previous(second), pages.next(second)) == (first, third)
    assert (pages.previous(third), pages.next(third)) == (second, None)
    assert (pages.previous(other_length), pages.next(other_service)) == (None, None)


def test_months_are_of_one_series_though_they_differ_in_length():
    january, february, march = (page("one/a", p) for p in ("2026-01", "2026-02", "2026-03"))
    pages = Pages([march, january, february])
    assert pages.previous(february) == january
    assert pages.next(february) == march


def test_a_named_page_is_that_of_the_same_period_or_of_the_same_end():
    here = page("fleet", "2026-10-04/2026-11-01")
    pages = Pages(
        [
            here,
            page("one/a", "2026-10-04/2026-11-01"),
            page("one/a", "2026-10"),
            page("one/<b>", "2026-10"),
            page("one/c", "2026-09"),
        ]
    )
    address = pages.links_from(here)
    assert address("page:one/a") == "one/a.html"
    assert address("page:one/<b>") == relative(page("one/<b>", "2026-10").path, here.path)
    assert address("page:one/<b>").startswith("../2026-10-01_2026-11-01/one/b-")
    assert address("page:one/c") is None  # of another month
    assert address("page:one/nowhere") is None
    back = pages.links_from(page("one/a", "2026-10-04/2026-11-01"))
    assert back("page:fleet") == "../fleet.html"


def test_an_executed_job_makes_a_page():
    job = Job("reports/one", None, "one/a", "p/one/a.html", "one", "a", "2026-10", "", {})
    made = page_of(job, Head("A", "met", "It is.", {"squad": "s"}), "run")
    assert (made.title, made.verdict, made.sentence) == ("A", "met", "It is.")
    assert (made.name, made.assets, made.headline) == ("one/a", "../../assets", {"squad": "s"})
    assert made.window == "A · 1 Oct – 1 Nov 2026"
    bare = page_of(replace(job, period=""), Head(), "run")
    assert (bare.title, bare.window) == ("one/a", "one/a")


def test_a_page_made_earlier_gets_its_new_neighbours(project):
    import nbformat

    path = project.notebook("reports/plain", None, title="# Plain\n\nIs it?")
    notebook = nbformat.read(path, as_version=4)

    def drawn(**context):
        return render(notebook, title="T", assets="assets", context=Context(run="r", **context))

    alone = drawn()
    assert with_neighbours(alone, None, "b.html?a&b") == drawn(next="b.html?a&b")
    assert with_neighbours(alone, "a.html", "b.html") == drawn(previous="a.html", next="b.html")
    both = drawn(previous="a.html", next="b.html")
    assert with_neighbours(both, "a.html", "c.html") == drawn(previous="a.html", next="c.html")
    assert with_neighbours(both, None, None) == alone


def with_left(name, period, left):
    return page(name, period, headline={"budget_left": left})


def test_a_page_says_its_place_among_its_kind_now_and_before():
    october, november = "2026-10-04/2026-11-01", "2026-10-11/2026-11-08"
    pages = Pages(
        [
            with_left("one/a", october, 0.5), with_left("one/b", october, 0.1),
            with_left("one/a", november, -0.3), with_left("one/b", november, 0.1),
            with_left("one/c", november, 0.1), with_left("one/d", november, None),
            with_left("squad/a", november, -0.9), page("fleet", november),
        ]
    )  # fmt: skip

    def standing(path):
        return pages.standing(pages.by_path[page_path(*path)])

    now, before = "2026-10-11_2026-11-08", "2026-10-04_2026-11-01"
    assert standing(("one/a", now)) == (
        "**Rank:** 1st of 3 by budget spent; 2nd of 2 in the report before."
    )
    assert (
        standing(("one/c", now)) == "**Rank:** 2nd of 3 by budget spent."
    )  # with b; no report before
    assert standing(("one/b", before)) == "**Rank:** 1st of 2 by budget spent."
    assert standing(("one/d", now)) == ""  # not judged
    assert standing(("squad/a", now)) == ""  # alone
    assert standing(("fleet", now)) == ""
    still = Pages([*pages, *(with_left(f"one/{name}", "2026-10-18/2026-11-15", left)
                             for name, left in (("a", -0.5), ("b", 0), ("c", 0.2)))])  # fmt: skip
    last = still.by_path[page_path("one/a", "2026-10-18_2026-11-15")]
    assert still.standing(last) == "**Rank:** still 1st of 3 by budget spent."


def test_a_page_is_another_one_when_its_place_is():
    alone = [with_left("one/a", "2026-10", 0.5), with_left("one/b", "2026-10", 0.6)]
    passed = [alone[0], with_left("one/b", "2026-10", 0.4)]
    first, second = (Pages(pages) for pages in (alone, passed))
    assert first.around(alone[0]) != second.around(alone[0])
    closer = Pages([alone[0], with_left("one/b", "2026-10", 0.55)])
    assert first.around(alone[0]) == closer.around(alone[0])
