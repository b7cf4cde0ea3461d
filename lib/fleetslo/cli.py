"""The command line: parses arguments, shows answers, turns errors into exit codes."""

import signal
import sys
from typing import Annotated

import typer

from fleetslo import __version__
from fleetslo.commands import (
    data,
    objectives,
    project,
    reports,
    runs,
    scheduling,
    site,
    telling,
    warehouse,
)
from fleetslo.commands.screen import complain
from fleetslo.errors import Cancelled, FleetsloError, OutputError, UsageError

app = typer.Typer(
    name="fleetslo",
    help="Reliability analytics for a fleet of services: is it reliable, what makes it slow, "
    "which deployment hurt it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(warehouse.app, name="warehouse")
app.add_typer(objectives.app, name="objectives")
app.add_typer(site.app, name="site")
app.add_typer(runs.app, name="runs")
for module in (project, data, reports, scheduling, telling):
    module.register(app)


def _version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"fleetslo {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=lambda wanted: _version(wanted=wanted),
            is_eager=True,
            help="Show the version.",
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the whole stack trace of an error.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; every error becomes one clear message."""
    debug = "--debug" in arguments
    command = typer.main.get_command(app)
    # A flag such as --debug may stand anywhere; the command itself only knows it up front.
    words = [word for word in arguments if word != "--debug"]
    try:
        result = command.main(args=words, prog_name="fleetslo", standalone_mode=False)
    except FleetsloError as error:
        if debug:
            raise
        complain(str(error))
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        if debug:
            raise
        complain("stopped; nothing was published")
        return Cancelled.exit_code
    except typer._click.exceptions.ClickException as error:
        complain(f"{error.format_message()} See 'fleetslo --help'.")
        return UsageError.exit_code
    except BrokenPipeError:
        return 0
    except OSError as error:
        if debug:
            raise
        complain(f"{error.filename or 'a file'}: {error.strerror or error}")
        return OutputError.exit_code
    except Exception as error:
        if debug:
            raise
        complain(
            f"a fault in fleetslo itself: {type(error).__name__}: {error}; "
            "'--debug' shows where, please report it"
        )
        return FleetsloError.exit_code
    return result if isinstance(result, int) else 0


def main() -> None:
    """Run the command that the user typed."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(run(sys.argv[1:]))
