# SPDX-License-Identifier: Apache-2.0
"""Running a tail in ONNX Runtime at chosen integers.

The tail's own operators run, in float32 and in the golden graph's order, so that thresholds are
exact by construction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.ir.edit import attribute, shape_of
from qnnc.compiler.ir.facts import FloatArray, IntArray, as_integers, integer
from qnnc.compiler.reference import Session, expand
from qnnc.compiler.tails.collect import Place, Tail
from qnnc.compiler.tails.curves import ROUNDING

CHUNK = 1 << 20
"""Elements evaluated in one run."""
SMALL = 1 << 16
"""Elements up to which one thread is enough."""


@dataclass(frozen=True)
class Steps:
    """A tail as its range and where its code changes.

    Attributes:
        low: least integer of each channel, [channels].
        high: greatest integer of each channel, [channels].
        first: code at `low`, [channels].
        at: for each channel the integers at which the code changes, ascending.
        to: for each channel the code from there on.
        exhaustive: the tail was evaluated at every integer of the range.
    """

    low: IntArray
    high: IntArray
    first: IntArray
    at: tuple[IntArray, ...]
    to: tuple[IntArray, ...]
    exhaustive: bool = False


class Evaluator:
    """Runs a tail on integers of chosen channels."""

    def __init__(self, model: ir.Model, tail: Tail) -> None:
        self.tail = tail
        shape = shape_of(tail.codes if tail.place is Place.AFTER else tail.anchor)
        keep_all = tail.place is Place.BOTH
        rank = len(shape)
        self._dims = [
            size if keep_all or axis - rank in tail.axes else 1 for axis, size in enumerate(shape)
        ][1:]
        self._order = _order(tail.layouts, shape) if keep_all else None
        self._model, self._rank = model, rank
        plain = self._plain(tail.codes)
        self._dtype = np.float64 if tail.anchor.dtype == ir.DataType.DOUBLE else np.float32
        self.channels = math.prod(self._dims)
        fact = integer(tail.anchor)
        assert fact is not None
        low, high = fact.low, fact.high
        if tail.layouts and tail.place is not Place.BEFORE:  # channels may lie elsewhere then
            low, high = low.min(), high.max()
        full = [1, *shape[1:]]
        self.low = self._per_channel(low, full, np.min)
        self.high = self._per_channel(high, full, np.max)
        # a pool of threads takes longer to start than a small range to evaluate
        span = int((self.high - self.low).max()) + 1
        self._threads = 1 if span * self.channels <= SMALL else 0
        self._session = Session(plain, threads=self._threads)
        self._shifted: Session | None = None
        self._before: dict[ir.Value, Session] = {}
        self._reach: dict[ir.Node, float] = {}

    def _per_channel(self, bound: IntArray, shape: list[int], reduce: object) -> IntArray:
        """A bound for each channel, over the axes along which the function is the same."""
        array = np.broadcast_to(bound, shape)
        merged = tuple(
            axis for axis in range(1, len(shape)) if self._dims[axis - 1] == 1 and shape[axis] > 1
        )
        if merged:
            array = reduce(array, axis=merged, keepdims=True)  # type: ignore[operator]
        return np.asarray(array, dtype=np.int64).ravel()

    def _plain(self, end: ir.Value) -> ir.Model:
        """The tail up to a tensor, in standard operators."""
        tail = self.tail
        plain = expand(
            self._model,
            inputs=[tail.anchor],
            outputs=[end],
            nodes=tail.nodes,
            any_shape=True,
            any_batch=True,
            skip=() if tail.place is Place.BOTH else tail.layouts,
        )
        if tail.place is Place.AFTER:  # fed as what the layout operators make of the anchor
            plain.graph.inputs[0].shape = ir.Shape([f"{axis}" for axis in range(self._rank)])
        return plain

    def run(self, x: IntArray) -> IntArray:
        """Codes at the integers x [rows, channels]."""
        return self._codes(self._session, x, {})

    def ends(self, x: IntArray) -> tuple[IntArray, IntArray]:
        """Least and greatest codes at the integers x [rows, channels], should the library's
        functions be off by twice what they can be."""
        rounded = self._rounded()
        if not rounded:
            codes = self.run(x)
            return codes, codes
        if self._shifted is None:
            self._shifted = Session(_with_errors(self._plain(self.tail.codes), rounded), 0)
        least = greatest = None
        for errors in np.ndindex(*(2,) * len(rounded)):
            signs: dict[str, NDArray[Any]] = {
                f"{name}#error": np.asarray(2 * error - 1, dtype=np.float32)
                for error, name in zip(errors, rounded, strict=True)
            }
            codes = self._codes(self._shifted, x, signs)
            least = codes if least is None else np.minimum(least, codes)
            greatest = codes if greatest is None else np.maximum(greatest, codes)
        assert least is not None and greatest is not None
        return least, greatest

    def _rounded(self) -> dict[str, float]:
        """Tensors that the library computes only to so many times ROUNDING, by name."""
        pairs = zip(self.tail.nodes, self.tail.curves or (), strict=False)
        return {
            str(node.outputs[0].name): c.rounded * self._reach.get(node, 1.0)
            for node, c in pairs
            if c is not None and c.rounded
        }

    def _codes(self, session: Session, x: IntArray, more: dict[str, NDArray[Any]]) -> IntArray:
        name, rows = str(self.tail.codes.name), max(1, CHUNK // self.channels)
        found = np.empty(x.shape, dtype=np.int64)
        for start in range(0, len(x), rows):
            part = x[start : start + rows]
            codes: NDArray[np.floating] = session.run({**self._feeds(part), **more}, [name])[name]
            if not np.all(np.isfinite(codes)):
                raise Unsupported("it gives values that are not finite")
            found[start : start + rows] = as_integers(codes).reshape(part.shape)
        if self._order is not None:
            found[:, self._order] = found.copy()
        return found

    def _feeds(self, x: IntArray) -> dict[str, NDArray[Any]]:
        return {str(self.tail.anchor.name): x.astype(self._dtype).reshape(-1, *self._dims)}

    def measure(self, node: ir.Node, reads: ir.Value, x: IntArray) -> None:
        """Let the rounding of `node` count times the largest magnitude of what it reads, at the
        integers x [rows, channels] between which that has no extremes."""
        values = self.values(reads, np.clip(x, self.low, self.high))
        if not np.all(np.isfinite(values)):
            raise Unsupported("it gives values that are not finite")
        self._reach[node] = max(1.0, float(np.abs(values).max()))

    def values(self, value: ir.Value, x: IntArray) -> FloatArray:
        """A tensor of the tail, at the integers x [rows, channels]."""
        if value is self.tail.anchor:
            return x.astype(self._dtype).astype(np.float64)
        if value not in self._before:
            self._before[value] = Session(self._plain(value), self._threads)
        rows, found = max(1, CHUNK // self.channels), np.empty(x.shape)
        for start in range(0, len(x), rows):
            part = x[start : start + rows]
            got = self._before[value].run(self._feeds(part))[str(value.name)]
            found[start : start + rows] = got.reshape(part.shape)
        return found

    def by_channel(self, array: NDArray[np.int64]) -> IntArray:
        """What broadcasts against the tensor inside the tail, for each channel.

        Raises:
            Unsupported: the tail moves elements between operators that differ among them.
        """
        if array.size == 1:
            return np.full(self.channels, int(array.reshape(())))
        if self._order is not None:
            raise Unsupported("its parameters differ on both sides of a reshape")
        spread: IntArray = np.broadcast_to(array, (1, *self._dims)).ravel()
        return spread


def _order(layouts: Sequence[ir.Node], shape: Sequence[int]) -> IntArray:
    """Where each element after the layout operators stood before them."""
    places = np.arange(math.prod(shape), dtype=np.int64).reshape(shape)
    for node in layouts:
        if node.op_type == "Transpose":
            places = places.transpose(attribute(node, "perm", list(range(places.ndim))[::-1]))
        places = places.reshape(shape_of(node.outputs[0]))
    return places.ravel()


def _with_errors(plain: ir.Model, rounded: dict[str, float]) -> ir.Model:
    """A model in which some tensors y are y + s * 2 * ROUNDING * max(|y|, 1), with s an input for
    each."""
    graph = plain.graph
    for node in list(graph):
        for value in list(node.outputs):
            if value.name in rounded:
                _add_error(graph, node, value, 2 * ROUNDING * rounded[str(value.name)])
    return plain


def _add_error(graph: ir.Graph, node: ir.Node, value: ir.Value, share: float) -> None:
    name, kind = str(value.name), ir.TensorType(value.dtype or ir.DataType.FLOAT)
    sign = ir.Value(name=f"{name}#error", shape=ir.Shape(()), type=ir.TensorType(ir.DataType.FLOAT))
    graph.inputs.append(sign)
    constants = []
    for number, what in ((1.0, "least"), (1e30, "most"), (share, "share")):
        tensor = ir.tensor(np.asarray(number, dtype=np.float32), name=f"{name}#{what}")
        found = ir.Value(name=tensor.name, const_value=tensor, shape=ir.Shape(()), type=kind)
        graph.register_initializer(found)
        constants.append(found)
    users = list(value.uses())
    nodes = [ir.node("Abs", [value])]
    nodes.append(ir.node("Clip", [nodes[-1].outputs[0], constants[0], constants[1]]))
    nodes.append(ir.node("Mul", [nodes[-1].outputs[0], constants[2]]))
    nodes.append(ir.node("Mul", [nodes[-1].outputs[0], sign]))
    nodes.append(ir.node("Add", [value, nodes[-1].outputs[0]]))
    for index, made in enumerate(nodes):
        made.outputs[0].name = f"{name}#{index}"
    graph.insert_after(node, nodes)
    for user, index in users:
        user.replace_input_with(index, nodes[-1].outputs[0])
