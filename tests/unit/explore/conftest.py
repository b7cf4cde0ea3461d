"""A fleet made by hand, whole for each test."""

import pytest
from tests.hand_fleet import PERIOD, Fleet

from fleetslo.periods import Period


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@pytest.fixture
def period() -> Period:
    return PERIOD
