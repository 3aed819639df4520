# SPDX-License-Identifier: Apache-2.0
"""Matrices as logic: one word per cycle, weights in memories, in the logic, and in da4ml's Verilog.

python -m benchmarks.constant_matrices [--da4ml PYTHON] [CACHE]

All are synthesised by the same script. PYTHON is an interpreter whose environment has da4ml.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from qnnc.backends.rtl.stitch import stitch
from qnnc.backends.synthesis import synthesize
from qnnc.backends.synthesis.script import library_commands, node_commands
from qnnc.backends.synthesis.stat import cell_counts, resources
from qnnc.backends.yosys import run_script
from qnnc.compiler.resources import Resources
from tests.support import nodes
from tests.support.nodes import Case

SPARSE = Path(__file__).resolve().parents[2] / "shared" / "cases" / "sparse"


def matrices(sparse: Path) -> dict[str, Case]:
    """Random ones, and those of dense and pruned networks, by name."""
    rng = np.random.default_rng(1)
    found = {
        "64x64 binary": nodes.mvau(
            rng, mw=64, mh=64, x="BINARY", w="BINARY", pe=64, simd=64, ram_style="distributed"
        ),
        "64x64 UINT2 x ternary": nodes.mvau(
            rng, mw=64, mh=64, x="UINT2", w="TERNARY", pe=64, simd=64, ram_style="distributed"
        ),
    }
    for name in ("small_dense", "small_sp90"):
        model = onnx.load(sparse / f"{name}.onnx")
        for tensor in model.graph.initializer:
            array = numpy_helper.to_array(tensor)
            if tensor.name == "w1" and array.ndim == 2:
                step = np.abs(array[array != 0]).min()
                codes = np.rint(array / step).astype(np.int64)
                rows, columns = codes.shape
                spec = nodes.mvau(
                    rng, mw=rows, mh=columns, x="UINT4", w="INT4", pe=columns, simd=rows,
                    ram_style="distributed",
                )  # fmt: skip
                spec.constants[0][:] = codes
                found[f"{name}, second layer, {rows}x{columns}"] = spec
    return found


def da4ml(spec: Case, python: str, work: Path) -> Resources:
    """What da4ml makes of a matrix."""
    weights = spec.constants[0]
    constants = np.zeros(weights.shape[1], dtype=np.int64)
    if spec.attributes["binaryXnorMode"]:
        weights, constants = 2 * weights - 1, (1 - weights).sum(axis=0)
    x_type = spec.inputs[0][0]
    low, high = int(x_type.min()), int(x_type.max())
    np.savez(work / "matrix.npz", weights=weights, constants=constants, low=low, high=high)
    script = Path(__file__).with_name("da4ml_matrix.py")
    subprocess.run([python, script, work / "matrix.npz", work / "rtl"], check=True)
    sources = [p.relative_to(work) for p in (work / "rtl" / "src").rglob("*.v")]
    texts = [str(p) for p in sources if not p.name.endswith("_wrapper.v")]
    (work / "out").mkdir()
    commands = library_commands()
    commands += node_commands(texts, "da4ml_matrix", "out", block_ram=False)
    run_script(commands, work, work / "yosys.log", "synthesis")
    return resources(cell_counts(work / "out" / "stat.json"))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--da4ml", default="")
    parser.add_argument("--sparse", type=Path, default=SPARSE)
    parser.add_argument("cache", nargs="?", type=Path)
    given = parser.parse_args()
    cache = given.cache or Path(tempfile.mkdtemp())
    specs = matrices(given.sparse)
    both = [c for case in specs.values() for c in (case, case.folded(mem_mode="internal_embedded"))]
    design = stitch(nodes.model_of(both))
    result = synthesize(design, cache, 2)
    estimates = [i.node.resources(i.node.folding()) for i in design.instances]
    print("| matrix | memory LUT | memory FF | logic LUT (estimate) | logic FF | da4ml LUT | FF |")
    print("|---|---|---|---|---|---|---|")
    for index, (name, spec) in enumerate(specs.items()):
        kept, made = (result.nodes[2 * index + i].resources for i in (0, 1))
        text = f"| {name} | {kept.LUT:,.0f} | {kept.FF:,.0f} | {made.LUT:,.0f} "
        text += f"({estimates[2 * index + 1].LUT:,.0f}) | {made.FF:,.0f} |"
        if given.da4ml:
            with tempfile.TemporaryDirectory() as folder:
                other = da4ml(spec, given.da4ml, Path(folder))
            text += f" {other.LUT:,.0f} | {other.FF:,.0f} |"
        print(text, flush=True)


if __name__ == "__main__":
    main()
