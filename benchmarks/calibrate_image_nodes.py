# SPDX-License-Identifier: Apache-2.0
"""How far the resource model of windows, borders, pools, joins and orders is from synthesis.

python -m benchmarks.calibrate_image_nodes [CACHE]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.calibrate_cost import compare
from qnnc.nodes.testing import Case
from tests.support import nodes


def specs() -> list[Case]:
    """A spread of nodes, types and foldings."""
    rng = np.random.default_rng(1)
    found = [
        nodes.windows(
            image=(16, 16), kernel=(3, 3), channels=16, kind=kind, simd=simd, ram=ram, stride=stride
        )
        for kind, simd, ram, stride in (
            ("UINT4", 1, "distributed", (1, 1)),
            ("UINT4", 16, "distributed", (1, 1)),
            ("UINT4", 4, "block", (1, 1)),
            ("BINARY", 16, "distributed", (2, 2)),
            ("INT8", 8, "block", (2, 2)),
        )
    ]
    found += [
        nodes.windows(image=(32, 32), kernel=(3, 3), channels=3, kind="UINT8", simd=3, prefetch=1),
        nodes.windows(image=(1, 64), kernel=(1, 5), channels=8, kind="INT4", simd=8),
        nodes.padding(image=(16, 16), pads=(1, 1, 1, 1), channels=16, kind="UINT4", simd=4),
        nodes.padding(image=(16, 16), pads=(0, 1, 0, 1), channels=64, kind="INT8", simd=8),
        nodes.spread(image=(8, 8), stride=(2, 2), channels=16, kind="INT4", simd=8),
        nodes.pool(out=(8, 8), kernel=(2, 2), channels=16, kind="UINT4", pe=4),
        nodes.pool(out=(8, 8), kernel=(2, 2), channels=64, kind="BINARY", pe=32),
        nodes.pool(out=(4, 4), kernel=(3, 3), channels=32, kind="INT8", pe=2),
        nodes.pool(out=(4, 4), kernel=(2, 2), channels=32, pe=8, function="AccPool"),
        nodes.total(image=(8, 8), channels=64, kind="UINT4", pe=4),
        nodes.total(image=(8, 8), channels=64, kind="INT8", pe=1),
        nodes.duplicate(vectors=(1, 8, 8), channels=16, copies=2, kind="UINT4", pe=8),
        nodes.duplicate(vectors=(1, 8, 8), channels=16, copies=3, kind="INT8", pe=4),
        nodes.join(op="Add", vectors=(1, 8), channels=16, kinds=("UINT4", "UINT4"), pe=8),
        nodes.join(op="Add", vectors=(1, 8), channels=16, kinds=("INT8", "INT12"), pe=2),
        nodes.join(op="Mul", vectors=(1, 8), channels=16, kinds=("UINT4", "INT4"), pe=4),
        nodes.join(op="Mul", vectors=(1, 8), channels=16, kinds=("INT8", "UINT8"), pe=1),
        nodes.concat(vectors=(1, 8), channels=(16, 32), kinds=("UINT4", "UINT4"), simd=8),
        nodes.concat(vectors=(1, 8), channels=(8, 8, 8, 8), kinds=("INT4",) * 4, simd=4),
        nodes.split(vectors=(1, 8), channels=(16, 16), kind="UINT4", simd=8),
        nodes.split(vectors=(1, 8), channels=(8, 16, 24), kind="INT8", simd=4),
        nodes.upsample(image=(8, 8), factors=(2, 2), channels=16, kind="UINT4", simd=8),
        nodes.upsample(
            image=(16, 16), factors=(2, 2), channels=32, kind="INT8", simd=4, ram="block"
        ),
        nodes.shuffle(apart=(1, 8, 8, 16), perm=(0, 3, 1, 2), kind="INT4", ram="block"),
        nodes.shuffle(apart=(1, 4, 4, 8), perm=(0, 2, 1, 3), kind="INT4", simd=8),
    ]
    for x, w, pe, ram, res in (
        ("UINT4", "INT4", 4, "distributed", "lut"),
        ("UINT8", "INT8", 4, "block", "dsp"),
        ("UINT8", "INT8", 2, "distributed", "lut"),
        ("UINT4", "TERNARY", 8, "distributed", "lut"),
        ("UINT2", "BIPOLAR", 16, "distributed", "lut"),
        ("UINT4", "BIPOLAR", 4, "distributed", "lut"),
        ("INT8", "BIPOLAR", 4, "distributed", "lut"),
        ("INT3", "BIPOLAR", 8, "distributed", "lut"),
        ("BINARY", "BIPOLAR", 8, "distributed", "lut"),
        ("BINARY", "BINARY", 16, "distributed", "lut"),
    ):
        found.append(
            nodes.vvau(
                rng, out=(8, 8), kernel=(3, 3), channels=32, x=x, w=w, pe=pe, ram=ram, res=res
            )
        )
    return found


if __name__ == "__main__":
    cache = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    compare(specs(), cache)
