# SPDX-License-Identifier: Apache-2.0
"""qnnc quantize: a float network becomes one that the hardware can take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qnnc.cli.options import Force, HostLayers, InputScale, InputShape, InputType, Json, Labels


def quantize(
    model: Annotated[Path, typer.Argument(help="A float network as an ONNX file.")],
    calibrate: Annotated[
        Path,
        typer.Option(
            help="Inputs that ranges of activations are taken from: .npy, .npz or MNIST idx, "
            "gzipped or not; some hundred typical ones."
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The quantized network, for qnnc build.")
    ] = Path("quantized.onnx"),
    samples: Annotated[
        Path | None,
        typer.Option(help="Inputs to compare both networks on; those of --calibrate by default."),
    ] = None,
    labels: Labels = None,
    bits: Annotated[
        int,
        typer.Option(
            help="Bits of the weights, 2 to 8; activations have 8. Below 8 they are rounded "
            "without training: look at what it costs."
        ),
    ] = 8,
    method: Annotated[
        str, typer.Option(help="How ranges are found: minmax, entropy or percentile.")
    ] = "minmax",
    percentile: Annotated[
        float, typer.Option(help="With that method: percent of the values in the range.")
    ] = 99.99,
    count: Annotated[
        int, typer.Option(help="Samples to calibrate with, spread over the file.")
    ] = 256,
    input_type: InputType = "",
    input_scale: InputScale = "1",
    input_shape: InputShape = "",
    host_layers: HostLayers = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Quantize a float network to 8 bits with ONNX Runtime's quantizer, and say what it costs.

    Weights get a scale for each output channel, activations one for each tensor, from the samples
    (static quantization, QDQ). Both networks then run on the samples: answers, outputs and every
    layer are compared. What the hardware cannot take is refused with the reason.

    For weights of 4 bits and fewer train the network with its quantizers instead (Brevitas).

    Example: qnnc quantize float.onnx --calibrate images.npy --labels labels.npy -o q.onnx
    """
    from qnnc.cli.progress import ConsoleProgress
    from qnnc.cli.show import show_quantization
    from qnnc.compiler.building.options import BuildOptions
    from qnnc.quantization import QuantizeOptions, RealInput
    from qnnc.quantization import quantize as run

    shape = BuildOptions(str(model), out, input_shape=input_shape).load_settings().input_shape
    with ConsoleProgress(lines=not json) as progress:
        progress.stage("quantize", 0, 1)
        report = run(
            model,
            out,
            calibrate=calibrate,
            samples=samples,
            labels=labels,
            options=QuantizeOptions(bits=bits, method=method, percentile=percentile, count=count),
            input_shape=shape,
            real_input=RealInput(input_type, input_scale),
            host_layers=host_layers,
            force=force,
            progress=progress,
        )
    if json:
        typer.echo(report.model_dump_json(indent=2))
        return
    show_quantization(report)
    typer.echo(f"written: {out}; next: qnnc build {out}")
