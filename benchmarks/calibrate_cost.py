# SPDX-License-Identifier: Apache-2.0
"""How far the resource model is from synthesis, node by node.

python -m benchmarks.calibrate_cost [CACHE]
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from qnnc.backends.rtl.stitch import stitch
from qnnc.backends.synthesis import synthesize
from qnnc.compiler.dataflow.folding import Arithmetic
from tests.support import nodes


def specs() -> list[nodes.Case]:
    """A spread of nodes, types and foldings."""
    rng = np.random.default_rng(1)
    found = []
    for x, w in (
        ("BINARY", "BINARY"),
        ("TERNARY", "TERNARY"),
        ("UINT2", "TERNARY"),
        ("BINARY", "INT4"),
        ("UINT4", "INT4"),
        ("INT4", "BIPOLAR"),
        ("UINT8", "INT8"),
    ):
        for pe, simd, ram in (
            (1, 8, "distributed"),
            (4, 16, "block"),
            (2, 64, "distributed"),
            (1, 1, "block"),
            (16, 4, "distributed"),
        ):
            if x == "UINT8" and simd > 16:
                continue
            found.append(nodes.mvau(rng, mw=64, mh=64, x=x, w=w, pe=pe, simd=simd, ram_style=ram))
    for x, w, pe, simd in (
        ("UINT8", "INT8", 2, 1),
        ("UINT8", "INT8", 2, 4),
        ("UINT8", "INT8", 16, 4),
        ("INT8", "INT8", 4, 16),
        ("UINT8", "INT8", 1, 16),
        ("UINT4", "INT4", 8, 16),
        ("UINT4", "INT4", 8, 1),
    ):
        for narrow in (False, True):
            found.append(
                nodes.mvau(rng, mw=64, mh=64, x=x, w=w, pe=pe, simd=simd, res="dsp", narrow=narrow)
            )
    for x, w, pe, simd, res in (
        ("INT4", "INT4", 4, 8, "lut"),
        ("INT8", "INT8", 1, 8, "lut"),
        ("INT8", "INT8", 4, 8, "dsp"),
        ("UINT4", "INT4", 16, 1, "lut"),
    ):
        for transposed in (False, True):
            found.append(
                nodes.dynamic(
                    x=x,
                    w=w,
                    mw=32,
                    mh=16,
                    rows=16,
                    pe=pe,
                    simd=simd,
                    res=res,
                    transposed=transposed,
                )
            )
    for channels, steps, x, pe in (
        (64, 1, "UINT7", 1),
        (64, 3, "INT10", 1),
        (64, 15, "INT12", 1),
        (1024, 1, "UINT11", 2),
        (256, 3, "INT14", 4),
        (64, 255, "INT14", 1),
        (16, 7, "INT16", 16),
    ):
        found.append(nodes.thresholding(rng, channels=channels, steps=steps, x=x, pe=pe))
    found += factored(rng)
    for a, b in ((1, 8), (8, 1), (3, 2), (64, 1), (32, 4), (1, 64)):
        found.append(nodes.width_converter(elements=192, kind="INT4", lanes_in=a, lanes_out=b))
    found.append(nodes.fifo(elements=64, kind="UINT8", lanes=1, depth=32, ram="distributed"))
    found.append(nodes.label_select(labels=10, k=1, kind="INT12"))
    found.append(nodes.label_select(labels=100, k=5, kind="INT12"))
    for op in ("Add", "Mul"):
        found.append(
            nodes.elementwise(rng, op=op, channels=16, x="INT8", c="INT6", pe=1, shared=False)
        )
    return found


def dynamic() -> list[nodes.Case]:
    """Products of two streams, both orders of the matrix."""
    kinds: tuple[tuple[str, int, int, Arithmetic], ...] = (
        ("INT4", 4, 8, "lut"),
        ("INT8", 1, 8, "lut"),
        ("INT8", 4, 8, "dsp"),
        ("INT4", 16, 1, "lut"),
    )
    return [
        nodes.dynamic(
            x=x, w=x, mw=32, mh=16, rows=16, pe=pe, simd=simd, res=res, transposed=transposed
        )
        for x, pe, simd, res in kinds
        for transposed in (False, True)
    ]


def factored(rng: np.random.Generator) -> list[nodes.Case]:
    """Thresholds of 8-bit activations after 8-bit weights: one map per channel, and what is common
    to the layer."""
    found = []
    for function, style, res, channels, x, pe in (
        ("uniform", "requant", "lut", 64, "INT14", 1),
        ("uniform", "requant", "dsp", 64, "INT18", 1),
        ("uniform", "requant", "dsp", 64, "INT22", 1),
        ("uniform", "requant", "dsp", 64, "INT18", 4),
        ("tanh", "factored", "lut", 32, "INT14", 1),
        ("tanh", "factored", "dsp", 64, "INT18", 1),
        ("tanh", "factored", "dsp", 64, "INT18", 4),
    ):
        found.append(
            nodes.tail(
                rng,
                channels=channels,
                steps=255,
                x=x,
                function=function,
                style=style,
                res=res,
                pe=pe,
            )
        )
    return found


def compare(specs: list[nodes.Case], cache: Path) -> None:
    """Print estimate, synthesis and their ratio for every node."""
    design = stitch(nodes.model_of(specs))
    result = synthesize(design, cache, 2)
    errors: dict[str, list[float]] = {}
    beyond = 0
    for instance, node in zip(design.instances, result.nodes, strict=True):
        folding = instance.node.folding()
        e, s = instance.node.resources(folding), node.resources
        types = instance.node.ports(folding).inputs[0].datatype.name
        ratio = e.LUT / max(1, s.LUT)
        words = " ".join(f"{key} {value}" for key, value in asdict(folding).items())
        print(
            f"{node.instance:22} {types:8} LUT {e.LUT:7.0f} {s.LUT:6.0f} {ratio:5.2f}  "
            f"FF {e.FF:6.0f} {s.FF:6.0f} {e.FF / max(1, s.FF):5.2f}  "
            f"BRAM {e.BRAM18:3.0f} {s.BRAM18:3.0f}  DSP {e.DSP:3.0f} {s.DSP:3.0f}  {words}"
        )
        errors.setdefault(instance.node.op_type, []).append(abs(ratio - 1))
        beyond += abs(e.LUT - s.LUT) > max(20, 0.05 * s.LUT)
    for name, found in errors.items():
        print(f"{name}: LUT mean {np.mean(found):.1%}, worst {max(found):.1%} of {len(found)}")
    every = [error for found in errors.values() for error in found]
    print(f"all: mean {np.mean(every):.1%}; {beyond} of {len(every)} beyond 5 % and 20 LUT")


if __name__ == "__main__":
    compare(specs(), Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp()))
