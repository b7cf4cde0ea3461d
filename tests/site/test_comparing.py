"""What holds two sites against each other."""

import base64
from pathlib import Path

import numpy as np
from tests.site.comparing import fields_of, page_differences, site_differences

PAGE = (
    "<h1 class='met'>checkout met 99.95 %</h1><p>of <b>1,200</b> requests</p>"
    '<script type="application/json">{"y": [1.5, 2.0], "title": "x"}</script>'
)


def packed(*values: float) -> str:
    text = base64.b64encode(np.array(values, dtype="f8").tobytes()).decode()
    return f'<script type="application/json">{{"y": {{"dtype": "f8", "bdata": "{text}"}}}}</script>'


class TestPages:
    def test_a_page_is_the_same_as_itself(self) -> None:
        assert page_differences(PAGE, PAGE) == []
        # class, four texts, two types of one script, two numbers and a title
        assert fields_of(PAGE) == 1 + 4 + 1 + 3

    def test_a_word_an_attribute_and_a_number_are_each_told(self) -> None:
        assert page_differences(PAGE, PAGE.replace("1,200", "1,201")) == [
            "<b>: '1,200' here, '1,201' there"
        ]
        assert page_differences(PAGE, PAGE.replace("'met'", "'missed'")) == [
            "<h1 class>: 'met' here, 'missed' there"
        ]
        assert page_differences(PAGE, PAGE.replace("2.0", "2.1")) == [
            "<script>.y[1]: 2.0 here, 2.1 there"
        ]

    def test_numbers_that_plotly_packed_are_compared_as_numbers(self) -> None:
        assert page_differences(packed(0.1 + 0.2), packed(0.3)) == []
        assert page_differences(packed(0.31), packed(0.3)) == [
            "<script>.y[0]: 0.31 here, 0.3 there"
        ]

    def test_what_is_missing_is_told(self) -> None:
        assert page_differences("<p>a</p><p>b</p>", "<p>a</p>") == ["<p>: 'b' here, None there"]

    def test_an_address_may_have_two_names(self) -> None:
        assert page_differences("<p>a://1</p>", "<p>b://2</p>", {"b://2": "a://1"}) == []


class TestSites:
    def test_a_page_that_one_site_lacks_is_told(self, tmp_path: Path) -> None:
        for site, names in (("one", ("index", "extra")), ("other", ("index",))):
            (tmp_path / site).mkdir()
            for name in names:
                (tmp_path / site / f"{name}.html").write_text(PAGE, encoding="utf-8")
        found = site_differences(tmp_path / "one", tmp_path / "other")
        assert found == [f"extra.html: only in {tmp_path / 'one'}"]
