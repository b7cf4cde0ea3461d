from fleetslo.charts import theme


def test_a_point_between_two_gaps_is_marked() -> None:
    shown = theme.lone_points([1.0, None, 2.0, None, 3.0, 4.0, float("nan"), 5.0])
    assert shown["mode"] == "lines+markers"
    assert [size > 0 for size in shown["marker"]["size"]] == [
        True, False, True, False, False, False, False, True,
    ]  # fmt: skip


def test_a_whole_line_needs_no_marks() -> None:
    assert theme.lone_points([1.0, 2.0, None, 3.0, 4.0]) == {"mode": "lines"}
