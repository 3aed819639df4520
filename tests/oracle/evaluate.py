# SPDX-License-Identifier: Apache-2.0
"""Evaluating a whole model, and holding somebody's tensors against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from tests.oracle import elementwise, moves, qlinear, sums
from tests.oracle.node import Node, Unknown
from tests.oracle.quantizers import (
    Quantized,
    dequantize_linear,
    qonnx_quantizer,
    quantize_linear,
)
from tests.oracle.spans import Array, Span, round32

QONNX = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")
ZERO_POINTS = {
    "QLinearConv": 7, "QLinearMatMul": 7, "QGemm": 8, "QLinearAdd": 7, "QLinearMul": 7,
    "QLinearSigmoid": 4, "QLinearLeakyRelu": 4, "QLinearConcat": 1, "QLinearAveragePool": 4,
    "QLinearGlobalAveragePool": 4, "QuantizeLinear": 2,
}  # fmt: skip
"""Which operand tells the type of stored integers."""
PLAIN = {**elementwise.HANDLERS, **moves.HANDLERS, **sums.HANDLERS}
LABELS = ("ArgMax", "TopK")


@dataclass(frozen=True)
class Fault:
    """An element that is none of the numbers that it may be.

    Attributes:
        tensor: of the user's file.
        index: of the element, the sample first.
        found: what it is.
        low: the least that it may be.
        high: the greatest.
        count: how many of the tensor's elements are wrong.
    """

    tensor: str
    index: tuple[int, ...]
    found: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        right = f"{self.low:g}" if self.low == self.high else f"{self.low:g} to {self.high:g}"
        return (
            f"{self.tensor}{list(self.index)} is {self.found:g}, not {right} ({self.count} wrong)"
        )


@dataclass
class Run:
    """What came of a run.

    Attributes:
        spans: all tensors by name.
        zeros: zero points of tensors that hold stored integers, by name.
        faults: of the tensors that were compared, in the graph's order.
        compared: names of the tensors that were compared.
        open: elements at a quantizer that may be one of several codes.
        near: those of them where somebody's code is not the one nearest to real arithmetic.
    """

    spans: dict[str, Span] = field(default_factory=dict)
    zeros: dict[str, Array] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    compared: list[str] = field(default_factory=list)
    open: int = 0
    near: int = 0


class Oracle:
    """A model that can be run on samples.

    Raises:
        Unknown: it has an operator that the oracle does not know.
    """

    def __init__(self, proto: onnx.ModelProto) -> None:
        opset = next(o.version for o in proto.opset_import if o.domain in ("", "ai.onnx"))
        graph = proto.graph
        self.nodes = [Node.of(node, opset) for node in graph.node]
        self.constants = {t.name: Span.of(_array(t), constant=True) for t in graph.initializer}
        self.inputs = [v.name for v in graph.input if v.name not in self.constants]
        self.outputs = [v.name for v in graph.output]
        self.kinds = _kinds(proto)

    def run(
        self,
        feeds: Mapping[str, NDArray[Any]],
        observed: Mapping[str, NDArray[Any]] | None = None,
        centred: frozenset[str] = frozenset(),
        lacking: Mapping[str, NDArray[np.bool_]] | None = None,
    ) -> Run:
        """Run on samples, the first axis of every input.

        Args:
            observed: tensors that somebody computed, to be compared. Where a quantizer may give
                either of several codes, theirs is taken on, so that what follows is compared
                with what follows from it.
            centred: names of observed tensors of stored integers that are given without their
                zero point.
            lacking: elements that observed tensors lack, since nothing depends on them: whatever
                they may be, they are still.
        """
        run = Run(dict(self.constants))
        for name in self.inputs:
            run.spans[name] = Span.of(feeds[name])
        theirs = observed or {}
        for node in self.nodes:
            self._step(node, run, theirs, centred, lacking or {})
        return run

    def _step(
        self,
        node: Node,
        run: Run,
        theirs: Mapping[str, NDArray[Any]],
        centred: frozenset[str],
        lacking: Mapping[str, NDArray[np.bool_]],
    ) -> None:
        x = [run.spans[name] if name else None for name in node.inputs]
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            results = self._apply(node, x, run.zeros)
        for name, result in zip(node.outputs, results, strict=False):
            if not name:
                continue
            span = result.span if isinstance(result, Quantized) else result
            if isinstance(result, Quantized):
                if result.zero is not None:
                    run.zeros[name] = result.zero
                if not span.constant:
                    run.open += int(np.sum(span.low != span.high))
            if name in theirs:
                found = np.asarray(theirs[name], np.float64).reshape(span.shape)
                if name in centred:
                    found = found + run.zeros.get(name, np.zeros(()))
                absent = np.zeros(span.shape, dtype=bool)
                if name in lacking:
                    absent |= lacking[name].reshape(span.shape)
                    found = np.where(absent, span.low, found)
                span = self._compare(run, name, node, span, result, found, absent)
            run.spans[name] = span

    def _compare(
        self,
        run: Run,
        name: str,
        node: Node,
        span: Span,
        result: Span | Quantized,
        found: Array,
        absent: NDArray[np.bool_],
    ) -> Span:
        if isinstance(result, Quantized):
            room = np.abs(result.step) / 4
        else:
            room = np.full((), 0.25) if node.op in LABELS else _room(span)
        self._check(run, name, span, room, found)
        if isinstance(result, Quantized) and not span.certain:
            taken = np.clip(found, span.low, span.high)
            far = np.abs(found - result.nearest(span)) > room
            run.near += int(np.sum(far & ~absent))
            slack = np.abs(round32(taken) - taken) + span.slack
            taken = round32(taken)
            slack = slack if np.any(slack) else np.zeros(())
            if not np.any(absent):
                return Span(taken, taken, slack)
            low, high = (np.where(absent, end, taken) for end in (span.low, span.high))
            return Span(low, high, slack)
        return span

    @staticmethod
    def _check(run: Run, name: str, span: Span, room: Array, found: Array) -> None:
        run.compared.append(name)
        wrong = ~((found >= span.low - room) & (found <= span.high + room))
        wrong &= ~(np.isnan(found) & (np.isnan(span.low) | np.isnan(span.high)))
        if wrong.any():
            index = tuple(int(i) for i in np.argwhere(wrong)[0])
            ends = (float(a[index]) for a in (found, span.low, span.high))
            run.faults.append(Fault(name, index, *ends, int(wrong.sum())))

    def hold(self, run: Run, name: str, found: NDArray[Any]) -> None:
        """Hold a tensor, such as an output of the model, against what a run says of it."""
        span = run.spans[name]
        found = np.asarray(found, np.float64)
        if span.constant:  # somebody's copies of it, one per sample or one in all
            found = found.reshape(-1, *span.shape)
            for copy in found:
                self._check(run, name, span, _room(span), copy)
            return
        self._check(run, name, span, _room(span), found.reshape(span.shape))

    def _apply(
        self, node: Node, x: list[Span | None], zeros: dict[str, Array]
    ) -> list[Span] | list[Quantized]:
        if node.domain in QONNX and node.op in ("Quant", "IntQuant", "BipolarQuant", "Trunc"):
            return [qonnx_quantizer(node, x)]
        if node.op == "QuantizeLinear":
            return [quantize_linear(node, x, self.kinds)]
        if node.op == "DequantizeLinear":
            return [dequantize_linear(node, x)]
        if node.op in qlinear.HANDLERS:
            return [qlinear.HANDLERS[node.op](node, x, self.kinds[node.outputs[0]])]
        if node.op in ("MatMulInteger", "ConvInteger"):
            return [qlinear.integer_product(node, x)]
        if node.op == "Constant":
            return [Span.of(_constant(node), constant=True)]
        handler = PLAIN.get(node.op) if node.domain == "" else None
        if handler is None:
            raise Unknown(f"{node.domain}.{node.op}")
        if node.inputs and node.inputs[0] in zeros and node.op in moves.HANDLERS:
            for name in node.outputs:
                zeros[name] = zeros[node.inputs[0]]
        return handler(node, x)


def _room(span: Span) -> Array:
    """What is too little to be a difference, of a tensor that no quantizer gives."""
    return np.maximum(np.abs(span.low), np.abs(span.high)) * 2.0**-20 + span.slack


def _array(tensor: onnx.TensorProto) -> NDArray[Any]:
    return np.asarray(numpy_helper.to_array(tensor)).astype(np.float64)


def _constant(node: Node) -> NDArray[Any]:
    for name, value in node.attributes.items():
        if name == "value":
            return _array(value)
        return np.asarray(value, np.float64)
    raise Unknown("Constant without a value")


def _kinds(proto: onnx.ModelProto) -> dict[str, int]:
    """Element types of stored integers, by name: those of the zero points."""
    types = {t.name: t.data_type for t in proto.graph.initializer}
    found = {}
    for node in proto.graph.node:
        place = ZERO_POINTS.get(node.op_type)
        if place is None:
            continue
        kind = next((a.i for a in node.attribute if a.name == "output_dtype" and a.i), 0)
        if not kind and len(node.input) > place:
            kind = types.get(node.input[place], 0)
        found[node.output[0]] = kind or TensorProto.UINT8
    return found
