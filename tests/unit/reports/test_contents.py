"""The index lists the latest report of every service, and what failed."""

import re

from fleetslo.reports.contents import contents
from fleetslo.reports.html import render_index
from fleetslo.reports.missed import Missed
from fleetslo.reports.page import Page, Pages


def page(name, path, period="2026-10", service=None, **more):
    given = {"run_id": "r1", "title": name, **more}
    return Page(path, name, f"reports/{name}", service, period, **given)


PAGES = Pages(
    [
        page("one/a", "old/a.html", "2026-09", "a", verdict="missed", sentence="Old."),
        page("one/a", "new/a.html", service="a", verdict="met", sentence="`a` is **fine**.",
             headline={"squad": "Pay", "tier": 1, "budget_left": 0.5}, run_id="r2"),
        page("extra/a", "new/extra.html", service="a"),
        page("one/b", "new/b.html", service="b"),
        page("fleet", "new/fleet.html", title="Fleet overview", sentence="**1 of 2** fine."),
        page("fleet", "old/fleet.html", "2026-09", title="Fleet overview", sentence="None."),
    ]
)  # fmt: skip


def test_a_service_is_shown_with_its_newest_report_that_gives_a_verdict():
    catalogue = {"a": {"squad": "Old squad", "tier": 3}, "b": {"squad": "B", "tier": 2}, "c": {}}
    shown = contents(PAGES, catalogue, ())
    a, b, c = shown["services"]
    assert a == {
        "service": "a", "href": "new/a.html", "squad": "Pay", "squad_href": None, "tier": 1,
        "verdict": "met",
        "budget_left": 0.5, "sentence": "a is fine.", "period": "1 Oct – 1 Nov 2026",
    }  # fmt: skip
    assert (b["href"], b["squad"], b["tier"], b["verdict"]) == ("new/b.html", "B", 2, None)
    assert (c["service"], c["href"], c["sentence"]) == ("c", None, None)


def test_squads_have_their_newest_reports_and_services_link_to_them():
    pay = page("squad/Pay", "new/pay.html", squad="Pay", verdict="missed",
               sentence="**Pay** met 1 of 2.", headline={"objectives": 2, "missed": 1, "sli": 0.99})  # fmt: skip
    old = page("squad/Pay", "old/pay.html", "2026-09", squad="Pay", verdict="met")
    shown = contents(Pages([*PAGES, old, pay]), {}, ())
    (squad,) = shown["squads"]
    assert (squad["squad"], squad["href"], squad["verdict"]) == ("Pay", "new/pay.html", "missed")
    assert (squad["objectives"], squad["missed"], squad["sli"]) == (2, 1, 0.99)
    assert squad["sentence"] == "Pay met 1 of 2."
    a, b = shown["services"]
    assert (a["squad_href"], b["squad_href"]) == ("new/pay.html", None)
    # A squad's page is no report on the fleet: it neither heads the index nor a period.
    assert [report["label"] for report in shown["reports"]] == ["Fleet overview"]
    assert shown["periods"][0]["href"] == "new/fleet.html"
    html = render_index(shown)
    assert '<a href="new/pay.html">Pay</a>' in html
    assert html.index("1 squad") < html.index("2 services")
    assert "1 squad" not in render_index(contents(PAGES, {}, ()))


def test_only_an_overspent_combined_budget_has_the_colour_of_a_miss():
    left = {"-61": -0.61, "33": 0.33, "0": 0.0}
    squads = [
        page(f"squad/{name}", f"{name}.html", squad=name, headline={"budget_left": value})
        for name, value in left.items()
    ]
    html = render_index(contents(Pages(squads), {}, ()))
    bars = re.findall(r'class="fill([^"]*)"[^<]*</span></span><span class="n">([^<\u202f]*)', html)
    assert sorted(bars) == [("", "0"), ("", "33"), (" missed", "−61")]


def test_many_squads_can_be_searched_and_filtered():
    squads = [page(f"squad/{i}", f"{i}.html", squad=f"Squad {i}", verdict="met") for i in range(9)]
    few, many = (render_index(contents(Pages(squads[:n]), {}, ())) for n in (8, 9))
    assert 'aria-controls="squads-table"' not in few
    assert many.count('aria-controls="squads-table"') == 2


def test_the_fleet_comes_first_and_periods_are_newest_first():
    shown = contents(PAGES, {}, ())
    assert shown["sentence"] == "**1 of 2** fine."
    assert "verdict" not in shown
    assert shown["covers"] == ["1 Oct – 1 Nov 2026, UTC", "run r2"]
    assert shown["reports"] == [
        {
            "label": "Fleet overview",
            "href": "new/fleet.html",
            "says": "**1 of 2** fine.",
            "verdict": None,
        }
    ]
    assert [(p["label"], p["href"], p["report_count"], p["run"]) for p in shown["periods"]] == [
        ("1 Oct – 1 Nov 2026", "new/fleet.html", 4, "r2"),
        ("1 Sep – 1 Oct 2026", "old/fleet.html", 2, "r1"),
    ]


def test_a_report_about_one_service_speaks_neither_for_it_nor_for_the_fleet():
    week = page("week", "new/week.html", service="a", verdict="missed", run_id="r9", title="a")
    regions = [page(f"region/{one}", f"new/{one}.html", title=one, sentence="-") for one in "xy"]
    mine = [page(f"my/{one}", f"new/my-{one}.html", squad=one) for one in ("Pay", "Ads")]
    reviews = [page(f"squad/{one}", f"new/{one}.html", squad=one, verdict="met") for one in ("Pay", "Ads")]  # fmt: skip
    shown = contents(Pages([*PAGES, week, *regions, *mine, *reviews]), {}, ())
    assert shown["sentence"] == "**1 of 2** fine."
    assert shown["services"][0]["href"] == "new/a.html"
    assert [one["label"] for one in shown["reports"]] == ["y", "x", "Fleet overview"]
    # What no row and no card shows is to be found all the same.
    assert shown["others"] == [
        {"report": "extra", "count": "1 page", "pages": [{"label": "a", "href": "new/extra.html"}]},
        {"report": "my", "count": "2 pages",
         "pages": [{"label": one, "href": f"new/my-{one}.html"} for one in ("Ads", "Pay")]},
        {"report": "week", "count": "1 page", "pages": [{"label": "a", "href": "new/week.html"}]},
    ]  # fmt: skip
    html = render_index(shown)
    assert '<summary>my <span class="says">2 pages</span></summary>' in html
    assert '<a href="new/my-Pay.html">Pay</a>' in html
    assert "More reports" not in render_index(contents(Pages(reviews), {}, ()))


def test_a_row_is_stale_when_its_own_report_could_not_be_made():
    review = page("squad/Pay", "new/pay.html", squad="Pay", verdict="met")
    mine = missed("my/Pay", "new/my.html", squad="Pay")
    own = missed("squad/Pay", "newer/pay.html", squad="Pay", shown_on="new/pay.html")
    (other,) = contents(Pages([review]), {}, [mine])["squads"]
    assert "stale" not in other
    (row,) = contents(Pages([review]), {}, [mine, own])["squads"]
    assert row["stale_href"] == "failures/newer/pay.html"


def missed(name, path, **more):
    given = {"run_id": "20261102T060000Z-aaaa", **more}
    first, shown_on = given.pop("first", given["run_id"]), given.pop("shown_on", None)
    return Missed(page(name, path, **given), "cell 4 of 9: ValueError: boom", first, shown_on)


def test_failures_are_listed_and_rows_say_since_when_they_are_stale():
    told = [
        missed("one/a", "next/a.html", service="a", shown_on="new/a.html",
               first="20261026T060000Z-aaaa"),
        missed("one/<x>", "next/x.html", service="<x>"),
        missed("fleet", "next/fleet.html", shown_on="new/fleet.html"),
    ]  # fmt: skip
    shown = contents(PAGES, {}, told)
    assert shown["failures"][1] == {
        "label": "one/<x>, 1 Oct – 1 Nov 2026",
        "reason": "cell 4 of 9: ValueError: boom",
        "href": "failures/next/x.html",
    }
    stale = {one["service"]: (one["href"], one.get("stale"), one.get("stale_href"))
             for one in shown["services"]}  # fmt: skip
    assert stale == {
        "<x>": (None, "not made", "failures/next/x.html"),
        "a": ("new/a.html", "since 26 Oct", "failures/next/a.html"),
        "b": ("new/b.html", None, None),
    }
    assert shown["reports"][0]["stale"] == "stale since 2 Nov"
    html = render_index(shown)
    assert '<a href="failures/next/x.html">one/&lt;x&gt;, 1 Oct – 1 Nov 2026</a>' in html
    assert "3 reports could not be made" in html
    many = [missed(f"one/{n}", f"{n}.html", service=str(n)) for n in range(60)]
    html = render_index(contents(PAGES, {}, many))
    assert html.count("cell 4 of 9") == 50
    assert "And 10 more, each marked in the tables below." in html


def test_a_sparkline_shows_the_budget_left_in_the_last_twelve_reports():
    weeks = [f"2026-{month:02}" for month in range(1, 12)] + ["2025-12", "2025-11"]
    lefts = {week: n / 20 for n, week in enumerate(sorted(weeks))}  # 0.00, 0.05 … 0.60
    lefts["2026-09"], lefts["2026-11"] = None, -0.08
    series = [page("one/a", f"{week}/a.html", week, "a", headline={"budget_left": left},
                   verdict="met") for week, left in lefts.items()]  # fmt: skip
    (a,) = contents(Pages(series), {}, ())["services"]
    assert a["trend"] == [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, None, 0.55, -0.08]
    assert a["trend_says"] == "5 % → −8 %".replace(" %", "\u202f%")
    html = render_index(contents(Pages(series), {}, ()))
    (spark,) = re.findall(r'<svg class="spark".*?</span>', html)
    # A full budget is 22 px tall, in 31 steps: 0.05 is round(1.55) = 2 of them, 2 * 22 / 31 = 1.4
    assert "M1.5 22v-1.4M5.5" in spark
    assert spark.count("M") == 11  # a report without a number is a gap
    assert f'<span class="hidden">{a["trend_says"]}</span>' in spark
    assert "Over time" not in render_index(contents(Pages(series[:1]), {}, ()))


def test_a_site_without_a_report_on_the_fleet_says_how_many_services_it_has():
    shown = contents(Pages([page("one/a", "new/a.html", service="a")]), {}, ())
    assert shown["sentence"] == "The latest reports of 1 service."
    assert contents(Pages([]), {}, ())["covers"] == []


def test_a_fleet_with_one_verdict_shows_it():
    fleet = page("fleet", "fleet.html", verdict="at_risk", sentence="Hm.")
    assert contents(Pages([fleet]), {}, ())["verdict"] == "at_risk"
