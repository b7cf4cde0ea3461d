"""Makes the parts of a demo fleet, several at a time, each in a process of its own."""

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fleetslo.errors import OutputError, WarehouseError
from fleetslo.warehouse.demo.catalogue import Service, sends_telemetry
from fleetslo.warehouse.demo.plan import Plan
from fleetslo.warehouse.demo.writing import write_services

if TYPE_CHECKING:
    from fleetslo.warehouse.rollups import Measure


@dataclass(frozen=True)
class Part:
    """Some of a fleet's services, with what making them needs."""

    number: int
    folder: Path
    plan: Plan
    services: tuple[Service, ...]
    measures: "tuple[Measure, ...]"

    def make(self, tell: Callable[[str], None]) -> int:
        """Write the rows of these services and return how many."""
        return write_services(
            self.folder, self.plan, self.services, self.measures, self.number, tell
        )


def parts_of(plan: Plan, folder: Path, measures: "Sequence[Measure]") -> list[Part]:
    """Return a fleet's services in parts that are about as much work, in the order of names."""
    services = [service for service in plan.services if sends_telemetry(service)]
    # What takes time is rows: one per region and endpoint, or dependency, and minute.
    work = np.cumsum([len(it.regions) * (len(it.endpoints) + len(it.edges)) for it in services])
    part_of = np.minimum((work - 1) * plan.size.groups // work[-1], plan.size.groups - 1)
    parts = []
    for number in range(plan.size.groups):
        some = tuple(it for it, part in zip(services, part_of, strict=True) if part == number)
        names = {service.name for service in some}
        needed = replace(
            plan,
            releases={name: plan.releases[name] for name in names},
            effects=tuple(effect for effect in plan.effects if effect.service in names),
            incidents=(),
            pages=(),
        )
        wanted = tuple(measure for measure in measures if names.intersection(measure.services))
        parts.append(Part(number, folder, needed, some, wanted))
    return parts


def make_parts(parts: list[Part], processes: int, tell: Callable[[str], None]) -> int:
    """Make all parts, so many at a time, and return how many rows were written.

    Processes are started afresh, never forked: Polars that was used before a fork hangs.

    Raises:
        OutputError: the folder cannot be written.
        WarehouseError: a process ended before its part was made.
    """
    if processes <= 1 or len(parts) == 1:
        return sum(part.make(tell) for part in parts)
    waiting, running, rows = list(parts), dict[Connection, BaseProcess](), 0
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                connection, process = _start(waiting.pop(0))
                running[connection] = process
            ready = wait(list(running))
            for connection in [it for it in running if it in ready]:
                said = _heard(connection)
                if isinstance(said, str):
                    tell(said)
                    continue
                process = running.pop(connection)
                process.join()
                if isinstance(said, Exception):
                    raise said
                if said is None:
                    raise WarehouseError(
                        f"a process that made part of the demo ended with {process.exitcode}; "
                        "if memory ran out, make a smaller size"
                    )
                rows += said
    finally:
        for process in running.values():
            process.terminate()
            process.join()
    return rows


def _start(part: Part) -> tuple[Connection, BaseProcess]:
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(part, theirs), daemon=True)
    process.start()
    theirs.close()
    return ours, process


def _heard(connection: Connection) -> str | int | Exception | None:
    """Return a service's name, the rows of a whole part, an error, or None from a dead process."""
    try:
        said: str | int | Exception = connection.recv()
    except EOFError:
        return None
    return said


def work(part: Part, connection: Connection) -> None:
    """Make a part and say so: names of services as they are made, then how many rows there are."""
    # Ctrl-C reaches every process of the terminal; only the first one acts on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        connection.send(part.make(connection.send))
    except OSError as error:
        connection.send(
            OutputError(
                f"{part.folder}: cannot write: {error.strerror or error}; "
                "choose a folder that can be written, or free the disk"
            )
        )
