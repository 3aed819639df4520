# SPDX-License-Identifier: Apache-2.0
"""Nodes that the compiler inserts by itself, by their purpose.

Each class here says how such a node is made; the one that does it is found through the table of
nodes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar

from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow import node_class
from qnnc.compiler.dataflow.base import DataflowNode, NewNode, Stream
from qnnc.compiler.dataflow.folding import Folding, PEFolding
from qnnc.compiler.dataflow.registry import Purpose, serving
from qnnc.compiler.errors import PluginError

T = TypeVar("T", bound=DataflowNode)


class Copier(DataflowNode[PEFolding]):
    """Gives a stream to several consumers."""

    @classmethod
    @abstractmethod
    def create(cls, *, shape: Sequence[int], x: BaseDataType, copies: int) -> NewNode:
        """A node with so many copies of a stream."""


class WidthConverter(DataflowNode[Folding]):
    """Gives a stream words of another size."""

    @classmethod
    @abstractmethod
    def create(
        cls, *, shape: Sequence[int], x: BaseDataType, lanes_in: int, lanes_out: int
    ) -> NewNode:
        """A node from words of `lanes_in` elements to words of `lanes_out`."""


class Fifo(DataflowNode[Folding]):
    """Buffers words.

    Attributes:
        depth: how many.
    """

    depth: int

    @classmethod
    @abstractmethod
    def create(cls, *, stream: Stream, depth: int, block: bool, reason: str) -> NewNode:
        """A node with room for `depth` words, in block RAM or in LUTs."""


class Shuffler(DataflowNode):
    """Gives the elements of a stream in another order."""

    @classmethod
    @abstractmethod
    def create(
        cls,
        *,
        x: BaseDataType,
        in_shape: Sequence[int],
        apart: Sequence[int],
        perm: Sequence[int],
        out_shape: Sequence[int],
    ) -> NewNode:
        """A node that gives x.reshape(apart).transpose(perm).reshape(out_shape)."""


def copier() -> type[Copier]:
    """The node that gives a stream to several consumers."""
    return _found("copies", Copier)


def width_converter() -> type[WidthConverter]:
    """The node that gives a stream words of another size."""
    return _found("width-conversion", WidthConverter)


def fifo() -> type[Fifo]:
    """The node that buffers words."""
    return _found("waiting", Fifo)


def shuffler() -> type[Shuffler]:
    """The node that gives a stream another order."""
    return _found("reordering", Shuffler)


def _found(purpose: Purpose, base: type[T]) -> type[T]:
    found = node_class(serving(purpose))
    if not issubclass(found, base):
        raise PluginError(f"dataflow node {found.op_type} is not a {base.__name__}")
    return found
