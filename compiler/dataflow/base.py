# SPDX-License-Identifier: Apache-2.0
"""A dataflow node's declaration: attributes, folding choices, streams, cycles, cost, meaning.

Nodes carry FINN's operator names and attributes (domain `finn.custom_op.fpgadataflow`), so that
FINN can take a graph over. Each class wraps one `onnx_ir` node and reads its attributes; nothing
is kept beside the node. Backends add their code for a node in a file of their own.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Literal, Self

import numpy as np
import onnx_ir as ir
from numpy.typing import ArrayLike, NDArray
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow.schedule import Schedule, Steps
from qnnc.compiler.datatypes import datatype, smallest_type
from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.identifiers import identifier
from qnnc.compiler.ir.builder import Builder
from qnnc.compiler.ir.edit import FINN, Editor, constant, shape_of
from qnnc.compiler.ir.intervals import Interval
from qnnc.compiler.resources import Resources


@dataclass(frozen=True)
class Stream:
    """A port of a node: a tensor that passes as words of `lanes` elements.

    Attributes:
        shape: of the tensor for one frame, leading batch dimension of 1 included.
        datatype: of an element.
        lanes: elements per word; divides the last dimension.
    """

    shape: tuple[int, ...]
    datatype: BaseDataType
    lanes: int

    @property
    def elements(self) -> int:
        """Elements per frame."""
        return math.prod(self.shape)

    @property
    def words(self) -> int:
        """Words per frame."""
        return self.elements // self.lanes

    @property
    def bits(self) -> int:
        """Bits per word."""
        return self.lanes * int(self.datatype.bitwidth())


@dataclass(frozen=True)
class Folding:
    """How a node is spread over hardware and time. A node reads only what it declares.

    Attributes:
        PE: processing elements: output channels (or elements) worked on at once.
        SIMD: inputs that each takes a cycle.
        ram_style: "block" or "distributed" memory for constants.
        resType: "lut" or "dsp" multiplication.
        impl_style: which of several implementations a node has.
        prefetch: 1 to take in the start of the next frame while working on the end of this one.
        weight_code: "plain" for weights as they are, "trits" for five ternary ones in 8 bits.
        mem_mode: "internal_decoupled", or "external" for weights that come as a stream.
        reuse: vectors that a weight word from outside is used for before the next comes.
    """

    PE: int = 1
    SIMD: int = 1
    ram_style: str = "distributed"
    resType: str = "lut"
    impl_style: str = "table"
    prefetch: int = 0
    mem_mode: str = "internal_decoupled"
    weight_code: str = "plain"
    reuse: int = 1


class Role(Enum):
    """What a node computes, for those who compare its result or explain it."""

    PRODUCT = "a product of vectors with weights [inputs, outputs]"
    CHANNEL_PRODUCT = "a product of each channel with weights [channels, ...]"
    SUM = "a sum of streams"
    JOIN = "streams side by side"
    POOL = "a sum or maximum over a window"
    THRESHOLDS = "codes from thresholds [channels, steps] along the last dimension"
    LABELS = "indices of scores"
    OTHER = "anything else"


Kind = Literal["product", "threshold", "image", "plumbing", "other"]
"""What a node is to a reader of the report: one colour each."""


@dataclass(frozen=True)
class Ports:
    """The streams of a node under a folding."""

    inputs: tuple[Stream, ...]
    outputs: tuple[Stream, ...]


class Range(Interval):
    """Least and greatest integers of a stream: one for all elements, or one for each along the
    last dimension."""

    @classmethod
    def of(cls, low: ArrayLike, high: ArrayLike) -> Self:
        """A range from numbers or arrays."""
        found = Interval.of(low, high)
        return cls(found.low.reshape(-1), found.high.reshape(-1))

    def along(self, size: int) -> Range:
        """A range for each of `size` elements of the last dimension."""
        found = self if self.low.size in (1, size) else Range.of(self.least, self.greatest)
        return Range.of(*(np.broadcast_to(a, (size,)) for a in (found.low, found.high)))

    @property
    def type(self) -> BaseDataType:
        """The narrowest type for all elements."""
        return smallest_type(self.least, self.greatest)


Attribute = int | str | Sequence[int] | Sequence[str]
"""Values of attributes."""


@dataclass(frozen=True)
class NewNode:
    """A node that is yet to be put into a graph: what a declaration's `create` gives.

    Attributes:
        op_type: operator.
        attributes: by FINN's names.
    """

    op_type: str
    attributes: Mapping[str, Attribute]


class DataflowNode(ABC):
    """Base of all node declarations."""

    op_type: ClassVar[str]
    short_name: ClassVar[str]
    """Its operator in the names of modules and instances, in snake case."""
    role: ClassVar[Role] = Role.OTHER
    """What it computes."""
    kind: ClassVar[Kind] = "other"
    """What it is to a reader of the report."""
    folding_attributes: ClassVar[tuple[str, ...]] = ()
    """Fields of Folding that are attributes of this node."""
    input_types: ClassVar[tuple[str, ...]] = ("inputDataType",)
    """Attributes that name the types of the input streams, in order."""
    output_types: ClassVar[tuple[str, ...]] = ("outputDataType",)
    """Attributes that name the types of the output streams, in order."""
    keeps_coding: ClassVar[bool] = False
    """The node only moves elements: its outputs have its input's type, however narrow their
    range."""

    def __init__(self, node: ir.Node) -> None:
        if node.op_type != self.op_type:
            raise ValueError(f"{node.op_type} is no {self.op_type}")
        self.node = node

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if "op_type" in cls.__dict__ and "short_name" not in cls.__dict__:
            apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", identifier(cls.op_type))
            cls.short_name = apart.lower()

    @classmethod
    def new(cls, **attributes: Attribute) -> NewNode:
        """A node of this kind; `create` of each kind says which attributes it needs."""
        return NewNode(cls.op_type, {"backend": "fpgadataflow", **attributes})

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

    def pair(self, name: str) -> tuple[int, int]:
        """An attribute of two integers, for height and width."""
        first, second = (int(n) for n in self.attr(name))
        return first, second

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
    def made_by(self) -> str:
        """Which backend makes the node: "rtl" or "hls" (FINN's preferred_impl_style)."""
        return str(self.attr("preferred_impl_style", "rtl")) or "rtl"

    @property
    def stream_inputs(self) -> list[int]:
        """Which of the node's inputs are streams: those that are not constants."""
        return [i for i, v in enumerate(self.node.inputs) if v is not None and not v.const_value]

    @property
    def vectors(self) -> int:
        """Vectors per frame (FINN's numInputVectors multiplied out): 1 for a dense layer."""
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

    def implementation(self, folding: Folding) -> tuple[str, str] | None:
        """Which of several implementations a folding means and why it was chosen, for the
        report; None for nodes with only one."""
        return None

    def batch(self, folding: Folding) -> int:
        """Frames that the node must have before it works on any of them."""
        return 1

    def offer_external(self, batch: int) -> bool:
        """Allow foldings whose weights come from off-chip memory, those of a dense layer once for
        `batch` frames, or none if it is 0; returns whether the node could have such."""
        return False

    def weight_bytes(self, folding: Folding) -> float:
        """Bytes per frame that the node takes from off-chip memory."""
        return 0.0

    # --- types ------------------------------------------------------------------------------

    def narrow(self, editor: Editor, inputs: Sequence[Range]) -> bool:
        """Make constants smaller where the inputs' ranges allow it; returns whether any was."""
        return False

    def output_ranges(self, inputs: Sequence[Range]) -> list[Range]:
        """Ranges of the output streams, given those of the input streams."""
        low = min(int(r.low.min()) for r in inputs)
        high = max(int(r.high.max()) for r in inputs)
        return [Range.of(low, high) for _ in self.node.outputs]

    def set_types(self, inputs: Sequence[BaseDataType], outputs: Sequence[BaseDataType]) -> None:
        """Write the types of the streams into the attributes."""
        for names, types in ((self.input_types, inputs), (self.output_types, outputs)):
            self.set_attrs(**{name: t.name for name, t in zip(names, types, strict=False)})

    def make_room(self) -> bool:
        """Let the node take in more of its input ahead of time, if that is cheaper than a FIFO;
        returns whether it can."""
        return False

    def notes(self, folding: Folding) -> list[str]:
        """What a reader of the report should know besides the folding, a sentence each."""
        return []

    # --- meaning ----------------------------------------------------------------------------

    @abstractmethod
    def ports(self, folding: Folding) -> Ports:
        """Streams in and out."""

    @abstractmethod
    def cycles(self, folding: Folding) -> int:
        """Cycles per frame when neither input nor output holds it up."""

    @abstractmethod
    def latency(self, folding: Folding) -> int:
        """Cycles from the first input word to the first output word, inputs never waiting."""

    def schedule(self, folding: Folding) -> Schedule:
        """When elements are taken and given: by default a vector (all elements of the last
        dimension) at a time."""
        ports = self.ports(folding)
        outputs = [stream.elements for stream in ports.outputs]
        vectors = max(s.elements // s.shape[-1] for s in (*ports.inputs, *ports.outputs))
        return Steps(
            vectors,
            self.cycles(folding),
            self.latency(folding),
            [stream.elements for stream in ports.inputs],
            outputs,
        ).schedule()

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
    "Range",
    "Stream",
    "as_float",
    "dataflow_value_shape",
    "divisors",
]
