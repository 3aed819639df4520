# SPDX-License-Identifier: Apache-2.0
"""qnnc fasm2bit: the assembler on its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qnnc.cli.options import Force


def fasm2bit(
    fasm: Annotated[Path, typer.Argument(help="FASM, xz-compressed or not.")],
    prjxray_db: Annotated[
        Path,
        typer.Option(
            help="Family folder of a prjxray database, such as prjxray-db/zynq7.",
            envvar="QNNC_PRJXRAY_DB",
        ),
    ],
    out: Annotated[Path, typer.Option(help="The .bit file.")],
    part: Annotated[str, typer.Option(help="Device with package and speed grade.")] = (
        "xc7z020clg400-1"
    ),
    force: Force = False,
) -> None:
    """Assemble FASM into a bitstream and print the SHA-256 of its configuration payload.

    Example: qnnc fasm2bit top.fasm --prjxray-db prjxray-db/zynq7 --out top.bit
    """
    from qnnc.backends.bitstream.fasm import assemble_file
    from qnnc.compiler.files import refuse_existing

    refuse_existing(out, "--out", force=force)
    typer.echo(assemble_file(fasm, part, prjxray_db, out))
