# SPDX-License-Identifier: Apache-2.0
"""Synthesis: the resource model against Yosys, and the cache."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import qnnc.backends.rtl as rtl
from qnnc.backends.rtl.stitch import stitch
from qnnc.backends.synthesis import SynthesisResult, synthesize
from qnnc.backends.synthesis.stat import resources
from qnnc.backends.yosys import run_script
from qnnc.compiler.errors import ToolError
from tests.support import nodes


def specs() -> list[nodes.Case]:
    rng = np.random.default_rng(5)
    return [
        nodes.mvau(rng, mw=64, mh=32, x="BINARY", w="BINARY", pe=2, simd=32),
        nodes.mvau(rng, mw=64, mh=64, x="TERNARY", w="TERNARY", pe=1, simd=16),
        nodes.mvau(rng, mw=36, mh=16, x="UINT4", w="INT4", pe=2, simd=6, ram_style="distributed"),
        nodes.mvau(rng, mw=100, mh=90, x="UINT2", w="INT3", pe=1, simd=1),
        nodes.mvau(rng, mw=16, mh=8, x="UINT8", w="INT8", pe=2, simd=4, res="dsp"),
        nodes.mvau(rng, mw=48, mh=10, x="UINT8", w="INT8", pe=5, simd=16, res="dsp", narrow=True),
        nodes.mvau(rng, mw=40, mh=8, x="UINT4", w="INT4", pe=4, simd=1, res="dsp"),
        nodes.mvau(rng, mw=27, mh=4, x="UINT8", w="INT8", pe=2, simd=9),
        nodes.mvau(rng, mw=40, mh=4, x="UINT4", w="BIPOLAR", pe=2, simd=20),
        nodes.dynamic(x="UINT4", w="INT4", mw=16, mh=32, rows=16, pe=4, simd=4),
        nodes.dynamic(
            x="INT8", w="INT8", mw=16, mh=16, rows=8, pe=2, simd=4, res="dsp", ram="block"
        ),
        nodes.thresholding(rng, channels=64, steps=3, x="INT10", pe=1),
        nodes.thresholding(rng, channels=256, steps=3, x="INT10", pe=1, ram_style="block"),
        nodes.tail(rng, channels=64, steps=63, x="INT8", pe=1, style="requant", res="lut"),
        nodes.tail(
            rng,
            channels=128,
            steps=255,
            x="INT20",
            pe=1,
            style="requant",
            res="dsp",
            ram_style="block",
        ),
        nodes.tail(
            rng,
            channels=128,
            steps=31,
            x="INT14",
            pe=1,
            style="factored",
            res="dsp",
            function="tanh",
            exceptions=40,
        ),
        nodes.width_converter(elements=96, kind="INT4", lanes_in=32, lanes_out=2),
        nodes.width_converter(elements=96, kind="INT4", lanes_in=1, lanes_out=16),
        nodes.fifo(elements=64, kind="UINT8", lanes=1, depth=32, ram="distributed"),
        nodes.fifo(elements=64, kind="UINT8", lanes=2, depth=600, ram="block"),
        nodes.label_select(labels=10, k=1, kind="INT12"),
        nodes.elementwise(rng, op="Add", channels=16, x="INT8", c="INT6", pe=1, shared=False),
    ]


@pytest.fixture(scope="module")
def synthesised(cache: Path) -> tuple[object, SynthesisResult]:
    design = stitch(nodes.model_of(specs()))
    return design, synthesize(design, cache, 2)


def test_block_ram_and_dsp_are_exact_and_luts_close(
    synthesised: tuple[object, SynthesisResult],
) -> None:
    design, result = synthesised
    for instance, node in zip(design.instances, result.nodes, strict=True):  # type: ignore[attr-defined]
        estimate = instance.node.resources(instance.node.folding()).rounded()
        found = node.resources
        assert (estimate.BRAM18, estimate.DSP) == (found.BRAM18, found.DSP), node.instance
        near = 0.1 if instance.node.op_type in ("MVAU", "DynamicMVAU") else 0.15
        assert abs(estimate.LUT - found.LUT) <= max(12, near * found.LUT), node.instance


def test_unchanged_nodes_come_from_the_cache(
    synthesised: tuple[object, SynthesisResult], cache: Path
) -> None:
    design, first = synthesised
    second = synthesize(design, cache, 2)  # type: ignore[arg-type]
    assert all(node.cached for node in second.nodes)
    assert second.total == first.total


def test_contents_of_block_memories_do_not_matter(cache: Path, tmp_path: Path) -> None:
    def design(seed: int) -> object:
        rng = np.random.default_rng(seed)
        return stitch(
            nodes.model_of([nodes.mvau(rng, mw=8, mh=8, x="UINT2", w="INT2", pe=1, simd=2)])
        )

    fresh = tmp_path / "cache"
    assert not synthesize(design(1), fresh, 1).nodes[0].cached  # type: ignore[arg-type]
    assert synthesize(design(2), fresh, 1).nodes[0].cached  # type: ignore[arg-type]


def test_netlists_hold_what_was_counted(synthesised: tuple[object, SynthesisResult]) -> None:
    _, result = synthesised
    netlist = json.loads(result.nodes[0].netlist.read_text())
    cells = [c["type"] for m in netlist["modules"].values() for c in m.get("cells", {}).values()]
    assert "RAMB18E1" in cells and any(c.startswith("LUT") for c in cells)


def test_cells_that_cannot_be_counted_are_an_error() -> None:
    with pytest.raises(ToolError, match="URAM288"):
        resources({"LUT6": 3, "URAM288": 1})


@pytest.mark.parametrize(
    "widths",
    [
        {"A_BITS": 18, "B_BITS": 25, "C_BITS": 48, "P_BITS": 48},
        {"A_BITS": 25, "B_BITS": 35, "C_BITS": 48, "P_BITS": 60, "BLOCKS": 2},
        {"A_BITS": 25, "B_BITS": 35, "C_BITS": 64, "P_BITS": 60, "BLOCKS": 2, "WIDE": 1},
    ],
)
def test_factors_as_wide_as_the_dsp_ports_are_read(widths: dict[str, int], tmp_path: Path) -> None:
    """Yosys refused the widest ones, where a cast to the port's width does nothing."""
    library = Path(str(rtl.__file__)).parent / "library"
    commands = [f"read_verilog -sv -defer -I{library} {library}/qnnc_d*.sv"]
    commands += [f"chparam -set {name} {value} qnnc_dsp_affine" for name, value in widths.items()]
    commands += ["hierarchy -check -top qnnc_dsp_affine"]
    run_script(commands, tmp_path, tmp_path / "log", "reading")
