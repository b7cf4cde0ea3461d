"""The language of fleetslo/for."""

import pytest

from fleetslo.errors import ObjectiveError
from fleetslo.reliability.openslo.conditions import FIELDS, parse_condition

CHECKOUT = {
    "service": "checkout",
    "squad": "Payments",
    "system": "payments",
    "tier": 1,
    "language": "java",
    "framework": None,
    "lifecycle": "production",
    "oncall_timezone": "Europe/Stockholm",
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("tier in (1, 2), lifecycle = production", True),
        ("tier in (1,2),lifecycle=production", True),
        ("tier = 1", True),
        ("tier != 1", False),
        ("tier in (2)", False),
        ("tier not in (2, 3)", True),
        ("tier not in (1)", False),
        ("tier = 1, tier = 2", False),
        ("squad = Payments", True),
        ("squad = payments", False),
        ('squad in ("Artist Tools", "Payments")', True),
        ("squad = 'Payments'", True),
        ("oncall_timezone = Europe/Stockholm", True),
        ("service = checkout, language != go", True),
        # A field without a value equals nothing.
        ("framework = apollo", False),
        ("framework != apollo", True),
        ("framework in (apollo)", False),
        ("framework not in (apollo)", True),
        ("  tier  =  1  ", True),
    ],
)
def test_conditions_hold_or_not(text, holds):
    condition = parse_condition(text)
    assert condition.holds(CHECKOUT) is holds
    assert str(condition) == text.strip()


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_of_services_can_be_asked(field):
    assert parse_condition(f"{field} in (1, 4)").clauses[0].field == field


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at its end the condition needs a field"),
        ("   ", "at its end the condition needs a field"),
        ("teir = 1", r"no field 'teir'. Did you mean 'tier'\? There are service, squad"),
        ("valid_from = 2026", "no field 'valid_from'"),
        ("tier", "at its end the condition needs =, !=, in or not in after tier"),
        ("tier == 1", "at '= 1' the condition needs a value of tier"),
        ("tier < 2", "at '< 2' the condition needs =, !=, in or not in after tier"),
        ("tier =", "at its end the condition needs a value of tier"),
        ("tier = gold", "a tier from 1 \\(most critical\\) to 4, not 'gold'"),
        ("tier in (1, 5)", "not '5'"),
        ("tier in 1", "at '1' the condition needs \\( after in"),
        ("tier in ()", "at '\\)' the condition needs a value of tier"),
        ("tier in (1,)", "at '\\)' the condition needs a value of tier"),
        ("tier in (1 2)", "at '2\\)' the condition needs a comma or \\)"),
        ("tier in (1", "at its end the condition needs a comma or \\)"),
        ("tier not (1)", "at '\\(1\\)' the condition needs in after not"),
        ("tier = 1,", "at its end the condition needs a field"),
        ("tier = 1 lifecycle = production", "the condition needs a comma, or its end"),
        ("tier = 1 and lifecycle = production", "at 'and lifecycle = production'"),
        ("squad = Artist Tools", "at 'Tools' the condition needs a comma, or its end"),
        ('squad = "Artist', "at '\"Artist' the condition needs a value of squad"),
        ('"tier" = 1', "needs a field of the table services"),
    ],
)
def test_what_is_no_condition_is_refused_with_its_place(text, message):
    with pytest.raises(ObjectiveError, match=message):
        parse_condition(text)
