"""Workers do what they are given, tell what went wrong, and never outlive the batch."""

import os
import signal
import threading
import time
from dataclasses import dataclass
from multiprocessing import Pipe

import pytest

from fleetslo.errors import Cancelled
from fleetslo.reports.pool import Broken, Pool, Stop, stops
from fleetslo.reports.worker import serve


@dataclass(frozen=True)
class Call:
    """A task that evaluates an expression."""

    expression: str

    def run(self, surroundings):
        return eval(self.expression, {"surroundings": surroundings})  # noqa: S307


@pytest.fixture
def importable(monkeypatch):
    """Let workers import this module, which holds the task."""
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(__file__))  # noqa: PTH120


@pytest.fixture
def pool(tmp_path, importable):
    with Pool[Call](2, tmp_path / "workers.log") as pool:
        yield pool


def run(pool, *expressions, limit_s=60.0, **more):
    tasks = [Call(expression) for expression in expressions]
    answers = pool.run(tasks, limit_s=limit_s, stop=Stop(), **more)
    return {task.expression: answer for task, answer in answers}


def test_workers_are_kept_for_many_tasks(pool):
    asked = [f"__import__('os').getpid() + 0 * {n}" for n in range(6)]
    pids = run(pool, *asked)
    assert 1 <= len(set(pids.values())) <= 2
    assert os.getpid() not in pids.values()
    assert run(pool, "1 + 1") == {"1 + 1": 2}  # a second round needs no new ones


def test_a_task_that_raises_or_dies_or_hangs_does_not_stop_the_others(pool):
    die, hang = "__import__('os')._exit(7)", "__import__('time').sleep(60)"
    began = time.monotonic()
    answers = run(pool, "1 / 0", die, "2", hang, "3", limit_s=3.0)
    assert time.monotonic() - began < 30
    assert answers["1 / 0"].says == "ZeroDivisionError: division by zero"
    assert "Traceback" in answers["1 / 0"].detail
    assert answers[die] == Broken("its worker process ended with code 7")
    assert answers[hang] == Broken("it did not end within 3 s")
    assert (answers["2"], answers["3"]) == (2, 3)


def test_a_worker_that_died_while_idle_is_replaced(pool):
    (pid,) = run(pool, "__import__('os').getpid()").values()
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.3)
    assert run(pool, "1 + 1") == {"1 + 1": 2}


def test_what_a_task_tells_reaches_the_batch_in_order(pool):
    heard = []
    tell = "[surroundings.tell('cell', n) for n in range(3)]"
    started = []
    run(
        pool, tell,
        started=lambda task: started.append(task.expression),
        told=lambda task, what, value: heard.append((what, value)),
    )  # fmt: skip
    assert heard == [("cell", 0), ("cell", 1), ("cell", 2)]
    assert started == [tell]


def test_a_stop_is_heeded_while_tasks_run(tmp_path, importable):
    stop = Stop()
    began = time.monotonic()
    with Pool[Call](1, tmp_path / "log") as pool:
        threading.Timer(0.5, lambda: setattr(stop, "asked", True)).start()
        with pytest.raises(Cancelled, match="nothing was published"):
            list(pool.run([Call("__import__('time').sleep(60)")], limit_s=60, stop=stop))
    assert time.monotonic() - began < 20


def test_signals_ask_for_a_stop_and_are_given_back():
    before = signal.getsignal(signal.SIGINT)
    for number in (signal.SIGINT, signal.SIGTERM):
        with stops() as stop:
            assert not stop.asked
            os.kill(os.getpid(), number)
            with pytest.raises(Cancelled):
                stop.check()
    assert signal.getsignal(signal.SIGINT) is before


def test_another_thread_can_run_a_batch_without_signals():
    asked = []

    def inside():
        with stops() as stop:
            asked.append(stop.asked)

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert asked == [False]


def serving(*tasks):
    """Serve tasks in a thread of this process; return what came back and the exit code."""
    ours, theirs = Pipe()
    left = []
    gone = threading.Event()

    def leave(code):
        left.append(code)
        gone.set()

    threading.Thread(target=serve, args=(theirs, leave), daemon=True).start()
    for task in tasks:
        ours.send(task)
    back = []
    while len([what for what, _ in back if what != "said"]) < len(tasks):
        back.append(ours.recv())
    return ours, back, left, gone


def test_a_worker_answers_each_task_and_stays():
    ours, back, left, _ = serving(Call("surroundings.tell('said', 1) or 5"), Call("undefined"))
    assert back[:2] == [("said", 1), ("done", 5)]
    assert back[2][0] == "broken"
    assert "NameError" in back[2][1]
    assert left == []
    ours.close()


def test_a_worker_leaves_with_its_kernel_when_the_batch_is_gone():
    # A stand-in for a kernel: a process that leads a group of its own.
    kernel = (
        "setattr(surroundings.running, 'pid', __import__('os').posix_spawnp("
        "'sleep', ['sleep', '60'], {}, setpgroup=0)) or surroundings.running.pid"
    )
    ours, back, left, gone = serving(Call(kernel))
    ours.close()
    assert gone.wait(10)
    assert left == [1]
    pid = back[-1][1]
    assert os.waitpid(pid, 0) == (pid, signal.SIGKILL)


def test_a_worker_that_cannot_read_its_task_says_why_and_leaves(capsys):
    ours, _, left, gone = serving()
    ours.send_bytes(b"no pickle")
    assert gone.wait(10)
    assert left == [1]
    assert "UnpicklingError" in capsys.readouterr().err
    ours.close()
