# SPDX-License-Identifier: Apache-2.0
"""Models with many branches: one compilation tries them all."""

from __future__ import annotations

from collections.abc import Callable

import onnx
from onnx import TensorProto, helper

from benchmarks.qonnx_graph import QONNX, QonnxGraph, Tensor
from qnnc.compiler.ir.facts import ACCELERATOR, HOST_POST, part, sources
from tests.support.build import compile_proto

Branch = Callable[[QonnxGraph, str], str]


def model(
    shape: tuple[int, ...], branches: list[Branch], seed: int = 0, *, line: bool = False
) -> onnx.ModelProto:
    """A quantized input, a convolution or product with its quantizer (codes 0 to 15, scale 0.25),
    and from there each branch to a quantizer and an output.

    Args:
        shape: without the batch.
        line: it is [C, L], an image of one dimension.
    """
    g = QonnxGraph(seed)
    x = g.quantize(g.input(shape), 4, 0.25)
    if len(shape) == 3 or line:
        kernel = (1,) if line else (1, 1)
        x = g.activation(g.conv(x, shape[0], kernel, 4), 4, "Relu", 0.25)
    else:
        w = g.weights((shape[-1], shape[-1]), 4, axis=1)
        product = Tensor(g.op("MatMul", [x.name, w])[0], shape)
        x = g.activation(product, 4, "Relu", 0.25)
    outputs = []
    for index, branch in enumerate(branches):
        y = g.quantize(Tensor(branch(g, x.name), ()), 6, 0.3)
        outputs.append(g.op("Identity", [y.name])[0])
        g.nodes[-1].name = f"end_{index}"
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs]
    graph = helper.make_graph(g.nodes, "g", g.inputs, values, g.constants)
    opsets = [helper.make_opsetid("", 19), helper.make_opsetid(QONNX, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def exact(proto: onnx.ModelProto, operator: str) -> None:
    """It compiles, equals the golden graph, and the operator is in hardware."""
    compiled, outcome, _ = compile_proto(proto, samples=8, each=False)
    assert outcome.mismatches == 0, outcome.first
    named = {node.name for node in proto.graph.node if node.op_type == operator}
    inside = {s for node in compiled.graph if part(node) == ACCELERATOR for s in sources(node)}
    after = {s for node in compiled.graph if part(node) == HOST_POST for s in sources(node)}
    assert named <= inside and not named & after
