"""A page is looked over before readers may see it."""

import pytest

from fleetslo.reports.check import check_page

PAGE = """<!doctype html>
<html lang="en"><head><title>A page</title>{head}</head>
<body><main id="main">{body}</main></body></html>
"""
PATH = "2026-10-04_2026-11-01/service_slo/checkout.html"


def look(body="", head="", page=PAGE):
    return check_page(page.format(head=head, body=body), PATH)


def test_a_good_page_has_no_problem_and_says_what_it_needs():
    checked = look(
        head='<link rel="stylesheet" href="../../assets/style-1.css"><style>a{color:#111}</style>',
        body=(
            '<a href="#main">down</a><a href="cart.html#top">cart</a>'
            '<a href="../fleet_overview.html?x=1">up</a><a href="../../index.html">home</a>'
            '<a href="https://example.org/">other</a><a href="mailto:a@b.c">mail</a>'
            '<img src="data:image/png;base64,AA=="><p>an unclosed paragraph'
            '<script type="application/json">{"text": "<main><a href=/gone>"}</script>'
            "<svg><title>tick</title></svg>"
        ),
    )
    assert checked.problems == []
    assert checked.needs == {
        "assets/style-1.css",
        "index.html",
        "2026-10-04_2026-11-01/fleet_overview.html",
        "2026-10-04_2026-11-01/service_slo/cart.html",
    }


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('<script src="https://cdn.example/p.js"></script>', "asks another host: https://cdn"),
        ('<img src="//cdn.example/p.png">', "asks another host: //cdn"),
        ('<iframe src="http://a.example"></iframe>', "asks another host"),
        ('<p style="background: url(https://a.example/x.png)">', "asks another host"),
        ('<style>@import "https://a.example/x.css";</style>', "asks another host"),
        ('<a href="javascript:alert(1)">x</a>', "a link that is no page: javascript:alert"),
        ('<a href="file:///etc/passwd">x</a>', "a link that is no page: file:"),
        ('<a href="/fleet.html">x</a>', "leads out of the site: /fleet.html"),
        ('<a href="../../../etc/passwd">x</a>', "leads out of the site: ../../../etc"),
        ('<a href="%2e%2e/%2e%2e/%2e%2e/x">x</a>', "leads out of the site"),
        ('<a href="#nowhere">x</a>', "a dead link: #nowhere"),
        ('<a href="http://[">x</a>', "is no address"),
        ("<section><table></section>", "<table> is not closed"),
        ("</figure>", "</figure> closes nothing"),
        ("<script>while", "<script> is not closed"),
    ],
)
def test_what_no_page_may_have(body, says):
    assert any(says in problem for problem in look(body).problems)


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("<html><head><title>x</title></head></html>", "no document type"),
        ("<!doctype html><html><head><title> </title></head></html>", "no title"),
        ("<!doctype html><html><head><title>x</title></head><body>", "cut short"),
        ("", "no document type"),
    ],
)
def test_a_page_must_be_whole(page, says):
    assert any(says in problem for problem in check_page(page, PATH).problems)
