# SPDX-License-Identifier: Apache-2.0
"""qnnc build: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_MODEL, _GOAL, _CHECK, _RUN = "Model", "Goal", "Verification", "Running"
_DEBUG = "Passes"
_BOARD = "Bitstream"


def build(
    model: Annotated[
        str,
        typer.Argument(
            help="A quantized network: an ONNX file (QONNX, QDQ, QOperator) or, for Brevitas, "
            "package.module:factory."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the build.")] = Path("build"),
    board: Annotated[
        str, typer.Option(help="Board to build for (see qnnc boards).", rich_help_panel=_GOAL)
    ] = "Pynq-Z1",
    clock_mhz: Annotated[
        float | None,
        typer.Option(
            help="Clock of the accelerator; by default the board's.", rich_help_panel=_GOAL
        ),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(
            help="Frames a second to reach at least cost; by default the most that fits.",
            rich_help_panel=_GOAL,
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            help="Share of the board that may be used; by default 0.8, or all of it with --fps; "
            "inf to see what a device without limits would need.",
            rich_help_panel=_GOAL,
        ),
    ] = None,
    batch: Annotated[
        int,
        typer.Option(
            help="Frames that may be held on the chip (4 to 32), so that weights for which it has "
            "no room come from the board's memory once for all of them; 1 for none.",
            rich_help_panel=_GOAL,
        ),
    ] = 1,
    backend: Annotated[
        str,
        typer.Option(
            help="What makes the nodes: rtl, hls or auto, and exceptions by operator or node: "
            "rtl,MVAU=hls.",
            rich_help_panel=_GOAL,
        ),
    ] = "rtl",
    until: Annotated[
        str,
        typer.Option(
            help="Last stage: passes, estimate, emulate, rtl, simulate, synthesize, hls, ip, "
            "driver or bitstream; by default as far as the tools found allow.",
            rich_help_panel=_RUN,
        ),
    ] = "",
    input_type: Annotated[
        str,
        typer.Option(
            help="What the real input is, such as uint8 or bipolar: preprocessing then "
            "moves into the accelerator.",
            rich_help_panel=_MODEL,
        ),
    ] = "",
    input_scale: Annotated[
        str,
        typer.Option(
            help="The network wants the real input times this, such as 1/255.",
            rich_help_panel=_MODEL,
        ),
    ] = "1",
    input_name: Annotated[
        str, typer.Option(help="Which input, if there are several.", rich_help_panel=_MODEL)
    ] = "",
    top_k: Annotated[
        int,
        typer.Option(
            min=0, help="Answer with the labels of the k largest scores.", rich_help_panel=_MODEL
        ),
    ] = 0,
    host_layers: Annotated[
        bool,
        typer.Option("--host-layers", help="Let layers without quantizers run on the host."),
    ] = False,
    frontend: Annotated[
        str | None,
        typer.Option(
            help="How to read the model: qonnx, qdq or brevitas; by default by what it holds.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    input_shape: Annotated[
        str,
        typer.Option(
            help="Shape of the input, batch of 1 included, such as 1,1,28,28, where the model "
            "does not say it.",
            rich_help_panel=_MODEL,
        ),
    ] = "",
    frontend_option: Annotated[
        list[str] | None,
        typer.Option(
            help="name=value for the frontend, such as export=qcdq; may be repeated.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option(
            help="Inputs to verify with: .npy, .npz or MNIST idx, gzipped or not; "
            "random ones by default.",
            rich_help_panel=_CHECK,
        ),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Labels of the samples.", rich_help_panel=_CHECK)
    ] = None,
    verify: Annotated[
        str,
        typer.Option(
            help="Compare with the quantized graph behind each pass, at the ends, or none.",
            rich_help_panel=_CHECK,
        ),
    ] = "each",
    passes: Annotated[
        str,
        typer.Option(
            "--passes",
            "-p",
            help="Passes to run, such as 'tidy,...,absorb-tails{max-elements=1024},...'; "
            "'...' stands for the standard ones (see qnnc passes).",
            rich_help_panel=_DEBUG,
        ),
    ] = "",
    save_ir: Annotated[
        Path | None,
        typer.Option(help="Folder for the IR behind every pass.", rich_help_panel=_DEBUG),
    ] = None,
    print_after: Annotated[
        str,
        typer.Option(
            help="Print the IR behind a pass, behind 'all', or behind those that 'changed' it.",
            rich_help_panel=_DEBUG,
        ),
    ] = "",
    time_passes: Annotated[
        bool,
        typer.Option(
            "--time-passes", help="Print how long each pass took.", rich_help_panel=_DEBUG
        ),
    ] = False,
    stop_after: Annotated[
        str, typer.Option(help="End the build behind this pass.", rich_help_panel=_DEBUG)
    ] = "",
    start_from: Annotated[
        Path | None,
        typer.Option(help="Go on from an IR that --save-ir has written.", rich_help_panel=_DEBUG),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            help="Simulator: auto (Verilator if installed), verilator or cxxrtl.",
            rich_help_panel=_CHECK,
        ),
    ] = "auto",
    frames: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Frames to simulate; by default as many as are quick.",
            rich_help_panel=_CHECK,
        ),
    ] = None,
    flow: Annotated[
        str, typer.Option(help="Place and route: auto, nextpnr or vivado.", rich_help_panel=_BOARD)
    ] = "auto",
    nextpnr: Annotated[
        str,
        typer.Option(
            help="nextpnr-himbaechel or nextpnr-xilinx to use; by default one on PATH.",
            rich_help_panel=_BOARD,
        ),
    ] = "",
    chipdb: Annotated[
        Path | None,
        typer.Option(help="nextpnr's chip database for the part.", rich_help_panel=_BOARD),
    ] = None,
    prjxray_db: Annotated[
        Path | None,
        typer.Option(
            help="Family folder of a prjxray database, such as prjxray-db/zynq7.",
            envvar="QNNC_PRJXRAY_DB",
            rich_help_panel=_BOARD,
        ),
    ] = None,
    updatable: Annotated[
        bool,
        typer.Option(
            "--updatable",
            help="Keep thresholds in memories, for qnnc update; takes more LUTs.",
            rich_help_panel=_BOARD,
        ),
    ] = False,
    cache_dir: Annotated[
        Path | None,
        typer.Option(
            help="Where compiled and synthesised parts are kept between builds.",
            envvar="QNNC_CACHE",
            rich_help_panel=_RUN,
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Processes at once; by default one a core.", rich_help_panel=_RUN),
    ] = None,
    json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print report.json instead of a summary.", rich_help_panel=_RUN
        ),
    ] = False,
) -> None:
    """Build a verified accelerator: graph passes, folding, RTL, simulation, synthesis, IP.

    Every step is compared with the quantized network in ONNX Runtime. What was found is in
    report.json in the build's folder.

    Example: qnnc build mlp.onnx --board Pynq-Z1 --input-type uint8 --input-scale 1/255
    --top-k 1 --fps 100000 --samples t10k-images-idx3-ubyte.gz --out build
    """
    from typing import Any

    from qnnc.cli.debugging import printers, show_pass_times
    from qnnc.cli.show import ConsoleProgress, show_labels, show_report
    from qnnc.compiler.api import build as run

    options: dict[str, Any] = {
        "board": board,
        "clock_mhz": clock_mhz,
        "fps": fps,
        "budget": budget,
        "batch": batch,
        "backend": backend,
        "until": until,
        "input_type": input_type,
        "input_scale": input_scale,
        "input_name": input_name,
        "top_k": top_k,
        "host_layers": host_layers,
        "frontend": frontend,
        "input_shape": input_shape,
        "frontend_options": tuple(frontend_option or ()),
        "samples": samples,
        "labels": labels,
        "verify": verify,
        "engine": engine,
        "frames": frames,
        "passes": passes,
        "save_ir": save_ir,
        "stop_after": stop_after,
        "start_from": start_from,
        "flow": flow,
        "nextpnr": nextpnr,
        "chipdb": chipdb,
        "prjxray_db": prjxray_db,
        "updatable": updatable,
    }
    if cache_dir is not None:
        options["cache"] = cache_dir
    if jobs is not None:
        options["jobs"] = jobs
    watchers = printers(print_after, err=json)
    try:
        with ConsoleProgress(lines=not json) as progress:
            report = run(model, out=out, progress=progress, watchers=watchers, **options)
    finally:
        if time_passes:
            show_pass_times(out)
    if json:
        typer.echo(report.model_dump_json(indent=2))
        return
    show_report(report, out)
    if samples is not None and labels is not None:
        show_labels(out, samples, labels)
