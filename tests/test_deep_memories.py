# SPDX-License-Identifier: Apache-2.0
"""Memories of several banks of block RAM: simulated, and as large as the model says."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnnc.backends.rtl.stitch import stitch
from qnnc.backends.simulation.simulate import Pressure
from qnnc.backends.synthesis import synthesize
from qnnc.compiler import api
from qnnc.compiler.dataflow import cost
from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.nodes.testing import Case, agreed
from tests.conftest import shared_file
from tests.support import nodes
from tests.support.rtl import run_rtl


def deep() -> list[Case]:
    """Rows so wide, blocks so large, and a FIFO so deep that 16,384 words do not do; and memories
    that take fewer blocks in banks."""
    return [
        nodes.windows(image=(4, 5600), kernel=(3, 1), kind="UINT2", ram="block", prefetch=1),
        nodes.shuffle(apart=(1, 131, 127), perm=(0, 2, 1), kind="INT2", ram="block"),
        nodes.fifo(elements=20000, kind="UINT3", lanes=1, depth=17000, ram="block"),
        nodes.fifo(elements=6000, kind="UINT8", lanes=1, depth=5002, ram="block"),
        nodes.windows(
            image=(5, 640), kernel=(3, 3), stride=(2, 2), channels=4, kind="INT8", ram="block"
        ),
    ]


def banks(spec: Case) -> int:
    """Banks of a node's memory."""
    node = stream_graph(nodes.model_of([spec])).nodes[0]
    width = node.ports(node.folding()).inputs[0].bits
    depth = node.depth if spec.op_type == "StreamingFIFO" else node.depth(node.folding())  # type: ignore[attr-defined]
    return cost.block_ram(width, depth - (spec.op_type == "StreamingFIFO")).banks


@pytest.mark.parametrize("pressure", [Pressure(), Pressure(source=100, sink=60, seed=4)])
def test_deep_memories_are_exact(cache: Path, pressure: Pressure) -> None:
    specs = deep()
    assert all(banks(spec) > 1 for spec in specs)
    model = nodes.model_of(specs)
    tensors = agreed(specs, model, nodes.random_inputs(specs, frames=2))
    result = run_rtl(model, tensors, cache, pressure=pressure)
    assert [(s.name, s.tensor) for s in result.streams if s.mismatches] == []


def test_deep_memories_take_what_the_model_says(cache: Path) -> None:
    design = stitch(nodes.model_of(deep()))
    for instance, node in zip(design.instances, synthesize(design, cache, 2).nodes, strict=True):
        estimate = instance.node.resources(instance.node.folding()).rounded()
        assert estimate.BRAM18 == node.resources.BRAM18, node.instance
        near = max(16, 0.15 * node.resources.LUT)
        assert abs(estimate.LUT - node.resources.LUT) <= near, node.instance


@settings(max_examples=300, deadline=None)
@given(width=st.integers(1, 600), depth=st.integers(1, 1 << 20))
def test_a_ram_of_any_depth_has_room(width: int, depth: int) -> None:
    ram = cost.block_ram(width, depth)
    assert width * depth <= ram.BRAM18 * 18 * 1024
    assert ram.banks == 1 or (ram.bank & (ram.bank - 1) == 0 and ram.bank <= cost.DEEPEST)
    assert (ram.banks - 1) * ram.bank < depth <= (ram.banks * ram.bank or cost.DEEPEST)
    if depth <= cost.DEEPEST:
        dearest = cost.block_rom(width, depth) * cost.BLOCK_IN_LUTS
        assert dearest >= ram.BRAM18 * cost.BLOCK_IN_LUTS + ram.LUT


def test_wide_rows_of_a_quantized_model(tmp_path: Path) -> None:
    """A window buffer of one lane would have 44,160 words."""
    path = shared_file("cases/qdq/wide_rows.onnx")
    report = api.compile(path, out=tmp_path / "out", fps=1000)
    assert report.verification.mismatches == 0
    assert "ConvolutionInputGenerator" in {layer.op for layer in report.layers}
