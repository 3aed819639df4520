# SPDX-License-Identifier: Apache-2.0
"""Options that several commands have, with one text each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

BuildFolder = Annotated[Path, typer.Argument(help="Folder of a build.")]
BuildOut = Annotated[Path, typer.Option(help="Folder of the build.")]
BuildPrjxrayDb = Annotated[
    Path | None,
    typer.Option(
        help="Family folder of a prjxray database; by default the build's.",
        envvar="QNNC_PRJXRAY_DB",
    ),
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Replace files that are not qnnc's where they are in the way."),
]
FoldingBoard = Annotated[str, typer.Option(help="Board, for the folding.")]
Frontend = Annotated[
    str | None,
    typer.Option(
        help="How to read the model: qonnx, qdq or brevitas; by default by what it holds."
    ),
]
HostLayers = Annotated[
    bool, typer.Option("--host-layers", help="Let layers without quantizers run on the host.")
]
InputName = Annotated[str, typer.Option(help="Which input, if there are several.")]
InputScale = Annotated[
    str, typer.Option(help="Factor from the real input to the network's, such as 1/255.")
]
InputShape = Annotated[
    str,
    typer.Option(
        help="Shape of the input, batch of 1 included, such as 1,1,28,28, where the model does not "
        "say it."
    ),
]
InputType = Annotated[
    str,
    typer.Option(
        help="Type of the real input, such as uint8 or bipolar: preprocessing then moves into the "
        "accelerator."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Labels = Annotated[
    Path | None, typer.Option(help="Labels of the samples, in any of the same formats.")
]
Passes = Annotated[
    str,
    typer.Option(
        "--passes",
        "-p",
        help="Passes to run, such as 'tidy,...,absorb-tails{max-elements=1024},...'; "
        "'...' stands for the standard ones (see qnnc passes).",
    ),
]
PrintAfter = Annotated[
    str,
    typer.Option(help="Print the IR after a pass, after 'all', or after those that 'changed' it."),
]
PrjxrayDb = Annotated[
    Path | None,
    typer.Option(
        help="Family folder of a prjxray database, such as prjxray-db/zynq7.",
        envvar="QNNC_PRJXRAY_DB",
    ),
]
Samples = Annotated[Path, typer.Option(help="Inputs: .npy, .npz or MNIST idx, gzipped or not.")]
SaveIr = Annotated[Path | None, typer.Option(help="Folder for the IR after every pass.")]
TimePasses = Annotated[bool, typer.Option("--time-passes", help="Print how long each pass took.")]
TopK = Annotated[int, typer.Option(min=0, help="Output the labels of the k largest scores.")]
Verify = Annotated[
    str,
    typer.Option(help="Compare with the quantized graph after each pass, at the ends, or none."),
]


def clock_of(text: str) -> float | Literal["auto"] | None:
    """What --clock-mhz means; raises OptionError for what is neither a number nor auto."""
    from qnnc.compiler.errors import OptionError

    if text in ("", "auto"):
        return "auto" if text else None
    try:
        return float(text)
    except ValueError:
        raise OptionError(f"--clock-mhz is a number or auto, not {text[:60]!r}") from None


def given(**options: Any) -> dict[str, Any]:
    """Options of a build without those that nobody has set, whose defaults are `BuildOptions`'."""
    return {name: value for name, value in options.items() if value is not None}
