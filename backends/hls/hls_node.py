# SPDX-License-Identifier: Apache-2.0
"""What a node's file in this backend declares, and how it is found.

A plug-in's node brings a subclass of `HlsNode` in the entry-point group `qnnc.hls`, under its
operator's name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from qnnc.backends.hls.kernel import Kernel
from qnnc.compiler import plugins
from qnnc.compiler.dataflow import DataflowNode, Folding, Stream
from qnnc.compiler.errors import PluginError


class HlsNode(ABC):
    """A dataflow node in C++.

    Attributes:
        transparent: the elements pass unchanged and in order, one stream in and one out, so that
            the emulator need not run the node.
    """

    transparent = False

    def __init__(self, node: DataflowNode) -> None:
        self.node = node

    @abstractmethod
    def kernel(self, folding: Folding) -> Kernel:
        """The node under a folding."""

    @abstractmethod
    def widest(self, arriving: Sequence[Stream]) -> Folding:
        """The folding that is fastest on a processor: whole vectors a word where possible.

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
        OptionError: no installed package has one for the operator.
    """
    found = plugins.load_class("qnnc.hls", node.op_type, "HLS generator")(node)
    if not isinstance(found, HlsNode):
        raise PluginError(f"HLS generator {node.op_type!r} is no {HlsNode.__module__} class")
    return found


def has_hls(op_type: str) -> bool:
    """Some installed package has C++ for an operator."""
    return op_type in plugins.names("qnnc.hls")
