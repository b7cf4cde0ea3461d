"""A daemon left running for minutes, killed, stopped, hung up and watched all the while.

``python tests/faults/soaking.py FOLDER MINUTES`` soaks one by hand and shows what was seen; the
folder is new, and is kept.
"""

import os
import re
import signal
import sys
import time
from calendar import timegm
from collections import Counter
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path

import psutil
from daemon_project import DaemonProject
from fault_project import wait_for

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.listening import Hook, listening

SCHEDULE = """\
reports:
- {{notebook: reports/one, page: one, cron: '{cron}', zone: Europe/Berlin, period: 2026-10}}
- {{notebook: reports/fleet_overview, page: fleet, cron: '{cron}', zone: UTC, period: 2026-10}}
"""
MORE = "- {{notebook: reports/one, page: two, cron: '{cron}', zone: Asia/Tokyo, period: 2026-09}}\n"
RECIPIENTS = 'recipients:\n  everyone: {fleet: true, webhook: "${NEWS}"}\n'
# After these shares of the time, in this order.
EVENTS = ((0.2, "kill"), (0.35, "hang up"), (0.5, "kill"), (0.6, "break"), (0.75, "terminate"))


@dataclass(frozen=True)
class Sample:
    """What the daemon held at one time; bytes, but for counts. ``daemon`` counts its starts."""

    second: float
    daemon: int
    rss: int
    fds: int
    threads: int
    home: int
    files: int
    runs: int
    told: int
    executed: int
    releases: int


class Soak:
    """One daemon of a project, its samples, and what is done to it."""

    def __init__(self, project: DaemonProject, hook: Hook, cron: str) -> None:
        self.project = project
        self.hook = hook
        self.samples: list[Sample] = []
        self.starts = 0
        self.cron = cron
        project.schedule(SCHEDULE.format(cron=cron))
        (project.folder / "notebooks" / "recipients.yaml").write_text(RECIPIENTS)
        os.environ["NEWS"] = f"http://127.0.0.1:{hook.server_port}/"
        self.change(0)

    def change(self, step: int) -> None:
        """Let the page ``one`` be another from now on, so that there is something to make."""
        self.project.report(f"period  # {step}")

    def start(self) -> None:
        """Start the daemon, and wait until it follows the schedule."""
        self.starts += 1
        self.daemon = self.project.daemon("--missed", "all", "--metrics", "0")
        wait_for(lambda: self.project.said().count("follows the schedule") == self.starts)

    def sample(self, second: float) -> None:
        """Look at the daemon and its home."""
        home = self.project.home
        seen = psutil.Process(self.daemon.pid)
        paths = [path for path in home.rglob("*") if path.is_file() and not path.is_symlink()]
        sizes = {one.st_ino: one.st_size for one in map(_stat, paths) if one}
        self.samples.append(
            Sample(
                round(second),
                self.starts,
                seen.memory_info().rss,
                seen.num_fds(),
                seen.num_threads(),
                sum(sizes.values()),
                len(paths),
                *(
                    sum(1 for one in (home / name).glob("*") if one.name[0] != ".")
                    for name in ("runs", "told", "executed", "site/releases")
                ),
            )
        )

    def do(self, event: str) -> None:
        """Kill, stop or hang up the daemon, and start it again."""
        project = self.project
        if event == "kill":
            begun, wanted = project.said().count(": begins"), self.starts == 1
            # The first time in the middle of a batch.
            wait_for(lambda: not wanted or project.said().count(": begins") > begun, 70)
            self.daemon.kill()
            self.daemon.wait()
            self.start()
        elif event == "terminate":
            self.daemon.terminate()
            assert self.daemon.wait(120) == 0
            self.start()
        else:
            known = SCHEDULE.format(cron=self.cron) + MORE.format(cron=self.cron)
            project.schedule(known if event == "hang up" else "reports: [")
            self.daemon.send_signal(signal.SIGHUP)
            said = "is read again: 3" if event == "hang up" else "stays as it was"
            wait_for(lambda: said in project.said())
            project.schedule(known)  # a daemon that starts anew needs one that is right

    def run(self, seconds: float, *, every_s: float = 10.0) -> None:
        """Soak the daemon for so long."""
        self.start()
        began = time.monotonic()
        todo = list(EVENTS)
        for step in range(1, int(seconds / every_s) + 1):
            time.sleep(max(0.0, began + step * every_s - time.monotonic()))
            if step % 3 == 0:
                self.change(step)
            self.sample(time.monotonic() - began)
            if todo and step * every_s >= todo[0][0] * seconds:
                self.do(todo.pop(0)[1])
        self.daemon.terminate()
        assert self.daemon.wait(120) == 0

    def begun(self) -> Counter[str]:
        """Return how often each group was begun at each of its times."""
        return Counter(re.findall(r"^(.* of .*): begins", self.project.said(), re.M))

    def well(self) -> Counter[str]:
        """Return how often it ended well."""
        return Counter(re.findall(r"^(.* of .*): ok$", self.project.said(), re.M))

    def times(self) -> dict[str, list[int]]:
        """Return the seconds of each group's times that ended well, of the epoch, in order."""
        found: dict[str, list[int]] = {}
        for text in self.well():
            names, _, at = text.removeprefix("fleetslo: ").rpartition(" of ")
            stamp, zone = at.rsplit(" ", 1)
            ahead_h = {"UTC": 0, "CET": 1, "CEST": 2, "JST": 9}[zone]
            second = timegm(time.strptime(stamp, "%Y-%m-%d %H:%M:%S")) - ahead_h * 3600
            found.setdefault(names, []).append(second)
        return {names: sorted(seconds) for names, seconds in found.items()}


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def main() -> None:
    """Soak a daemon over a new tiny demo fleet, and show what was seen."""
    from fleetslo.measuring import make_demo
    from fleetslo.settings import load_settings

    folder, minutes = Path(sys.argv[1]), float(sys.argv[2])
    folder.mkdir()
    make_demo(load_settings({}, {"FLEETSLO_HOME": str(folder / "demo")}).settings, "tiny", 1)
    with listening() as hook:
        soak = Soak(DaemonProject(folder, f"duckdb://{folder}/demo/warehouse"), hook, "* * * * *")
        soak.run(minutes * 60)
    print(*(one.name for one in fields(Sample)), sep="\t")
    for sample in soak.samples:
        print(*vars(sample).values(), sep="\t")
    print("begun more than once:", {key: n for key, n in soak.begun().items() if n > 1})
    print("ended well more than once:", {key: n for key, n in soak.well().items() if n > 1})
    for names, seconds in soak.times().items():
        gaps = Counter(later - earlier for earlier, later in pairwise(seconds))
        print(f"{names}: {len(seconds)} times, seconds between them: {dict(gaps)}")
    print("messages:", len(hook.posted))


if __name__ == "__main__":
    main()
