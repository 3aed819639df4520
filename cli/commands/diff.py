# SPDX-License-Identifier: Apache-2.0
"""qnnc diff: what a pass did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import onnx_ir as ir


def diff(
    before: Annotated[Path, typer.Argument(help="An IR, as --save-ir writes it.")],
    after: Annotated[Path, typer.Argument(help="Another one.")],
    context: Annotated[int, typer.Option(min=0, help="Lines around each difference.")] = 1,
) -> None:
    """Show how two saved IRs differ, line by line, and which constants do.

    Exit code 1 if they differ.
    """
    from difflib import unified_diff

    from qnnc.compiler.errors import printable
    from qnnc.compiler.ir.saved import load_ir
    from qnnc.compiler.ir.text import model_text

    models = [load_ir(path)[0] for path in (before, after)]
    texts = [model_text(model).splitlines() for model in models]
    names = [printable(str(path)) for path in (before, after)]
    found = list(unified_diff(texts[0], texts[1], names[0], names[1], n=context, lineterm=""))
    for line in found:
        typer.echo(line)
    changed = _constants(*models)
    for name, what in changed:
        typer.echo(f"constant {printable(name)}: {what}")
    if found or changed:
        raise typer.Exit(1)


def _constants(before: ir.Model, after: ir.Model) -> list[tuple[str, str]]:
    """Constants of the same name with other contents, and how much of them is another."""
    import numpy as np

    from qnnc.compiler.ir.edit import constant

    found = []
    for name, value in before.graph.initializers.items():
        other = after.graph.initializers.get(name)
        old, new = constant(value), constant(other)
        if old is None or new is None:
            continue
        if old.shape != new.shape or old.dtype != new.dtype:
            sizes = f"{old.dtype}{list(old.shape)} became {new.dtype}{list(new.shape)}"
            found.append((name, sizes))
        elif not np.array_equal(old, new, equal_nan=old.dtype.kind == "f"):
            count = int((old != new).sum())
            found.append((name, f"{count:,} of {old.size:,} elements differ"))
    return found
