"""Which releases go, by count, age and grace."""

from datetime import UTC, datetime, timedelta

import pytest

from fleetslo.reports.publishing.retention import Kept, expired

DAY = timedelta(days=1)
NOW = datetime(2026, 11, 24, tzinfo=UTC)
# One release a week; the newest is of today, the oldest of five weeks ago.
WEEKLY = [Kept(f"run-{weeks}", NOW - weeks * 7 * DAY) for weeks in (5, 4, 3, 2, 1, 0)]
WEEKLY = [
    Kept(f"{5 - place}-{one.name}", one.made_at) for place, one in enumerate(reversed(WEEKLY))
]
NAMES = sorted(one.name for one in WEEKLY)
SHOWN = {NAMES[-1]}


@pytest.mark.parametrize(
    ("keep", "days", "gone"),
    [
        (5, None, 0),
        (3, None, 2),  # five besides the one that is shown
        (0, None, 5),
        (0, 20, 3),  # 35, 28 and 21 days old
        (4, 20, 1),
        (0, 21, 2),  # not older than that, but as old
        (9, 1, 0),
    ],
)
def test_count_and_age_both_have_to_be_over(keep: int, days: int | None, gone: int) -> None:
    older_than = None if days is None else days * DAY
    found = expired(WEEKLY, SHOWN, keep=keep, older_than=older_than, now=NOW)
    assert found == NAMES[:gone]


def test_what_is_shown_stays_however_old() -> None:
    assert expired(WEEKLY, {NAMES[0]}, keep=0, now=NOW) == NAMES[1:]
    assert expired(WEEKLY, set(NAMES), keep=0, now=NOW) == []
    assert expired([], set(), keep=0, now=NOW) == []


def test_a_release_outlives_the_next_one_by_the_grace() -> None:
    # The next one after NAMES[3] is NAMES[4], a week old; after NAMES[4], that of today.
    gone = expired(WEEKLY, SHOWN, keep=0, now=NOW, grace=DAY)
    assert gone == NAMES[:4]
    assert expired(WEEKLY, SHOWN, keep=0, now=NOW, grace=7 * DAY) == NAMES[:3]
    # The newest, not shown: nothing has come after it.
    assert NAMES[-1] not in expired(WEEKLY, {NAMES[0]}, keep=0, now=NOW, grace=DAY)
