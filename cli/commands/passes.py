# SPDX-License-Identifier: Apache-2.0
"""qnnc passes: what a pipeline can consist of."""

from __future__ import annotations

from typing import Annotated

import typer

from qnnc.cli.options import Json


def passes(
    names: Annotated[list[str] | None, typer.Argument(help="Only these passes.")] = None,
    json: Json = False,
) -> None:
    """List the passes with what they do and their options, and the standard pipeline."""
    import inspect
    from pathlib import Path

    from qnnc.compiler.building.optimize import standard_passes
    from qnnc.compiler.building.options import BuildOptions
    from qnnc.compiler.passes.registry import find_pass, pass_names, pass_options
    from qnnc.compiler.passes.text import pipeline_text

    kinds = [find_pass(name) for name in names or pass_names()]
    if json:
        import json as library

        plain = [
            {
                "name": kind.name,
                "doc": inspect.getdoc(kind) or "",
                "options": [
                    {"name": o.name, "type": o.kind.__name__, "default": o.default}
                    for o in pass_options(kind)
                ],
            }
            for kind in kinds
        ]
        typer.echo(library.dumps(plain, indent=2))
        return
    for kind in kinds:
        about = f":\n{inspect.getdoc(kind) or ''}\n" if names else f": {kind.summary()}"
        typer.echo(f"{kind.name}{about}")
        for option in pass_options(kind):
            typer.echo(f"    {option.name}: {option.kind.__name__} = {option.default!r}")
    if not names:
        options = BuildOptions(model="", out=Path("."))
        typer.echo(f"\nstandard pipeline: {pipeline_text(standard_passes(options))}")
