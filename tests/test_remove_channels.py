# SPDX-License-Identifier: Apache-2.0
"""remove-channels: networks with dead channels cost what they cost without them."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import numpy_helper

from benchmarks.qonnx_graph import QonnxGraph
from qnnc.compiler.dataflow import declaration, is_dataflow
from qnnc.compiler.dataflow.base import Role
from qnnc.compiler.passes.remove_channels import _as_well
from qnnc.compiler.resources import Resources
from tests.conftest import shared_file
from tests.support.build import compile_proto, run_main


def total(model: ir.Model) -> Resources:
    """Of all nodes as they are folded."""
    found = Resources()
    for node in model.graph:
        if is_dataflow(node):
            declared = declaration(node)
            found += declared.resources(declared.folding())
    return found


def products(model: ir.Model) -> list[tuple[int, int]]:
    """Inputs and outputs of every product."""
    found = []
    for node in model.graph:
        if is_dataflow(node) and declaration(node).role is Role.PRODUCT:
            found.append((node.attributes["MW"].as_int(), node.attributes["MH"].as_int()))
    return found


def shrunken(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The network without hidden channels that nobody reads."""
    small = onnx.ModelProto()
    small.CopyFrom(proto)
    weights = {t.name: numpy_helper.to_array(t) for t in small.graph.initializer}
    names = sorted(name for name, array in weights.items() if array.ndim == 2)
    for first, second in zip(reversed(names[:-1]), reversed(names[1:]), strict=True):
        live = np.flatnonzero(weights[second].any(axis=1))
        weights[first], weights[second] = weights[first][:, live], weights[second][live]
    for tensor in small.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name], tensor.name))
    del small.graph.value_info[:]
    return small


@pytest.mark.parametrize("name", ["small_in90", "small_out75", "jet_in90"])
def test_pruned_networks_cost_what_shrunken_ones_cost(name: str) -> None:
    proto = onnx.load(shared_file(f"cases/sparse/{name}.onnx"))
    costs = []
    for given in (proto, shrunken(proto)):
        model, outcome, _ = compile_proto(given, fold=True, fps=1e8, budget=float("inf"))
        assert outcome.mismatches == 0
        costs.append(total(model).LUT)
    assert costs[0] <= 1.05 * costs[1]


def image_network() -> onnx.ModelProto:
    """Convolutions, a sum of branches, a pool and a concatenation, of 8 channels each, of which
    four of the sum and four beside it have no weights after them."""
    g = QonnxGraph(seed=3)
    x = g.quantize(g.input((2, 6, 6)), 3, 0.2, signed=False)
    first = g.activation(g.batch_norm(g.conv(x, 8, (3, 3), 3, pads=1)), 3)
    branch = g.activation(g.conv(first, 8, (3, 3), 3, pads=1), 3)
    both = g.pool(g.activation(g.add(first, branch), 3), 2)
    side = g.activation(g.conv(x, 8, (1, 1), 3, stride=2), 3)
    last = g.activation(g.conv(g.concat(both, side), 4, (3, 3), 3), 3)
    proto = g.model(g.linear(g.flatten(last), 5, 3))
    convolutions = [t for t in proto.graph.initializer if len(t.dims) == 4]
    for tensor, dead in (
        (convolutions[1], [1, 2, 3, 4]),
        (convolutions[3], [*range(1, 5), *range(9, 13)]),
    ):
        array = numpy_helper.to_array(tensor).copy()
        array[:, dead] = 0
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return proto


def test_through_convolutions_sums_pools_and_concatenations() -> None:
    model, outcome, runs = compile_proto(image_network())
    assert outcome.mismatches == 0
    # two more channels beside the sum are never above zero
    assert sorted(products(model)) == [(2, 2), (4, 5), (18, 4), (36, 4), (54, 4)]
    reasons = [r.text for run in runs for r in run.reasons if "no effect" in r.text]
    assert sorted(reasons) == [f"{n} of 8 channels have no effect: removed" for n in (4, 4, 6)]


def test_constant_channels_go_into_the_thresholds_after_them() -> None:
    g = QonnxGraph(seed=1)
    x = g.quantize(g.input((12,)), 3, 0.2, signed=False)
    y = g.activation(g.batch_norm(g.linear(x, 8, 3)), 3, "Sigmoid")
    y = g.activation(g.batch_norm(g.linear(y, 6, 3)), 3)
    proto = g.model(g.linear(y, 5, 3))
    tensor = next(t for t in proto.graph.initializer if list(t.dims) == [12, 8])
    array = numpy_helper.to_array(tensor).copy()
    array[:, [0, 2, 5, 7]] = 0
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    model, outcome, _ = compile_proto(proto, samples=200)
    assert outcome.mismatches == 0
    # three of the second layer's channels are never above zero
    assert products(model) == [(12, 4), (4, 3), (3, 5)]


def test_why_says_how_sparse_layers_are(capfd: pytest.CaptureFixture[str]) -> None:
    path = shared_file("cases/sparse/small_in90.onnx")
    code, output, errors = run_main(capfd, "why", path, "--json")
    assert code == 0, errors
    said = [node["reason"] for node in json.loads(output)["nodes"] if node["op"] == "MatMul"]
    assert "of 16 channels have no effect: removed" in said[0]
    assert "weights are zero and are stored like any other" in said[0]


def test_lanes_are_not_lost_to_odd_numbers() -> None:
    assert _as_well(64, 32) and _as_well(64, 48) and _as_well(64, 56) and _as_well(10, 5)
    assert not _as_well(64, 61) and not _as_well(64, 63)
