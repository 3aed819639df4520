# SPDX-License-Identifier: Apache-2.0
"""qnnc why: where every node of a model went."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qnnc.cli.options import Frontend, HostLayers, InputName, InputScale, InputType, Json, TopK


def why(
    model: Annotated[str, typer.Argument(help="A network, or the folder of a build.")],
    input_type: InputType = "",
    input_scale: InputScale = "1",
    input_name: InputName = "",
    top_k: TopK = 0,
    host_layers: HostLayers = False,
    frontend: Frontend = None,
    json: Json = False,
) -> None:
    """Show in one table where each node of a model went (hardware, host, folded away), why, and
    what would move it.

    Exit code 1 if the model is refused.
    """
    from qnnc.compiler.errors import printable

    if Path(model).is_dir():
        from qnnc.compiler.building.workspace import Workspace

        origins, error = Workspace(Path(model)).provenance()
    else:
        from qnnc.compiler.building.options import BuildOptions
        from qnnc.compiler.building.provenance import why as ask

        options = BuildOptions(
            model=model,
            out=Path("."),
            frontend=frontend,
            input_type=input_type,
            input_scale=input_scale,
            input_name=input_name,
            top_k=top_k,
            host_layers=host_layers,
        )
        answer = ask(options)
        origins, error = answer.origins, answer.error
    if json:
        import json as library

        plain = {"error": error, "nodes": [origin.model_dump() for origin in origins]}
        typer.echo(library.dumps(plain, indent=2))
    else:
        from qnnc.cli.where import show_origins

        show_origins(origins)
        if error:
            typer.echo(printable(f"refused: {error}"))
    if error:
        raise typer.Exit(1)
