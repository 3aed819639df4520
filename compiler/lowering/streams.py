# SPDX-License-Identifier: Apache-2.0
"""The streams of a model that is being lowered, and how their elements are ordered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qnnc.compiler.dataflow.base import NewNode
from qnnc.compiler.dataflow.loops import loops_of
from qnnc.compiler.dataflow.plumbing import shuffler
from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.integer.layout import OPERATORS as LAYOUTS
from qnnc.compiler.ir.edit import FINN, Editor, shape_of
from qnnc.compiler.ir.facts import (
    ACCELERATOR,
    HOST_POST,
    HOST_PRE,
    IntArray,
    Integer,
    integer,
    part,
    set_integer,
    set_part,
    sources,
)

SPATIAL = frozenset(
    {
        "IntegerConv",
        "MaxPool",
        "SumPool",
        "InsertZeros",
        "Resize",
        "Upsample",
        "DepthToSpace",
        "SpaceToDepth",
    }
)
"""Operators on images, channels first."""


@dataclass(frozen=True, eq=False)
class StreamLayout:
    """A tensor as a stream.

    Attributes:
        value: the stream, channels last.
        order: for each element of the stream its number in the tensor, both flat; None where
            they are in the same order.
    """

    value: ir.Value
    order: IntArray | None

    @property
    def numbers(self) -> IntArray:
        """The order spelt out, flat."""
        if self.order is not None:
            return self.order
        return np.arange(math.prod(shape_of(self.value)), dtype=np.int64)


class Streams:
    """Finds and makes the streams of tensors.

    Attributes:
        editor: of the graph.
        node: the operator that is being lowered; nodes are inserted before it and come from it.
    """

    def __init__(self, editor: Editor) -> None:
        self.editor = editor
        self.node: ir.Node
        self._layouts: dict[ir.Value, StreamLayout] = {}

    # --- tensors ----------------------------------------------------------------------------

    def source(self, index: int = 0) -> ir.Value:
        """A data input of the operator, widening casts seen through."""
        value = self.node.inputs[index]
        assert value is not None
        producer = value.producer()
        if integer(value) is None and producer is not None and producer.op_type == "Cast":
            assert producer.inputs[0] is not None
            return producer.inputs[0]
        return value

    def fact(self, value: ir.Value | None) -> Integer:
        """The fact of a tensor."""
        found = None if value is None else integer(value)
        if found is None:
            raise self.error(f"tensor {quote(value.name if value else None)} is not integer")
        return found

    def error(self, text: str) -> ModelError:
        """An error that names the operator."""
        named = sources(self.node)[0] if sources(self.node) else self.node.name
        return ModelError(f"node {quote(named)}: {text}")

    # --- reading ----------------------------------------------------------------------------

    def layout_of(self, value: ir.Value) -> StreamLayout:
        """The stream of a tensor, in whatever order; one from the host is put in order there."""
        if value not in self._layouts:
            producer = value.producer()
            if producer is not None and part(producer) == ACCELERATOR:
                raise self.error(f"tensor {quote(value.name)} has no stream")
            self._layouts[value] = self._entry(value)
        return self._layouts[value]

    def image(self, value: ir.Value) -> ir.Value:
        """The stream [1, H, W, C] of a tensor [1, C, H, W] or [1, C, L]."""
        shape = shape_of(value)
        if len(shape) not in (3, 4):
            raise self.error(
                f"tensor {quote(value.name)} is not an image: its shape is {list(shape)}"
            )
        return self.ordered(value, channels_last(shape), image_shape(shape))

    def plain(self, value: ir.Value) -> ir.Value:
        """The stream of a tensor in the tensor's own order."""
        return self.ordered(value, None, frame_shape(shape_of(value)))

    def ordered(self, value: ir.Value, order: IntArray | None, shape: Sequence[int]) -> ir.Value:
        """The stream of a tensor in a given order and shape, shuffled if need be; a shape without a
        batch of one in front gets one."""
        shape = frame_shape(shape)
        laid = self.layout_of(value)
        if same_order(laid.order, order):
            return self.reshaped(laid.value, shape)
        wanted = StreamLayout(laid.value, order).numbers
        place = np.empty_like(wanted)
        place[laid.numbers] = np.arange(place.size)
        return self._shuffled(value, laid, place[wanted], order, shape)

    def reshaped(self, stream: ir.Value, shape: Sequence[int]) -> ir.Value:
        """The stream with another shape, which costs nothing; likewise."""
        shape = frame_shape(shape)
        if tuple(shape) == shape_of(stream):
            return stream
        target = self.editor.initializer(f"{stream.name}_shape", np.asarray(shape, np.int64))
        y = self.editor.insert(
            self.node,
            "Reshape",
            [stream, target],
            f"{stream.name}_reshaped",
            shape=shape,
            dtype=stream.dtype or ir.DataType.FLOAT,
            origins=(self.node,),
        )
        producer, fact = y.producer(), integer(stream)
        assert producer is not None
        maker = stream.producer()
        from_host = maker is None or part(maker) == HOST_PRE
        set_part(producer, HOST_PRE if from_host else ACCELERATOR)
        if fact is not None:
            set_integer(
                y,
                Integer.of(fact.low.min(), fact.high.max(), datatype=fact.type),
            )
        return y

    # --- writing ----------------------------------------------------------------------------

    def emit(
        self,
        made: NewNode,
        inputs: Sequence[ir.Value | None],
        shapes: Sequence[Sequence[int]],
        facts: Sequence[Integer],
        dtype: ir.DataType | None = None,
    ) -> list[ir.Value]:
        """Add a dataflow node; returns its output streams."""
        first = inputs[0]
        assert first is not None
        y = self.editor.insert(
            self.node,
            made.op_type,
            inputs,
            made.op_type,
            domain=FINN,
            dtype=dtype or first.dtype or ir.DataType.FLOAT,
            origins=(self.node,),
            attributes=made.attributes,
            outputs=len(shapes),
        )
        producer = y.producer()
        assert producer is not None
        set_part(producer, ACCELERATOR)
        for value, shape, fact in zip(producer.outputs, shapes, facts, strict=True):
            value.shape = ir.Shape([int(d) for d in shape])
            set_integer(value, fact)
        return list(producer.outputs)

    def define(self, tensor: ir.Value, stream: ir.Value, order: IntArray | None) -> None:
        """Record which stream carries a tensor, in which flat order (see `StreamLayout`); the
        stream takes over the tensor's name and fact."""
        if same_order(order, None):
            order = None
        self._layouts[tensor] = StreamLayout(stream, order)
        fact = integer(tensor)
        if fact is None or integer(stream) is None:
            return
        given = integer(stream)
        assert given is not None
        set_integer(stream, restated(fact, given, shape_of(tensor), shape_of(stream), order))
        tensor.name, stream.name = f"{tensor.name}#lowered", tensor.name

    def follow(self, tensor: ir.Value, laid: StreamLayout, order: IntArray | None) -> None:
        """A tensor that is the same stream as another, in another flat order."""
        self._layouts[tensor] = StreamLayout(laid.value, None if same_order(order, None) else order)

    # --- the boundary -----------------------------------------------------------------------

    def _entry(self, value: ir.Value) -> StreamLayout:
        shape = shape_of(value)
        if not self._is_image(value):
            if shape != frame_shape(shape):
                return StreamLayout(self._framed(value), None)
            return StreamLayout(value, None)
        perm = [0, *range(2, len(shape)), 1]
        y = self.editor.insert(
            self.node,
            "Transpose",
            [value],
            f"{value.name}_channels_last",
            shape=[shape[axis] for axis in perm],
            dtype=value.dtype or ir.DataType.FLOAT,
            attributes={"perm": perm},
        )
        producer, fact = y.producer(), self.fact(value)
        assert producer is not None
        set_part(producer, HOST_PRE)
        order = channels_last(shape)
        set_integer(y, restated(fact, fact, shape, shape_of(y), order))
        return StreamLayout(y, order)

    def _framed(self, value: ir.Value) -> ir.Value:
        """A tensor whose first dimension is not the batch, as one frame."""
        shape = frame_shape(shape_of(value))
        operand = self.editor.initializer(f"{value.name}_frame", np.asarray(shape, np.int64))
        y = self.editor.insert(
            self.node,
            "Reshape",
            [value, operand],
            f"{value.name}_framed",
            shape=shape,
            dtype=value.dtype or ir.DataType.FLOAT,
        )
        producer, fact = y.producer(), self.fact(value)
        assert producer is not None
        set_part(producer, HOST_PRE)
        set_integer(y, restated(fact, fact, shape_of(value), shape, None))
        return y

    def _is_image(self, value: ir.Value) -> bool:
        """An operator on images lies after, before anything that takes vectors."""
        if len(shape_of(value)) not in (3, 4):
            return False
        stack, seen = [value], set[ir.Value]()
        while stack:
            current = stack.pop()
            if current in seen:
                continue
            seen.add(current)
            for user, _ in current.uses():
                if user.op_type in SPATIAL:
                    return True
                if user.op_type not in ("MatMul", "XnorPopcountMatMul", *LAYOUTS):
                    stack.extend(user.outputs)
        return False

    def restore(self, tensor: ir.Value) -> ir.Value:
        """A stream back in the order and shape of its tensor, for the host."""
        laid = self._layouts[tensor]
        shape, y = shape_of(tensor), _unshaped(laid.value)
        if laid.order is not None:
            if same_order(laid.order, channels_last(shape)) and len(shape) in (3, 4):
                dims = [1, *shape[2:], shape[1]]
                y = self._host("Reshape", y, np.asarray(dims, np.int64), dims)
                perm = [0, len(shape) - 1, *range(1, len(shape) - 1)]
                y = self._host("Transpose", y, None, shape, perm=perm)
            else:
                inverse = np.argsort(laid.order)
                flat = [1, laid.order.size]
                y = self._host("Reshape", y, np.asarray(flat, np.int64), flat)
                y = self._host("Gather", y, inverse, flat, axis=1)
        if shape_of(y) != shape:
            y = self._host("Reshape", y, np.asarray(shape, np.int64), shape)
        return y

    def _host(
        self,
        op: str,
        x: ir.Value,
        operand: IntArray | None,
        shape: Sequence[int],
        **attributes: object,
    ) -> ir.Value:
        inputs = [x]
        if operand is not None:
            inputs.append(self.editor.initializer(f"{x.name}_{op}_operand", operand))
        y = self.editor.insert(
            self.node,
            op,
            inputs,
            f"{x.name}_{op}",
            shape=shape,
            dtype=x.dtype or ir.DataType.FLOAT,
            attributes=attributes,
        )
        producer = y.producer()
        assert producer is not None
        set_part(producer, HOST_POST)
        return y

    # --- shuffles ---------------------------------------------------------------------------

    def _shuffled(
        self,
        tensor: ir.Value,
        laid: StreamLayout,
        picks: IntArray,
        order: IntArray | None,
        shape: Sequence[int],
    ) -> ir.Value:
        axes = transpose_of(picks)
        if axes is None:
            raise self.error(
                f"tensor {quote(tensor.name)} would have to be reordered in a way that is not "
                "a transpose"
            )
        apart, perm = axes
        fact = integer(laid.value)
        assert fact is not None
        whole = Integer.of(fact.low.min(), fact.high.max(), datatype=fact.type)
        stream = self.emit(
            shuffler().create(
                x=fact.type,
                in_shape=shape_of(laid.value),
                apart=[1, *apart],
                perm=[0, *(p + 1 for p in perm)],
                out_shape=shape,
            ),
            [laid.value],
            [shape],
            [whole],
        )[0]
        self._layouts[tensor] = StreamLayout(stream, None if same_order(order, None) else order)
        return stream


def _unshaped(stream: ir.Value) -> ir.Value:
    """What a node of the accelerator gives, before reshapes that cost nothing: that is what crosses
    to the host."""
    producer = stream.producer()
    while producer is not None and producer.op_type == "Reshape" and part(producer) == ACCELERATOR:
        source = producer.inputs[0]
        if source is None or source.producer() is None:
            break
        stream, producer = source, source.producer()
    return stream


def frame_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of one frame of a tensor, a batch of one in front."""
    return tuple(shape) if len(shape) and shape[0] == 1 else (1, *shape)


def channels_last(shape: Sequence[int]) -> IntArray:
    """Numbers of the elements of [1, C, H, W] (or [1, C, L]) in the order [1, H, W, C]."""
    numbers = np.arange(math.prod(shape), dtype=np.int64).reshape(shape)
    order: IntArray = np.moveaxis(numbers, 1, -1).reshape(-1)
    return order


def image_shape(shape: Sequence[int]) -> tuple[int, int, int, int]:
    """[1, H, W, C] of a tensor [1, C, H, W] or [1, C, L]."""
    if len(shape) == 3:
        return 1, 1, int(shape[2]), int(shape[1])
    return 1, int(shape[2]), int(shape[3]), int(shape[1])


def same_order(one: IntArray | None, other: IntArray | None) -> bool:
    """Two flat orders are the same; None stands for 0, 1, 2, …"""
    if one is None and other is None:
        return True
    if one is None or other is None:
        given = one if one is not None else other
        assert given is not None
        return bool(np.array_equal(given, np.arange(given.size)))
    return bool(np.array_equal(one, other))


def passed_on(fact: Integer, range_of: tuple[int, int] | None = None) -> Integer:
    """The fact of a stream that carries elements of another: scale and offset hold where they
    are one for all, and no golden tensor is like it."""
    low, high = range_of or (fact.low.min(), fact.high.max())
    one = fact.scale.size == 1 and fact.offset.size == 1
    scale, offset = (fact.scale, fact.offset) if one else (np.ones(()), np.zeros(()))
    return Integer.of(low, high, scale.reshape(()), offset.reshape(()), datatype=fact.type)


def restated(
    fact: Integer,
    given: Integer,
    shape: Sequence[int],
    stream_shape: Sequence[int],
    order: IntArray | None,
) -> Integer:
    """A tensor's fact for its stream, in a flat order; range and type are those given."""
    numbers = np.arange(math.prod(shape)) if order is None else order

    def along(array: IntArray) -> IntArray:
        """One value, or one for each element of the last dimension, or for every element."""
        if array.size == 1:
            return array.reshape(())
        spread = np.broadcast_to(array, shape).reshape(-1)[numbers].reshape(stream_shape)
        rows = spread.reshape(-1, stream_shape[-1])
        return rows[0] if np.all(rows == rows[:1]) else spread

    low, high = given.low, given.high
    if given is fact:
        low, high = along(low), along(high)
        if low.ndim > 1:
            low = np.asarray(low.min())
        if high.ndim > 1:
            high = np.asarray(high.max())
    arranged = order
    if fact.order is not None:
        arranged = fact.order[numbers]
    return fact.with_(
        low=low,
        high=high,
        scale=along(fact.scale),  # type: ignore[arg-type]
        offset=along(fact.offset),  # type: ignore[arg-type]
        datatype=given.datatype,
        order=arranged,
    )


def transpose_of(picks: IntArray) -> tuple[list[int], list[int]] | None:
    """Shape and permutation with arange(n).reshape(shape).transpose(perm).flat == picks."""
    loops = loops_of(picks)
    if loops is None:
        return None
    outer = [loop for loop in reversed(loops) if loop.count > 1]
    by_stride = sorted(range(len(outer)), key=lambda i: -outer[i].stride)
    shape = [outer[i].count for i in by_stride]
    expected = 1
    for i in reversed(by_stride):
        if outer[i].stride != expected:
            return None
        expected *= outer[i].count
    perm = [by_stride.index(i) for i in range(len(outer))]
    return shape, perm
