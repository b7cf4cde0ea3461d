"""Any text becomes the name of a file that no other text has."""

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetslo.reports.slugs import page_path, slug

_SAFE = re.compile(r"[a-z0-9][a-z0-9._-]*")


@pytest.mark.parametrize("name", ["checkout", "payments.api", "cart-2", "a_b", "x" * 60])
def test_a_plain_name_is_its_own_slug(name):
    assert slug(name) == name


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("DynamoDB_AWS::DynamoDB", "dynamodb-aws-dynamodb"),
        ("<script>alert(1)</script>/../x", "script-alert-1-script-x"),
        ("../../etc/passwd", "etc-passwd"),
        ("Zahlung für Ärzte", "zahlung-fur-arzte"),
        ("支払い", "name"),
        ("", "name"),
        ("...", "name"),
        ("index", "index"),
        ("con", "con"),
        ("aux.txt", "aux-txt"),
        ("x" * 61, "x" * 40),
        ("checkout-0a1b2c3d", "checkout-0a1b2c3d"),
        ("lone \ud800 surrogate", "lone-surrogate"),
    ],
)
def test_any_other_name_is_cleaned_and_hashed(name, cleaned):
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    assert slug(name) == f"{cleaned}-{digest}"


def test_names_that_differ_in_case_or_punctuation_have_files_of_their_own():
    names = ["checkout", "Checkout", "CHECKOUT", "check.out", "check-out", "check out", "check/out"]
    assert len({slug(name).lower() for name in names}) == len(names)


def test_nobody_can_be_named_into_the_file_of_another():
    assert slug(slug("Checkout")) != slug("Checkout")


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_slug_is_safe_short_and_unique(first, second):
    one = slug(first)
    assert _SAFE.fullmatch(one)
    assert len(one) <= 60
    assert ".." not in one
    assert one == slug(first)
    if first != second:
        assert one != slug(second)


def test_a_page_lies_under_its_period():
    period = "2026-10-04_2026-11-01"
    assert page_path("fleet_overview", period) == f"{period}/fleet_overview.html"
    assert page_path("service_slo/checkout", period) == f"{period}/service_slo/checkout.html"
    hostile = page_path("service_slo/<script>alert(1)</script>/../x", period)
    assert re.fullmatch(
        rf"{period}/service_slo/script-alert-1-script-x-[0-9a-f]{{8}}\.html", hostile
    )
