# SPDX-License-Identifier: Apache-2.0
"""What a node's file in this backend declares, and how it is found.

A node's facet `hls` has a subclass of `HlsNode` called `Hls`, and its header lies beside it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic

from typing_extensions import TypeVar

from qnnc.backends.hls.kernel import Kernel
from qnnc.compiler.dataflow import DataflowNode, Folding, Stream
from qnnc.compiler.dataflow.registry import facet, lacks
from qnnc.compiler.errors import PluginError

N = TypeVar("N", bound=DataflowNode, default=Any)
F = TypeVar("F", bound=Folding, default=Any)


class HlsNode(ABC, Generic[N, F]):
    """A dataflow node in C++; N is its declaration, F its class of foldings.

    Attributes:
        transparent: the elements pass unchanged and in order, one stream in and one out, so that
            the emulator need not run the node.
    """

    transparent = False

    def __init__(self, node: N) -> None:
        self.node = node

    @abstractmethod
    def kernel(self, folding: F) -> Kernel:
        """The node under a folding."""

    @abstractmethod
    def widest(self, arriving: Sequence[Stream]) -> F:
        """The folding that is fastest on a processor: whole vectors per word where possible.

        Args:
            arriving: the input streams as the producers' widest foldings give them; where a
                node's input has other lanes than those, the emulator converts.
        """


def largest_divisor(number: int, of: int) -> int:
    """`number` if it divides `of`, else `of`: lanes that need no conversion, if there are any."""
    return number if of % number == 0 else of


def hls_node(node: DataflowNode) -> HlsNode:
    """The C++ side of a node.

    Raises:
        OptionError: no installed package has the operator.
        PluginError: the operator has no C++, or its package is broken.
    """
    found = getattr(facet(node.op_type, "hls"), "Hls", None)
    if not isinstance(found, type) or not issubclass(found, HlsNode):
        raise PluginError(
            f"dataflow node {node.op_type!r}: its module `hls` has no subclass Hls of HlsNode"
        )
    return found(node)


def has_hls(op_type: str) -> bool:
    """An operator has C++."""
    return not lacks(op_type, "hls")
