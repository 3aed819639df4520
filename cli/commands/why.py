# SPDX-License-Identifier: Apache-2.0
"""qnnc why: where every node of a model went."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qnnc.cli.options import Frontend, HostLayers, InputName, InputScale, InputType, Json, TopK

if TYPE_CHECKING:
    from qnnc.compiler.report import NodeOrigin


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
    """Show which dataflow node computes each node of a model, whether it was folded away, or
    why it cannot go into hardware and what would help.

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
        typer.echo(_counted(origins))
        for origin in origins:
            typer.echo(printable(f"{origin.node} ({origin.op}): {_sentence(origin)}"))
        if error:
            typer.echo(printable(f"refused: {error}"))
    if error:
        raise typer.Exit(1)


def _counted(origins: list[NodeOrigin]) -> str:
    """How many nodes are where, in one line; a node may be in several places."""
    names = {
        "dataflow": "in the accelerator",
        "host-pre": "on the host before it",
        "host-post": "on the host after it",
        "folded": "folded away",
        "open": "not in hardware",
    }
    counts = ((sum(place in o.places for o in origins), text) for place, text in names.items())
    return f"{len(origins)} nodes: " + ", ".join(f"{n} {text}" for n, text in counts if n)


def _sentence(origin: NodeOrigin) -> str:
    words = {
        "dataflow": f"dataflow node {', '.join(origin.dataflow)}",
        "host-pre": "host, before the accelerator",
        "host-post": "host, after the accelerator",
        "folded": f"folded away by {origin.folded_by or 'the frontend'}",
        "open": "not in hardware",
    }
    text = " and ".join(words[place] for place in origin.places)
    if origin.reason:
        text += f": {origin.reason}"
    return f"{text}; {origin.remedy}" if origin.remedy else text
