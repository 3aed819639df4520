# SPDX-License-Identifier: Apache-2.0
"""Options that several commands have, with one text each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

BuildFolder = Annotated[Path, typer.Argument(help="Folder of a build.")]
BuildOut = Annotated[Path, typer.Option(help="Folder of the build.")]
Force = Annotated[
    bool,
    typer.Option("--force", help="Replace files that are not qnnc's where they are in the way."),
]
FoldingBoard = Annotated[str, typer.Option(help="Board, for the folding.")]
Frontend = Annotated[str | None, typer.Option(help="How to read the model.")]
HostLayers = Annotated[
    bool, typer.Option("--host-layers", help="Let layers without quantizers run on the host.")
]
InputName = Annotated[str, typer.Option(help="Which input, if there are several.")]
InputScale = Annotated[str, typer.Option(help="Factor from the real input to the network's.")]
InputType = Annotated[str, typer.Option(help="Type of the real input.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Labels = Annotated[
    Path | None, typer.Option(help="Labels of the samples, in any of the same formats.")
]
PrjxrayDb = Annotated[
    Path | None,
    typer.Option(
        help="Family folder of a prjxray database; by default the build's.",
        envvar="QNNC_PRJXRAY_DB",
    ),
]
Samples = Annotated[Path, typer.Option(help="Inputs: .npy, .npz or MNIST idx, gzipped or not.")]
TopK = Annotated[int, typer.Option(min=0, help="Output this many labels.")]


def given(**options: Any) -> dict[str, Any]:
    """Options of a build without those that nobody has set, whose defaults are `BuildOptions`'."""
    return {name: value for name, value in options.items() if value is not None}
