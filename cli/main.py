# SPDX-License-Identifier: Apache-2.0
"""Entry point: the commands, and how every error ends."""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import Annotated, Any

import typer

from qnnc.cli.commands.bisect import bisect
from qnnc.cli.commands.boards import boards
from qnnc.cli.commands.build import build
from qnnc.cli.commands.compare import compare
from qnnc.cli.commands.deploy import deploy
from qnnc.cli.commands.diff import diff
from qnnc.cli.commands.doctor import doctor
from qnnc.cli.commands.emulate import emulate
from qnnc.cli.commands.example import example
from qnnc.cli.commands.explore import explore
from qnnc.cli.commands.export import export
from qnnc.cli.commands.fasm2bit import fasm2bit
from qnnc.cli.commands.import_finn import import_finn
from qnnc.cli.commands.opt import opt
from qnnc.cli.commands.passes import passes
from qnnc.cli.commands.prove import prove
from qnnc.cli.commands.quantize import quantize
from qnnc.cli.commands.schema import schema
from qnnc.cli.commands.shape import shape
from qnnc.cli.commands.simulate import simulate
from qnnc.cli.commands.sweep import sweep
from qnnc.cli.commands.update import update
from qnnc.cli.commands.verify import verify
from qnnc.cli.commands.why import why

# in click or, since typer brings its own, in typer
WRONG_ARGUMENTS: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")

app = typer.Typer(
    name="qnnc",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    rich_markup_mode=None,  # plain help: rich would take longer than all the rest
    help="Compile quantized neural networks (QONNX) into verified accelerators for Zynq boards.",
    epilog="Start with: qnnc example tfc, or qnnc build model.onnx --board Pynq-Z1 --out build",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from qnnc import __version__

        typer.echo(f"qnnc {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Options before the command."""


COMMANDS = (
    example,
    build,
    quantize,
    verify,
    emulate,
    simulate,
    opt,
    passes,
    diff,
    bisect,
    why,
    compare,
    sweep,
    export,
    deploy,
    explore,
    boards,
    doctor,
    schema,
    fasm2bit,
    prove,
    shape,
    update,
)


def _help(command: Callable[..., Any]) -> str:
    """What a command's docstring says to users: all but the errors that it raises."""
    return (inspect.getdoc(command) or "").partition("\n\nRaises:")[0]


for command in COMMANDS:
    app.command(help=_help(command))(command)
app.command(name="import-finn", help=_help(import_finn))(import_finn)


def main() -> None:
    """Run the command line: exit code 0, 2 for errors a user can fix, 1 for bugs."""
    from qnnc.compiler.errors import QnncError, printable

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # no character ends the program
            stream.reconfigure(errors="backslashreplace")
    # onnx_ir warns of broken graphs, which qnnc refuses with a message of its own
    logging.getLogger("onnx_ir").addHandler(logging.NullHandler())
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        code = app(args=arguments, prog_name="qnnc", standalone_mode=False)
        if isinstance(code, int) and code:
            sys.exit(code)
    except WRONG_ARGUMENTS as error:
        if not arguments:
            error.show()  # the help
        else:
            _complain(printable(" ".join(error.format_message().split())))
        sys.exit(2)
    except typer.Abort:
        sys.exit(1)
    except QnncError as error:
        if debug:
            raise
        _complain(str(error))
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(1)
    except (OSError, MemoryError) as error:
        if debug:
            raise
        where = getattr(error, "filename", None)
        reason = getattr(error, "strerror", None) or str(error) or "out of memory"
        _complain(f"{where}: {reason}" if where else reason)
        sys.exit(2)
    except Exception as error:
        if debug:
            raise
        _complain(
            f"internal error: {type(error).__name__}: {' '.join(str(error).split())} "
            "(please report it with the output of the same command with --debug)"
        )
        sys.exit(1)


def _complain(text: str) -> None:
    print(f"qnnc: {text}", file=sys.stderr)
