# SPDX-License-Identifier: Apache-2.0
"""host-boundary: which operators run on the host before the accelerator, in it, and after it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.integer import layout
from qnnc.compiler.ir.edit import QNNC, QONNX, ancestors, constant
from qnnc.compiler.ir.facts import (
    ACCELERATOR,
    HOST_POST,
    HOST_PRE,
    integer,
    part,
    reason,
    remedy,
    set_part,
    sources,
    user_operator,
)
from qnnc.compiler.ir.operators.states import is_read
from qnnc.compiler.passes.base import Pass
from qnnc.compiler.rewrites import RECURRENT, rewrite

CORE = frozenset(
    {
        (QNNC, "IntegerConv"),
        (QNNC, "SumPool"),
        (QNNC, "IntegerSoftmax"),
        (QNNC, "InsertZeros"),
        (QNNC, "StateWrite"),
        (QONNX, "XnorPopcountMatMul"),
        (QONNX, "MultiThreshold"),
        *(
            ("", name)
            for name in (
                "MatMul",
                "Add",
                "Mul",
                "MaxPool",
                "Concat",
                "Split",
                "Slice",
                "Pad",
                "Resize",
                "Upsample",
                "Expand",
                "Gather",
                "TopK",
                "ArgMax",
            )
        ),
    }
)
"""Operators that are worth an accelerator when their input is integer."""


MOVES = layout.OPERATORS | {"DepthToSpace", "SpaceToDepth"}
"""Operators that only move elements: they go where their neighbours go."""
SCALES = frozenset({"Dequantize", "Cast", "Mul", "Div", "Add", "Sub"})
LAYERS = frozenset({"MatMul", "Gemm", "Conv", "ConvTranspose"})
"""Operators that people expect in the accelerator."""


RANKING = ("TopK", "ArgMax")
"""Operators that take labels."""


@dataclass
class HostBoundary(Pass):
    """Split the graph into host preprocessing, accelerator and host postprocessing.

    Options:
        host_layers: allow whole layers to stay on the host, in floating point.
    """

    name = "host-boundary"
    host_layers: bool = False

    def run(self, model: ir.Model) -> bool:
        nodes = list(model.graph)
        core = {node for node in nodes if _on_integers(node)}
        if not core:
            raise ModelError(_why_nothing(model))
        before = ancestors(core)
        for node in nodes:
            if node in core:
                set_part(node, ACCELERATOR)
            else:
                set_part(node, HOST_PRE if node in before else HOST_POST)
        try:
            for node in nodes:
                _check_order(node)
            if not self.host_layers:
                _check_layers(nodes)
        finally:  # of a refused model, too
            self._explain(model)
        return True

    def _explain(self, model: ir.Model) -> None:
        """Say why what runs on the host does, and what would move it, but for what was done."""
        declared = all(integer(value) is not None for value in model.graph.inputs)
        ranking = [node for node in model.graph if node.op_type in RANKING]
        for node in model.graph:
            if part(node) == ACCELERATOR or reason(node):
                continue
            if part(node) == HOST_PRE:
                self.leave(node, *_why_before(node, declared))
            elif _scales_codes(node):
                self.leave(node, "the host only gives codes their scale")
            else:
                self.leave(node, *_why_after(ranking))


def _why_before(node: ir.Node, declared: bool) -> tuple[str, str]:
    """Why a node runs on the host before the accelerator, and what would move it."""
    if not declared:
        text = "it comes before the first integer tensor"
        return text, "say with --input-type what the real input is"
    if node.op_type in MOVES or node.op_type == "Cast":
        return "it only hands on the input, which is declared already", ""
    return "it computes in floating point, and no quantizer follows it", "put a quantizer after it"


def _scales_codes(node: ir.Node) -> bool:
    """Whether a node does no more than shift, scale or move what a quantizer has given."""
    while node.op_type in SCALES or node.op_type in MOVES:
        varying = [v for v in node.inputs if v is not None and constant(v) is None]
        if len(varying) != 1:
            return False
        fact, producer = integer(varying[0]), varying[0].producer()
        if fact is not None:
            return fact.quantized
        if producer is None:
            return False
        node = producer
    return False


def _why_after(ranking: Sequence[ir.Node]) -> tuple[str, str]:
    """The same of a node after the accelerator, in a graph with these operators for labels."""
    if not ranking:
        return "no quantizer follows it", "put a quantizer after it, or take labels with --top-k"
    late = [node for node in ranking if part(node) != ACCELERATOR]
    if not late:
        return "only the form of the labels is left to the host", ""
    text = "labels are taken after it, on the host"
    why = reason(late[0]).removeprefix(f"{late[0].op_type} stays on the host: ")
    return f"{text}: {why}" if why else text, "put a quantizer before the labels are taken"


def _on_integers(node: ir.Node) -> bool:
    source = node.inputs[0] if node.inputs else None
    if is_read(node):
        return integer(node.outputs[0]) is not None
    if (node.domain, node.op_type) not in CORE or source is None:
        return False
    labels = node.op_type in RANKING
    return (integer(source) is not None or _is_widened(source)) and (
        labels or integer(node.outputs[0]) is not None
    )


def _is_widened(value: ir.Value) -> bool:
    """A Cast to float64 of an integer tensor."""
    node = value.producer()
    if node is None or node.op_type != "Cast" or node.inputs[0] is None:
        return False
    return integer(node.inputs[0]) is not None


def _check_order(node: ir.Node) -> None:
    """No host operator may stand between two parts of the accelerator."""
    if part(node) != HOST_PRE:
        return
    for value in node.inputs:
        producer = value.producer() if value is not None else None
        if producer is None or part(producer) != ACCELERATOR:
            continue
        if node.op_type in MOVES or node.op_type == "Cast":
            set_part(node, ACCELERATOR)
            return
        culprit = _explained(node) or node
        why = reason(culprit) or f"{culprit.op_type} computes in floating point"
        advice = remedy(culprit) or _advice(node, up=False)
        if not advice and ";" not in why:  # where the reason itself says what helps
            advice = "put a quantizer after it, or an operator that qnnc supports in its place"
        raise ModelError(
            f"node {quote(_named(culprit))} lies between two quantized layers and cannot go into "
            f"hardware: {why}{f'; {advice}' if advice else ''}"
        )


def _explained(node: ir.Node) -> ir.Node | None:
    """The nearest operator after `node`, itself included, that a pass gave a reason for."""
    waiting, seen = deque([node]), {node}
    while waiting:
        current = waiting.popleft()
        if reason(current):
            return current
        for value in current.outputs:
            for user, _ in value.uses():
                if user not in seen and part(user) == HOST_PRE:
                    seen.add(user)
                    waiting.append(user)
    return None


def _advice(node: ir.Node, *, up: bool) -> str:
    """What to write instead of the nearest operator that keeps `node` out of hardware, itself
    included, among those that its inputs come from (`up`) or that use its outputs."""
    waiting, seen = deque([node]), {node}
    while waiting:
        current = waiting.popleft()
        found = rewrite(current.op_type)
        if found:
            return f"{current.op_type} node {quote(_named(current))}: {found}"
        if up:
            near = [value.producer() for value in current.inputs if value is not None]
        else:
            near = [user for value in current.outputs for user, _ in value.uses()]
        for other in near:
            if other is not None and other not in seen and part(other) != ACCELERATOR:
                seen.add(other)
                waiting.append(other)
    return ""


def _check_layers(nodes: list[ir.Node]) -> None:
    """A layer on the host is more often a forgotten quantizer than meant."""
    for node in nodes:
        if node.op_type in LAYERS and part(node) != ACCELERATOR:
            why = reason(node) or "it stays in floating point"
            advice = remedy(node) or _advice(node, up=True)
            if not advice and ";" not in why:
                advice = "quantize it"
            rest = f"{advice}, or allow" if advice else "or allow"
            raise ModelError(
                f"node {quote(_named(node))}: {why}; {rest} layers on the host with --host-layers"
            )


def _named(node: ir.Node) -> str:
    found = sources(node)
    return found[0] if found else str(node.name)


def _has_quantized_weights(node: ir.Node) -> bool:
    """A layer of which a constant is integers, or which has no constant."""
    constants = [v for v in node.inputs[:2] if v is not None and constant(v) is not None]
    return not constants or any(integer(value) is not None for value in constants)


def _why_nothing(model: ir.Model) -> str:
    products = [node for node in model.graph if node.op_type in ("MatMul", "Gemm", "Conv")]
    recurrent = [node for node in model.graph if node.op_type in RECURRENT]
    if recurrent and not products:
        node = recurrent[0]
        return (
            f"node {quote(_named(node))}: {node.op_type} carries its state in floating point from "
            f"step to step, also where its weights are quantized; {rewrite(node.op_type)}"
        )
    if not products:
        return "the model has no MatMul, so that there is nothing to accelerate"
    node = products[0]
    quantized = any(integer(value) is not None for each in model.graph for value in each.outputs)
    if not quantized and not any(_has_quantized_weights(product) for product in products):
        return (
            f"this is a float network: no layer has quantized weights ({user_operator(node)} "
            f"{quote(_named(node))}, ...); build it with --quantize SAMPLES, or see first what "
            "that costs with qnnc quantize MODEL --calibrate SAMPLES -o QUANTIZED"
        )
    why = reason(node)
    if not why:
        loose = [v for v in node.inputs if v is not None and integer(v) is None]
        why = f"tensor {quote(loose[0].name) if loose else 'its input'} has no quantizer"
    if ";" in why:  # the reason itself says what helps
        return f"node {quote(_named(node))}: {why}"
    return (
        f"node {quote(_named(node))}: {why}; quantize it, or say with --input-type what the "
        "model's input is"
    )
