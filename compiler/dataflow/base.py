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
from typing import Any, ClassVar, Generic, Literal, Self

import numpy as np
import onnx_ir as ir
from numpy.typing import ArrayLike, NDArray
from qonnx.core.datatype import BaseDataType
from typing_extensions import TypeVar

from qnnc.compiler.dataflow.attributes import Attribute, Field, fields_of, integers, text
from qnnc.compiler.dataflow.channels import ChannelLink, Kept
from qnnc.compiler.dataflow.folding import Folding
from qnnc.compiler.dataflow.schedule import Schedule, Steps
from qnnc.compiler.datatypes import smallest_type
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


class Role(Enum):
    """What a node computes, for those who compare its result or explain it."""

    PRODUCT = "a product of vectors with weights [inputs, outputs]"
    CHANNEL_PRODUCT = "a product of each channel with weights [channels, ...]"
    DYNAMIC_PRODUCT = "a product of vectors with matrices that are computed too"
    SOFTMAX = "codes after a softmax over the last dimension, from codes before it"
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


@dataclass(frozen=True)
class NewNode:
    """A node that is yet to be put into a graph: what a declaration's `create` gives.

    Attributes:
        op_type: operator.
        attributes: by FINN's names.
    """

    op_type: str
    attributes: Mapping[str, Attribute]


F = TypeVar("F", bound=Folding, default=Any)
"""A node's class of foldings; `DataflowNode` alone is a node with foldings of whatever class."""


class DataflowNode(ABC, Generic[F]):
    """Base of all node declarations.

    Attributes are fields (`attributes`): they are read when a node is wrapped, and assigning to
    one writes the node's attribute.
    """

    op_type: ClassVar[str]
    short_name: ClassVar[str]
    """Its operator in the names of modules and instances, in snake case."""
    role: ClassVar[Role] = Role.OTHER
    """What it computes."""
    kind: ClassVar[Kind] = "other"
    """What it is to a reader of the report."""
    folding_type: type[F]
    """Its class of foldings."""
    input_types: ClassVar[tuple[str, ...]] = ("x_type",)
    """Fields that are the types of the input streams, in order."""
    output_types: ClassVar[tuple[str, ...]] = ("out_type",)
    """Fields that are the types of the output streams, in order."""
    keeps_coding: ClassVar[bool] = False
    """The node only moves elements: its outputs have its input's type, however narrow their
    range."""
    _fields: ClassVar[dict[str, Field[Any]]]

    preferred_impl_style: str = text("preferred_impl_style", "")
    """FINN's wish for a backend; empty for none."""
    vectors_shape: tuple[int, ...] = integers("numInputVectors", (1,))
    """Vectors per frame, as dimensions: (1,) for a dense layer."""

    def __init__(self, node: ir.Node) -> None:
        if node.op_type != self.op_type:
            raise ValueError(f"{node.op_type} is not {self.op_type}")
        self.node = node
        for name, field in self._fields.items():
            super().__setattr__(name, field.of(node))

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        cls._fields = fields_of(cls)
        if "op_type" in cls.__dict__ and "short_name" not in cls.__dict__:
            apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", identifier(cls.op_type))
            cls.short_name = apart.lower()

    def __setattr__(self, name: str, value: Any) -> None:
        field = self._fields.get(name)
        if field is not None:
            field.write(self.node, value)
        super().__setattr__(name, value)

    @classmethod
    def new(cls, **values: Attribute) -> NewNode:
        """A node of this kind with attributes; `create` of each kind takes what it needs."""
        return NewNode(cls.op_type, {"backend": "fpgadataflow", **values})

    # --- attributes -------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self.node.name or ""

    def constant_input(self, index: int) -> NDArray[Any]:
        """The array of a constant input, in the input's shape.

        Raises:
            ModelError: it is computed.
        """
        array = constant(self.node.inputs[index])
        if array is None:
            raise ModelError(
                f"input {index} of {self.op_type} node {quote(self.node.name)} is not a constant"
            )
        return array

    @property
    def made_by(self) -> str:
        """Which backend makes the node: "rtl" or "hls" (FINN's preferred_impl_style)."""
        return self.preferred_impl_style or "rtl"

    @property
    def stream_inputs(self) -> list[int]:
        """Which of the node's inputs are streams: those that are not constants."""
        return [i for i, v in enumerate(self.node.inputs) if v is not None and not v.const_value]

    @property
    def vectors(self) -> int:
        """Vectors per frame (FINN's numInputVectors multiplied out): 1 for a dense layer."""
        return math.prod(self.vectors_shape)

    # --- folding ----------------------------------------------------------------------------

    @classmethod
    def folding_names(cls) -> tuple[str, ...]:
        """Attributes that are its folding."""
        return cls.folding_type.names()

    def folding(self) -> F:
        """The folding in the node's attributes."""
        return self.folding_type.of(self.node)

    def apply(self, folding: F) -> None:
        """Write a folding into the node's attributes."""
        folding.write(self.node)

    def foldings(self) -> Iterable[F]:
        """Every folding worth considering, legal ones only."""
        return (self.folding_type(),)

    def implementation(self, folding: F) -> tuple[str, str] | None:
        """Which of several implementations a folding means and why it was chosen, for the
        report; None for nodes with only one."""
        return None

    def batch(self, folding: F) -> int:
        """Frames that the node must have before it works on any of them."""
        return 1

    def in_logic(self, folding: F) -> bool:
        """Weights are part of the logic, so that other ones need place and route again."""
        return False

    def offer_external(self, batch: int) -> bool:
        """Allow foldings whose weights come from off-chip memory, those of a dense layer once for
        `batch` frames, or none if it is 0; returns whether the node could have such."""
        return False

    def weight_bytes(self, folding: F) -> float:
        """Bytes per frame that the node takes from off-chip memory."""
        return 0.0

    def weights_in(self, folding: F) -> str | None:
        """Where the weights of a product are kept, for the report; None for nodes without."""
        return None

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
        """Set the types of the streams."""
        for names, types in ((self.input_types, inputs), (self.output_types, outputs)):
            for name, kind in zip(names, types, strict=False):
                setattr(self, name, kind)

    # --- channels ---------------------------------------------------------------------------

    def channel_links(self) -> Sequence[ChannelLink] | None:
        """Channels that belong together; None where all of them are needed."""
        return None

    def reads(self) -> NDArray[np.bool_] | None:
        """Of a product of all inputs with all outputs, [inputs, outputs]: which output reads which
        input. None for other nodes."""
        return None

    def keep_channels(self, editor: Editor, inputs: Kept, outputs: Kept) -> None:
        """Do without all channels of the streams but these. Only for nodes with links or reads.

        Args:
            editor: of the graph.
            inputs: of each input stream, what is kept of its last dimension.
            outputs: of each output stream.
        """
        raise NotImplementedError

    def shift_input(self, editor: Editor, amounts: NDArray[np.int64]) -> None:
        """Of thresholds: the input will be less by so much, for each channel."""
        raise NotImplementedError

    def replace_constant(self, editor: Editor, index: int, array: NDArray[Any]) -> None:
        """Give a constant input other numbers, of the type it had."""
        old = self.node.inputs[index]
        assert old is not None
        kept = array.astype(self.constant_input(index).dtype)
        self.node.replace_input_with(index, editor.initializer(f"{old.name}_kept", kept))

    def make_room(self) -> bool:
        """Let the node take in more of its input ahead of time, if that is cheaper than a FIFO;
        returns whether it can."""
        return False

    def notes(self, folding: F) -> list[str]:
        """What a reader of the report should know besides the folding, a sentence each."""
        return []

    # --- meaning ----------------------------------------------------------------------------

    @abstractmethod
    def ports(self, folding: F) -> Ports:
        """Streams in and out."""

    @abstractmethod
    def cycles(self, folding: F) -> int:
        """Cycles per frame when neither input nor output holds it up."""

    @abstractmethod
    def latency(self, folding: F) -> int:
        """Cycles from the first input word to the first output word, inputs never waiting."""

    def schedule(self, folding: F) -> Schedule:
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
    def resources(self, folding: F) -> Resources:
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
    """Integers of any shape as QONNX keeps them: in float32, which is exact up to 2**24."""
    return np.asarray(array, dtype=np.float32)


__all__ = [
    "FINN",
    "DataflowNode",
    "Ports",
    "Range",
    "Stream",
    "as_float",
    "dataflow_value_shape",
    "divisors",
]
