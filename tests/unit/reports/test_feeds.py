"""A feed per squad: what RFC 4287 asks of one, and what a reader finds in it."""

from xml.etree.ElementTree import Element, fromstring

from fleetslo.reports.feeds import feed, feed_path, feeds
from fleetslo.reports.page import Page

ATOM = "{http://www.w3.org/2005/Atom}"


def parsed(xml: bytes) -> Element:
    return fromstring(xml)  # noqa: S314 - of our own making


def page(squad: str | None, first: int, run: str, title: str = "Payments") -> Page:
    period = f"2026-10-{first:02}/2026-10-{first + 7:02}"
    return Page(
        path=f"2026-10-{first:02}_2026-10-{first + 7:02}/squad_review/payments.html",
        name=f"squad_review/{squad}",
        notebook="reports/squad_review",
        service=None,
        period=period,
        run_id=run,
        title=title,
        verdict="missed",
        sentence="**1 of 5** objectives of `Payments` are missed.",
        squad=squad,
    )


WEEKS = [
    page("Payments", 5, "20261012T060000Z-0a1b"),
    page("Payments", 12, "20261019T061500Z-0c2d"),
]


def text(element: Element, name: str) -> str:
    (found,) = element.findall(ATOM + name)
    return found.text or ""


def test_the_newest_review_comes_first_with_its_verdict() -> None:
    root = parsed(feed("Payments", WEEKS))
    newest, oldest = root.findall(ATOM + "entry")
    assert text(newest, "title") == "Missed: Payments, 12 Oct – 19 Oct 2026"
    assert text(newest, "summary") == "1 of 5 objectives of Payments are missed."
    assert text(newest, "updated") == "2026-10-19T06:15:00Z"
    assert text(oldest, "updated") == "2026-10-12T06:00:00Z"
    (link,) = newest.findall(ATOM + "link")
    assert link.get("href") == "../2026-10-12_2026-10-19/squad_review/payments.html"


def test_it_has_what_the_standard_demands() -> None:
    # RFC 4287, 4.1.1 and 4.1.2: one id, title and updated each, and an author of the feed
    root = parsed(feed("Payments", WEEKS))
    assert root.tag == f"{ATOM}feed"
    assert text(root, "updated") == "2026-10-19T06:15:00Z"
    assert root.find(f"{ATOM}author/{ATOM}name") is not None
    ids = [text(one, "id") for one in (root, *root.findall(ATOM + "entry"))]
    assert len(set(ids)) == 3
    assert all(one.startswith("urn:fleetslo:") for one in ids)


def test_a_page_made_again_is_an_entry_made_again() -> None:
    again = page("Payments", 12, "20261020T060000Z-0e3f")
    one, other = (parsed(feed("Payments", [each])) for each in (WEEKS[1], again))
    entries = [each.find(f"{ATOM}entry/{ATOM}id") for each in (one, other)]
    assert entries[0] is not None
    assert entries[1] is not None
    assert entries[0].text != entries[1].text


def test_names_may_hold_anything() -> None:
    squad = "<img src=x onerror=alert(1)>\x00 & Söhne"
    root = parsed(feed(squad, [page(squad, 5, "20261012T060000Z-0a1b", title=squad)]))
    assert text(root, "title") == "Reliability of <img src=x onerror=alert(1)>\ufffd & Söhne"
    assert feed_path(squad).startswith("feeds/img-src-x-onerror-alert-1-")


def test_each_squad_has_one_and_pages_of_services_have_none() -> None:
    assert sorted(
        feeds([*WEEKS, page("Search", 5, "20261012T060000Z-0a1b"), page(None, 5, "x")])
    ) == [
        feed_path("Payments"),
        feed_path("Search"),
    ]
