# SPDX-License-Identifier: Apache-2.0
"""Whole builds for the Pynq-Z1, as one table: resources, cycles, time, mismatches.

python -m benchmarks.main_job --models DIR --mnist DIR [--only NAME ...] [--out DIR]

DIR of --models holds tfc_w2a2.onnx and unsw_nb15_w2a2.onnx of FINN's examples, DIR of --mnist
t10k-images-idx3-ubyte.gz. LFC, the MLP of FINN's paper with random weights, is made here. Each
build starts from an empty cache.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import onnx

from benchmarks.networks import LFC, mlp
from qnnc.compiler import build
from qnnc.compiler.report import Report, ResourceCount

CLOCK = 100e6
"""Hertz, of the Pynq-Z1's default clock."""


def fps_of(cycles: int) -> float:
    """Frames per second that leave `cycles` per frame."""
    return CLOCK / cycles


Row = tuple[str, dict[str, Any]]
"""Model file and build options."""


def rows(mnist: Path | None) -> dict[str, Row]:
    """Builds by name."""
    tfc: dict[str, Any] = {"input_type": "uint8", "input_scale": "1/255", "top_k": 1}
    if mnist is not None:
        tfc["samples"] = mnist / "t10k-images-idx3-ubyte.gz"
    return {
        "tfc-100k": ("tfc_w2a2.onnx", {**tfc, "fps": 100_000.0}),
        "tfc-784": ("tfc_w2a2.onnx", {**tfc, "fps": fps_of(784)}),
        "unsw-640": ("unsw_nb15_w2a2.onnx", {"input_type": "bipolar", "fps": fps_of(640)}),
        "lfc-512": ("lfc.onnx", {"input_type": "bipolar", "fps": fps_of(512)}),
        "lfc-fastest": ("lfc.onnx", {"input_type": "bipolar"}),
    }


HEADER = (
    "build", "LUT", "FF", "BRAM18", "DSP", "cycles per frame", "frames/s", "mismatches", "seconds"
)  # fmt: skip


def cells(report: Report) -> list[str]:
    """What the table says of a finished build."""
    performance, resources = report.performance, report.resources
    assert performance and resources and resources.synthesis
    pairs = [
        f"{getattr(resources.estimate, name):,} / {getattr(resources.synthesis, name):,}"
        for name in ResourceCount.model_fields
    ]
    levels = [f"{x.level} {x.mismatches} in {x.samples}" for x in report.verification.levels]
    return [
        *pairs,
        f"{performance.ii_cycles_estimate} / {performance.ii_cycles:g}",
        f"{performance.fps:,.0f}",
        ", ".join(levels),
    ]


def run(name: str, row: Row, models: Path, out: Path) -> str:
    """Build one row; returns its line of the table."""
    file, options = row
    model = models / file
    if file == "lfc.onnx":
        out.mkdir(parents=True, exist_ok=True)
        model = out / file
        onnx.save(mlp(LFC), model)
    with tempfile.TemporaryDirectory() as cache:
        start = time.perf_counter()
        report = build(model, out=out / name, cache=cache, **options)
        seconds = time.perf_counter() - start
    return f"| {' | '.join([name, *cells(report), f'{seconds:.0f}'])} |"


def main() -> None:
    """Build the rows one by one and print the table."""
    names = list(rows(None))
    parser = argparse.ArgumentParser(description="Whole builds, as one table.")
    parser.add_argument("--models", type=Path, required=True, metavar="DIR")
    parser.add_argument("--mnist", type=Path, metavar="DIR", help="else random inputs")
    parser.add_argument("--only", choices=names, nargs="+", default=names)
    parser.add_argument("--out", type=Path, default=Path("build/main_job"), metavar="DIR")
    options = parser.parse_args()
    print("Resources: estimate / synthesis; cycles: estimate / measured; mismatches in samples.\n")
    print(f"| {' | '.join(HEADER)} |\n|{'---|' * len(HEADER)}")
    for name in options.only:
        print(run(name, rows(options.mnist)[name], options.models, options.out), flush=True)


if __name__ == "__main__":
    main()
