# SPDX-License-Identifier: Apache-2.0
"""qnnc build: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qnnc.cli.options import (
    BuildOut,
    Force,
    Frontend,
    HostLayers,
    InputName,
    InputScale,
    InputShape,
    InputType,
    Passes,
    PrintAfter,
    PrjxrayDb,
    SaveIr,
    TimePasses,
    TopK,
    Verify,
    clock_of,
    given,
)


def build(
    model: Annotated[
        str,
        typer.Argument(
            help="A quantized network: an ONNX file (QONNX, QDQ, QOperator) or, for Brevitas, "
            "package.module:factory. With --quantize, a float ONNX file."
        ),
    ],
    out: BuildOut = Path("build"),
    board: Annotated[str, typer.Option(help="Board to build for (see qnnc boards).")] = "Pynq-Z1",
    clock_mhz: Annotated[
        str,
        typer.Option(
            metavar="MHZ|auto",
            help="Clock of the accelerator, one that the board can set (1000/n MHz), or auto: the "
            "highest that holds by the timing model; by default the board's.",
        ),
    ] = "",
    fps: Annotated[
        float | None,
        typer.Option(
            help="Frames per second to reach at the lowest cost; by default as many as fit."
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            help="Share of the board that may be used; by default 0.8, or all of it with --fps; "
            "inf to see what a device without limits would need."
        ),
    ] = None,
    external_weights: Annotated[
        bool,
        typer.Option(
            "--external-weights",
            help="Weights for which the chip has no room may come from the board's memory.",
        ),
    ] = False,
    batch: Annotated[
        int,
        typer.Option(
            help="Frames that may be held on the chip (4 to 32), so that weights of dense layers "
            "come from the board's memory once for all of them; implies --external-weights."
        ),
    ] = 1,
    folding: Annotated[
        Path | None,
        typer.Option(
            help="Foldings by hand, of all or some layers: YAML or JSON, such as a build's "
            "folding.yaml, or FINN's folding_config.json."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="LAYER:PE=4,SIMD=8",
            help="The folding of one layer, node or operator by hand; may be repeated.",
        ),
    ] = None,
    backend: Annotated[
        str,
        typer.Option(
            help="Backend of the nodes: rtl, hls or auto, with exceptions by operator or node: "
            "rtl,MVAU=hls."
        ),
    ] = "rtl",
    until: Annotated[
        str,
        typer.Option(
            help="Last stage: passes, estimate, emulate, rtl, simulate, synthesize, hls, ip, "
            "driver or bitstream; by default as far as the installed tools allow."
        ),
    ] = "",
    input_type: InputType = "",
    input_scale: InputScale = "1",
    input_name: InputName = "",
    top_k: TopK = 0,
    host_layers: HostLayers = False,
    frontend: Frontend = None,
    input_shape: InputShape = "",
    frontend_option: Annotated[
        list[str] | None,
        typer.Option(help="name=value for the frontend, such as export=qcdq; may be repeated."),
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option(
            help="Inputs to verify with: .npy, .npz or MNIST idx, gzipped or not; "
            "random ones by default."
        ),
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="Labels of the samples.")] = None,
    quantize: Annotated[
        Path | None,
        typer.Option(
            help="The model is a float one: quantize it first, by these inputs (see qnnc "
            "quantize). Without --samples it is verified with them, too."
        ),
    ] = None,
    verify: Verify = "each",
    passes: Passes = "",
    save_ir: SaveIr = None,
    print_after: PrintAfter = "",
    time_passes: TimePasses = False,
    stop_after: Annotated[str, typer.Option(help="End the build after this pass.")] = "",
    start_from: Annotated[
        Path | None, typer.Option(help="Continue from an IR that --save-ir has written.")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="Simulator: auto (Verilator if installed), verilator or cxxrtl.")
    ] = "auto",
    frames: Annotated[
        int | None, typer.Option(min=1, help="Frames to simulate; by default as many as are quick.")
    ] = None,
    flow: Annotated[str, typer.Option(help="Place and route: auto, nextpnr or vivado.")] = "auto",
    nextpnr: Annotated[
        str,
        typer.Option(help="nextpnr-himbaechel or nextpnr-xilinx to use; by default one on PATH."),
    ] = "",
    from_shape: Annotated[
        Path | None,
        typer.Option(help="A routed design of the same shape (qnnc shape), to be filled in."),
    ] = None,
    chipdb: Annotated[
        Path | None, typer.Option(help="nextpnr's chip database for the part.")
    ] = None,
    prjxray_db: PrjxrayDb = None,
    updatable: Annotated[
        bool,
        typer.Option(
            "--updatable",
            help="Keep weights and thresholds in memories, for qnnc update; takes more LUTs.",
        ),
    ] = False,
    cache_dir: Annotated[
        Path | None,
        typer.Option(
            help="Where compiled and synthesised parts are kept between builds.",
            envvar="QNNC_CACHE",
        ),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Parallel processes; by default one per core.")
    ] = None,
    force: Force = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print report.json instead of a summary.")
    ] = False,
) -> None:
    """Build a verified accelerator: graph passes, folding, RTL, simulation, synthesis, IP.

    Every step is compared with the quantized network in ONNX Runtime. What was found is in
    report.json in the build's folder.

    Example: qnnc build mlp.onnx --board Pynq-Z1 --input-type uint8 --input-scale 1/255
    --top-k 1 --fps 100000 --samples t10k-images-idx3-ubyte.gz --out build
    """
    from qnnc.cli.debugging import pass_times, printers
    from qnnc.cli.progress import ConsoleProgress
    from qnnc.cli.show import show_labels, show_report
    from qnnc.compiler.api import build as run

    options = given(
        board=board,
        clock_mhz=clock_of(clock_mhz),
        fps=fps,
        budget=budget,
        external_weights=external_weights,
        batch=batch,
        folding=folding,
        settings=tuple(set_ or ()),
        backend=backend,
        until=until,
        input_type=input_type,
        input_scale=input_scale,
        input_name=input_name,
        top_k=top_k,
        host_layers=host_layers,
        frontend=frontend,
        input_shape=input_shape,
        frontend_options=tuple(frontend_option or ()),
        samples=samples,
        labels=labels,
        quantize=quantize,
        verify=verify,
        engine=engine,
        frames=frames,
        passes=passes,
        save_ir=save_ir,
        stop_after=stop_after,
        start_from=start_from,
        flow=flow,
        nextpnr=nextpnr,
        chipdb=chipdb,
        from_shape=from_shape,
        prjxray_db=prjxray_db,
        updatable=updatable,
        cache=cache_dir,
        jobs=jobs,
        force=force,
    )
    watchers = printers(print_after, err=json)
    with pass_times(time_passes) as keep, ConsoleProgress(lines=not json) as progress:
        report = keep(run(model, out=out, progress=progress, watchers=watchers, **options))
    if json:
        typer.echo(report.model_dump_json(indent=2))
        return
    show_report(report, out)
    given_samples = samples or quantize
    if given_samples is not None and labels is not None:
        show_labels(report, out, given_samples, labels)
