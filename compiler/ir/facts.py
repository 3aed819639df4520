# SPDX-License-Identifier: Apache-2.0
"""What is known of a value: that it is integer, its type and range, and what it stands for.

Facts live in `Value.meta`. A value with a fact holds integers (in a float32 or float64 tensor,
as in FINN and QONNX); the tensor of the golden graph that it stands for is

    golden = value * scale + offset
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import ArrayLike, NDArray
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.datatypes import smallest_type

_KEY = "qnnc.integer"
_SOURCE = "qnnc.source"
_PART = "qnnc.part"
_DERIVED = "qnnc.derived"
_REASON = "qnnc.reason"
_MUST_RISE = "qnnc.must_rise"
_REMEDY = "qnnc.remedy"
_OPERATORS = "qnnc.operators"
_ORIGIN = "qnnc.origin"
_EVALUATED = "qnnc.evaluated"

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def as_integers(array: NDArray[Any]) -> IntArray:
    """Integers that a float tensor holds, in its shape."""
    integers: IntArray = np.rint(array).astype(np.int64)
    return integers


def _one() -> FloatArray:
    return np.ones((), dtype=np.float64)


def _zero() -> FloatArray:
    return np.zeros((), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Integer:
    """An integer-valued tensor.

    Attributes:
        low: least value, an array that broadcasts against the tensor.
        high: greatest value, likewise.
        scale: see the module; broadcasts against the tensor.
        offset: see the module; broadcasts against the tensor.
        golden: name of the golden graph's tensor, or None if no tensor there matches.
        datatype: how the values are coded in hardware.
        quantized: the value comes from a quantizer, so that the golden tensor lies on its grid
            but for float32 rounding; otherwise it is a sum whose golden value may be rounded.
        order: index into the golden tensor's elements, for each element of this tensor (one
            frame each, both flat); None where both are in the same order.
    """

    low: IntArray
    high: IntArray
    scale: FloatArray = field(default_factory=_one)
    offset: FloatArray = field(default_factory=_zero)
    golden: str | None = None
    datatype: BaseDataType | None = None
    quantized: bool = False
    order: IntArray | None = None

    @classmethod
    def of(
        cls,
        low: ArrayLike,
        high: ArrayLike,
        scale: ArrayLike = 1.0,
        offset: ArrayLike = 0.0,
        *,
        golden: str | None = None,
        datatype: BaseDataType | None = None,
        quantized: bool = False,
    ) -> Integer:
        """A fact from numbers, or arrays that broadcast against the tensor."""
        return cls(
            np.asarray(low, dtype=np.int64),
            np.asarray(high, dtype=np.int64),
            np.asarray(scale, dtype=np.float64),
            np.asarray(offset, dtype=np.float64),
            golden,
            datatype,
            quantized,
        )

    @property
    def type(self) -> BaseDataType:
        """The type given, or the narrowest for the range."""
        if self.datatype is not None:
            return self.datatype
        return smallest_type(int(self.low.min()), int(self.high.max()))

    def arranged(self, golden: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        """Frames of the golden tensor in the order and shape of this one."""
        if self.order is None:
            return golden.reshape(shape)
        return golden.reshape(len(golden), -1)[:, self.order].reshape(shape)

    def restored(self, values: NDArray[Any], golden: NDArray[Any]) -> NDArray[Any]:
        """Frames of this tensor in the order and shape of the golden one, which gives the elements
        that this one lacks."""
        if self.order is None:
            return values.reshape(golden.shape)
        result = golden.reshape(len(golden), -1).astype(values.dtype)
        result[:, self.order] = values.reshape(len(values), -1)
        return result.reshape(golden.shape)

    def with_(self, **changes: object) -> Integer:
        """A copy with some attributes changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


def integer(value: ir.Value) -> Integer | None:
    """The fact that `value` is integer, if it is."""
    return value.meta.get(_KEY)


def set_integer(value: ir.Value, fact: Integer | None) -> None:
    """State or withdraw that `value` is integer."""
    if fact is None:
        value.meta.pop(_KEY, None)
    else:
        value.meta[_KEY] = fact


def sources(node: ir.Node) -> tuple[str, ...]:
    """Names of the nodes of the user's model that `node` comes from, in order."""
    return tuple(node.meta.get(_SOURCE, ()))


def set_sources(node: ir.Node, names: Iterable[str]) -> None:
    """Say which nodes of the user's model `node` comes from."""
    node.meta[_SOURCE] = tuple(names)


def add_sources(node: ir.Node, *origins: ir.Node) -> None:
    """Record that `node` does (part of) what `origins` did."""
    merged = dict.fromkeys(sources(node))
    for origin in origins:
        merged.update(dict.fromkeys(sources(origin)))
    node.meta[_SOURCE] = tuple(merged)
    ways = {evaluated(n) for n in (node, *origins)} - {""}
    if ways:
        set_evaluated(node, EXHAUSTIVE if ways == {EXHAUSTIVE} else BISECTED)


EXHAUSTIVE, BISECTED = "exhaustive", "bisected"


def evaluated(node: ir.Node) -> str:
    """How the table of `node` was read off the network's own operators: EXHAUSTIVE, at every
    integer that its input can be; BISECTED, at some; an empty string where it was not."""
    return str(node.meta.get(_EVALUATED, ""))


def set_evaluated(node: ir.Node, way: str) -> None:
    """Say how the table of `node` was read off."""
    node.meta[_EVALUATED] = way


def name_sources(model: ir.Model) -> None:
    """Make every node of an imported model its own source, unless a frontend has said whose
    place it takes."""
    for index, node in enumerate(model.graph):
        if not node.name:
            node.name = f"{node.op_type}_{index}"
        if _SOURCE not in node.meta:
            node.meta[_SOURCE] = (node.name,)
            model.graph.meta.setdefault(_OPERATORS, {})[node.name] = node.op_type


def user_operator(node: ir.Node) -> str:
    """The operator of the node of the user's model that `node` comes from, as far as that is
    known: Gemm for the MatMul that it has become."""
    known: dict[str, str] = {} if node.graph is None else node.graph.meta.get(_OPERATORS, {})
    found = [known[name] for name in sources(node) if name in known]
    return found[0] if found else node.op_type


def set_origin(value: ir.Value, name: str) -> None:
    """Say which tensor of the user's model a constant was computed from."""
    value.meta[_ORIGIN] = name


def origin(value: ir.Value) -> str:
    """The tensor of the user's model that a constant was computed from, or its own name."""
    return str(value.meta.get(_ORIGIN, value.name))


HOST_PRE, ACCELERATOR, HOST_POST = "pre", "accelerator", "post"


def part(node: ir.Node) -> str | None:
    """Where `node` runs: HOST_PRE, ACCELERATOR or HOST_POST, once that is decided."""
    return node.meta.get(_PART)


def set_part(node: ir.Node, where: str) -> None:
    """Decide where `node` runs."""
    node.meta[_PART] = where


def set_derived(value: ir.Value, derived: bool = True) -> None:
    """Say whether the golden graph lacks a tensor like `value`."""
    value.meta[_DERIVED] = derived


def is_derived(value: ir.Value) -> bool:
    """The golden graph has no tensor like `value`."""
    return bool(value.meta.get(_DERIVED))


def set_must_rise(value: ir.Value) -> None:
    """Say that a maximum is taken of codes that follow from `value`, and in the golden graph of
    what it is computed from: rounding must not let it fall where a code changes."""
    value.meta[_MUST_RISE] = True


def must_rise(value: ir.Value) -> bool:
    """Whether `set_must_rise` was called."""
    return bool(value.meta.get(_MUST_RISE))


def set_reason(node: ir.Node, text: str) -> None:
    """Record why a pass left `node` as it is, for those who have to refuse it."""
    node.meta[_REASON] = text


def reason(node: ir.Node) -> str:
    """Why a pass left `node` as it is, if one said so."""
    return str(node.meta.get(_REASON, ""))


def set_remedy(node: ir.Node, text: str) -> None:
    """Record what would help a node that a pass left as it is."""
    node.meta[_REMEDY] = text


def remedy(node: ir.Node) -> str:
    """What would help a node that a pass left as it is, if one said so."""
    return str(node.meta.get(_REMEDY, ""))
