"""Fixtures of the fault tests."""

import pytest
from fault_project import Project


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)
