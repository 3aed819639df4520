# SPDX-License-Identifier: Apache-2.0
"""A dataflow node's declaration: attributes, folding choices, streams, cycles, cost, meaning.

Nodes carry FINN's operator names and attributes (domain `finn.custom_op.fpgadataflow`), so that
FINN can take a graph over. Each class wraps one `onnx_ir` node and reads its attributes; nothing
is kept beside the node. Backends add their code for a node in a file of their own.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.datatypes import datatype
from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.edit import FINN, constant, shape_of
from qnnc.compiler.resources import Resources


@dataclass(frozen=True)
class Stream:
    """A port of a node: a tensor that passes as words of `lanes` elements.

    Attributes:
        shape: of the tensor for one frame, leading batch dimension of 1 included.
        datatype: of an element.
        lanes: elements a word; divides the last dimension.
    """

    shape: tuple[int, ...]
    datatype: BaseDataType
    lanes: int

    @property
    def elements(self) -> int:
        """Elements a frame."""
        return math.prod(self.shape)

    @property
    def words(self) -> int:
        """Words a frame."""
        return self.elements // self.lanes

    @property
    def bits(self) -> int:
        """Bits a word."""
        return self.lanes * int(self.datatype.bitwidth())


@dataclass(frozen=True)
class Folding:
    """How a node is spread over hardware and time. A node reads only what it declares.

    Attributes:
        PE: processing elements: output channels (or elements) worked on at once.
        SIMD: inputs that each takes a cycle.
        ram_style: "block" or "distributed" memory for constants.
        resType: "lut" or "dsp" multiplication.
    """

    PE: int = 1
    SIMD: int = 1
    ram_style: str = "distributed"
    resType: str = "lut"


@dataclass(frozen=True)
class Ports:
    """The streams of a node under a folding."""

    inputs: tuple[Stream, ...]
    outputs: tuple[Stream, ...]


class DataflowNode(ABC):
    """Base of all node declarations."""

    op_type: ClassVar[str]
    folding_attributes: ClassVar[tuple[str, ...]] = ()
    """Fields of Folding that are attributes of this node."""

    def __init__(self, node: ir.Node) -> None:
        if node.op_type != self.op_type:
            raise ValueError(f"{node.op_type} is no {self.op_type}")
        self.node = node

    # --- attributes -------------------------------------------------------------------------

    def attr(self, name: str, default: Any = None) -> Any:
        """An attribute's value; without a default, raises ModelError if it is missing."""
        found = self.node.attributes.get(name)
        if found is not None:
            return found.value
        if default is None:
            raise ModelError(f"{self.op_type} node {quote(self.node.name)} lacks attribute {name}")
        return default

    def type_attr(self, name: str) -> BaseDataType:
        """An attribute that names an integer type."""
        return datatype(str(self.attr(name)))

    def set_attrs(self, **values: int | str | Sequence[int]) -> None:
        """Set attributes."""
        for name, value in values.items():
            self.node.attributes[name] = ir.convenience.convert_attribute(name, value)

    @property
    def name(self) -> str:
        return self.node.name or ""

    def constant_input(self, index: int) -> NDArray[Any]:
        """The array of a constant input."""
        array = constant(self.node.inputs[index])
        if array is None:
            raise ModelError(
                f"input {index} of {self.op_type} node {quote(self.node.name)} is not a constant"
            )
        return array

    @property
    def implementation(self) -> str:
        """Which backend makes the node: "rtl" or "hls" (FINN's preferred_impl_style)."""
        return str(self.attr("preferred_impl_style", "rtl")) or "rtl"

    @property
    def vectors(self) -> int:
        """Vectors a frame (FINN's numInputVectors multiplied out): 1 for a dense layer."""
        return math.prod(self.attr("numInputVectors", [1]))

    # --- folding ----------------------------------------------------------------------------

    def folding(self) -> Folding:
        """The folding that the node's attributes say."""
        defaults = Folding()
        return Folding(
            **{name: self.attr(name, getattr(defaults, name)) for name in self.folding_attributes}
        )

    def apply(self, folding: Folding) -> None:
        """Write a folding into the node's attributes."""
        self.set_attrs(**{name: getattr(folding, name) for name in self.folding_attributes})

    def foldings(self) -> Iterable[Folding]:
        """Every folding worth considering, legal ones only."""
        return (Folding(),)

    # --- meaning ----------------------------------------------------------------------------

    @abstractmethod
    def ports(self, folding: Folding) -> Ports:
        """Streams in and out."""

    @abstractmethod
    def cycles(self, folding: Folding) -> int:
        """Cycles a frame when neither input nor output holds it up."""

    @abstractmethod
    def latency(self, folding: Folding) -> int:
        """Cycles from the first input word to the first output word, inputs never waiting."""

    @abstractmethod
    def resources(self, folding: Folding) -> Resources:
        """Estimate for the xc7 family."""

    @abstractmethod
    def reference(self, b: Builder, inputs: Sequence[ir.Value]) -> list[ir.Value]:
        """The node in standard ONNX operators; `inputs` are all of its inputs."""


def divisors(number: int) -> list[int]:
    """All divisors, ascending."""
    small = [d for d in range(1, math.isqrt(number) + 1) if number % d == 0]
    return sorted({*small, *(number // d for d in small)})


def dataflow_value_shape(node: ir.Node, index: int = 0) -> tuple[int, ...]:
    """Static shape of an input."""
    value = node.inputs[index]
    assert value is not None
    return shape_of(value)


def as_float(array: NDArray[Any]) -> NDArray[np.float32]:
    """Integers as QONNX keeps them: in float32, which is exact up to 2**24."""
    return np.asarray(array, dtype=np.float32)


__all__ = [
    "FINN",
    "DataflowNode",
    "Folding",
    "Ports",
    "Stream",
    "as_float",
    "dataflow_value_shape",
    "divisors",
]
