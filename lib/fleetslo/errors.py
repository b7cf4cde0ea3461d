"""Every error that fleetslo raises on purpose.

::

    FleetsloError                 1   anything below
    ├── UsageError                2   a command or call was written wrongly
    ├── SettingsError             3   fleetslo.toml, a variable or a flag is wrong
    ├── WarehouseError           10   stored data cannot be used
    │   ├── WarehouseMissing     11   there is none at this address
    │   ├── WarehouseEmpty       12   it is there and holds nothing yet
    │   ├── DataFileError        13   a file cannot be read
    │   ├── ContractError        14   data breaks the contract of its table or query
    │   ├── CheckFailed          15   `warehouse check` found failures
    │   └── MigrationNeeded      16   the folder was written by another version
    ├── UnknownName              20   a name that nothing answers to
    │   ├── UnknownService       21
    │   ├── UnknownQuery         22
    │   ├── UnknownNotebook      23
    │   ├── UnknownParameter     24
    │   ├── UnknownTable         25
    │   └── UnknownSquad         27
    ├── ParameterError           26   a parameter has the wrong type or value
    ├── PeriodError              30   a period cannot be read, or reaches past the data
    │   └── NoData               31   nothing was recorded in it
    ├── ObjectiveError           40   an objective document is wrong
    ├── NotebookError            50   a notebook breaks the rules of notebooks
    │   └── NotebookFailed       51   a cell raised, or the run was cut short
    ├── OutputError              60   a result cannot be written
    ├── BatchUnderWay            61   another batch of this home folder runs
    └── Cancelled               130   stopped by the user

The number is the exit code of the command. A message says what is wrong, which value, and
what to do about it; it is one line unless it lists several faults.
"""

from typing import ClassVar


class FleetsloError(Exception):
    """Base of every error raised on purpose; ``exit_code`` is the command's exit code."""

    exit_code: ClassVar[int] = 1


class UsageError(FleetsloError):
    """A command or a call was written wrongly."""

    exit_code = 2


class SettingsError(FleetsloError):
    """A setting in ``fleetslo.toml``, a ``FLEETSLO_*`` variable or a flag is wrong."""

    exit_code = 3


class WarehouseError(FleetsloError):
    """Stored data cannot be used."""

    exit_code = 10


class WarehouseMissing(WarehouseError):
    """There is no warehouse at the address that the settings name."""

    exit_code = 11


class WarehouseEmpty(WarehouseError):
    """The warehouse exists and holds no data yet."""

    exit_code = 12


class DataFileError(WarehouseError):
    """A data file is cut short, damaged or of an unknown kind."""

    exit_code = 13


class ContractError(WarehouseError):
    """Data breaks the contract of its table or query."""

    exit_code = 14


class CheckFailed(WarehouseError):
    """``warehouse check`` found at least one failure."""

    exit_code = 15


class MigrationNeeded(WarehouseError):
    """The warehouse was written by another version of the contracts."""

    exit_code = 16


class UnknownName(FleetsloError):
    """A name that nothing answers to."""

    exit_code = 20


class UnknownService(UnknownName):
    """No such service in the catalogue or in the data."""

    exit_code = 21


class UnknownQuery(UnknownName):
    """No such query under ``queries/``."""

    exit_code = 22


class UnknownNotebook(UnknownName):
    """No such notebook under ``notebooks/``."""

    exit_code = 23


class UnknownParameter(UnknownName):
    """The notebook or query has no such parameter."""

    exit_code = 24


class UnknownTable(UnknownName):
    """No contract describes such a table."""

    exit_code = 25


class UnknownSquad(UnknownName):
    """No service of the period belongs to such a squad."""

    exit_code = 27


class ParameterError(FleetsloError):
    """A parameter has the wrong type, or a value that it cannot have."""

    exit_code = 26


class PeriodError(FleetsloError):
    """A period cannot be read, is empty, or reaches past the data."""

    exit_code = 30


class NoData(PeriodError):
    """Nothing was recorded in the period."""

    exit_code = 31


class ObjectiveError(FleetsloError):
    """An objective document is wrong; the message names file, field, value and rule."""

    exit_code = 40


class NotebookError(FleetsloError):
    """A notebook cannot be run as it is written."""

    exit_code = 50


class NotebookFailed(NotebookError):
    """A cell of a notebook raised, or its run was cut short."""

    exit_code = 51


class OutputError(FleetsloError):
    """A result cannot be written where it should go."""

    exit_code = 60


class BatchUnderWay(FleetsloError):
    """Another batch of the same home folder runs."""

    exit_code = 61


class Cancelled(FleetsloError):
    """The user stopped the command; nothing was published."""

    exit_code = 130


def nearest(name: str, known: list[str]) -> str:
    """Return " Did you mean 'x'?" for a misspelt name, or "" when nothing is close."""
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=1, cutoff=0.6)
    return f" Did you mean {close[0]!r}?" if close else ""
