# SPDX-License-Identifier: Apache-2.0
"""C++ of FMPadding and FMPadding_Pixel."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, TypeVar

from qnnc.backends.hls.hls_node import HlsNode, largest_divisor
from qnnc.backends.hls.kernel import Header, Kernel, template
from qnnc.compiler.dataflow import Stream
from qnnc.compiler.dataflow.folding import SIMDFolding
from qnnc.nodes.shared.border.node import Border

HEADER = Header.beside(__name__, "border.h")
B = TypeVar("B", bound=Border)


class BorderHls(HlsNode[B, SIMDFolding]):
    """A function of `border.h` over an image."""

    function: ClassVar[str]
    """Its name."""

    @property
    @abstractmethod
    def arguments(self) -> tuple[int, ...]:
        """Its template arguments after those of the image."""

    def widest(self, arriving: Sequence[Stream]) -> SIMDFolding:
        return SIMDFolding(SIMD=largest_divisor(arriving[0].lanes, self.node.channels))

    def kernel(self, folding: SIMDFolding) -> Kernel:
        node = self.node
        words = node.channels // folding.SIMD
        image = (node.datatype, folding.SIMD, words, *node.image)
        name = template(self.function, *image, *self.arguments)
        return Kernel(HEADER, name, node.ports(folding))
