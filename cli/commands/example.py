# SPDX-License-Identifier: Apache-2.0
"""qnnc example: a network to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

COMMAND = (
    "qnnc build {folder}/tfc_w2a2.onnx --board Pynq-Z1 --input-type uint8 --input-scale 1/255 "
    "--top-k 1 --fps 100000 --samples {folder}/samples.npy --labels {folder}/labels.npy "
    "--out build/tfc"
)


def example(
    name: Annotated[str, typer.Argument(help="Which: tfc, a classifier of digits.")] = "tfc",
    out: Annotated[Path | None, typer.Option(help="Folder for it; by default its name.")] = None,
) -> None:
    """Copy an example network with samples and labels, and say how to build it."""
    import shlex
    from importlib.resources import as_file, files

    from qnnc.compiler.files import new_folder, write_bytes

    root = files("qnnc.cli") / "examples"
    known = sorted(folder.name for folder in root.iterdir() if folder.is_dir())
    folder = out or Path(name)
    _check(name, known, folder)
    with as_file(root / name) as source, new_folder(folder) as target:
        for file in sorted(source.iterdir()):
            write_bytes(target / file.name, file.read_bytes())
    typer.echo(f"{folder}: a network, samples, labels. Build it with\n")
    typer.echo("    " + COMMAND.format(folder=shlex.quote(str(folder))))


def _check(name: str, known: list[str], folder: Path) -> None:
    from qnnc.compiler.errors import OptionError, WorkspaceError
    from qnnc.compiler.plugins import close_matches

    if name not in known:
        raise OptionError(
            f"unknown example {name!r}{close_matches(name, known)} (known: {', '.join(known)})"
        )
    if folder.exists():
        raise WorkspaceError(f"{folder} is there already; choose another --out")
