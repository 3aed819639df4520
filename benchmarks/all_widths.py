# SPDX-License-Identifier: Apache-2.0
"""The 784-1024-1024-1024-10 tanh network at all 64 pairs of weight and activation widths: does it
fit, how fast is it, what limits it. Random weights; each dataflow graph is compared with the
quantized network.

python benchmarks/all_widths.py out.csv [w1a1 w4a4 ...] [--batch 16] [--board Pynq-Z1]
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from pathlib import Path

import onnx

from benchmarks.networks import mlp, tanh_mlp
from qnnc.compiler.api import build
from qnnc.compiler.errors import TargetError
from qnnc.compiler.report import Report

COLUMNS = [
    *("network", "fits", "frames_per_s", "cycles", "limit", "weights", "memory_bytes"),
    *("LUT", "FF", "BRAM18", "DSP", "samples", "mismatches", "seconds"),
]


def row(name: str, report: Report, seconds: float) -> dict[str, object]:
    """What the table says of a build."""
    assert report.performance is not None and report.resources is not None
    estimate, device = report.resources.estimate, report.resources.device
    counts = estimate.model_dump()
    return {
        "network": name,
        "fits": all(counts[key] <= count for key, count in device.model_dump().items()),
        "frames_per_s": round(report.performance.fps),
        "cycles": report.performance.ii_cycles_estimate,
        "limit": limit(report),
        "weights": " ".join(layer.weights for layer in report.layers if layer.weights),
        "memory_bytes": round(report.performance.memory_bytes),
        **counts,
        "samples": report.verification.samples,
        "mismatches": report.verification.mismatches,
        "seconds": round(seconds, 1),
    }


def limit(report: Report) -> str:
    """What is nearest to its end: a resource of the budget, or the memory's bandwidth."""
    assert report.performance is not None and report.resources is not None
    counts, budget = (r.model_dump() for r in (report.resources.estimate, report.resources.budget))
    used = {key: counts[key] / budget[key] for key in budget}
    if report.performance.memory_bytes:
        speed = report.performance
        used["memory"] = speed.memory_cycles / speed.ii_cycles_estimate
    return max(used, key=lambda key: used[key])


def main() -> None:
    """Build each, and write a row as soon as it is known; rows that are there are kept."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--board", default="Pynq-Z1")
    arguments = parser.parse_args()
    pairs = [(w, a) for w in range(1, 9) for a in range(1, 9)]
    names = arguments.names or [f"w{w}a{a}" for w, a in pairs]
    done = set()
    if arguments.out.exists():
        with arguments.out.open(newline="") as file:
            done = {entry["network"] for entry in csv.DictReader(file)}
    with arguments.out.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if not done:
            writer.writeheader()
        for name in names:
            if name in done:
                continue
            writer.writerow(_one(name, arguments.batch, arguments.board))
            file.flush()


def _one(name: str, batch: int, board: str) -> dict[str, object]:
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(mlp(tanh_mlp(int(name[1]), int(name[3]))), path)
        try:
            report = build(
                path,
                out=Path(folder) / "out",
                batch=batch,
                board=board,
                until="estimate",
                verify="ends",
            )
        except TargetError as error:
            return {"network": name, "fits": False, "limit": str(error)}
    return row(name, report, time.perf_counter() - begin)


if __name__ == "__main__":
    main()
