"""A daemon that is left alone for three minutes, but for being killed, stopped and hung up."""

from itertools import pairwise
from statistics import median

import psutil
import pytest
from daemon_project import DaemonProject
from soaking import EVENTS, Sample, Soak
from tests.listening import listening

SECONDS, CRON, APART_S = 180, "*/20 * * * * *", 20


@pytest.mark.long
@pytest.mark.timeout(580)
@pytest.mark.xdist_group("runs-notebooks")
def test_a_daemon_forgets_nothing_repeats_nothing_and_stays_small(tmp_path, tiny_home):
    with listening() as hook:
        project = DaemonProject(tmp_path, f"duckdb://{tiny_home}/warehouse")
        soak = Soak(project, hook, CRON)
        try:
            soak.run(SECONDS)
            told = len(hook.posted)
        finally:
            project.end()
    assert soak.starts == 1 + sum(event in ("kill", "terminate") for _, event in EVENTS)
    # Every time of each group ended well once, and none was left out in between.
    assert max(soak.well().values()) == 1
    times = soak.times()
    assert set(times) == {"one", "fleet", "two"}
    for seconds in times.values():
        assert {later - earlier for earlier, later in pairwise(seconds)} <= {APART_S}
    assert max(map(len, times.values())) >= 4
    # Each batch that made a page was told of once, and of none it is still to be told.
    assert told == project.said().count("told by webhook\n") > 2
    assert project.untold() == []
    bounded(soak.samples)
    # Nothing is left lying about.
    home = project.home
    assert [path.name for path in home.rglob("*.part")] == []
    assert [path for path in (home / "extracts").iterdir() if path.name[0] != "."] == []
    assert list(project.scratch.iterdir()) == []
    assert not [one for one in psutil.process_iter(["cwd"]) if one.info["cwd"] == str(tmp_path)]


def bounded(samples: list[Sample]) -> None:
    """Hold memory, descriptors, threads and what a site keeps to bounds that time does not move."""
    assert max(one.rss for one in samples) < 200 * 1024**2
    assert max(one.fds for one in samples) < 20
    assert max(one.threads for one in samples) < 20
    third = len(samples) // 3
    before, after = (
        median(one.rss for one in part) for part in (samples[:third], samples[-third:])
    )
    assert after - before < 10 * 1024**2
    assert max(one.releases for one in samples) <= 1 + 3 + 1  # shown, kept, and one being built
    # Retention takes runs away later; until then one of these small ones is no more than this.
    runs = samples[-1].runs - samples[third].runs
    assert samples[-1].home - samples[third].home < max(runs, 1) * 256 * 1024 + 8 * 1024**2
