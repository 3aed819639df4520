# SPDX-License-Identifier: Apache-2.0
"""C++ of FMPadding."""

from __future__ import annotations

from qnnc.nodes.fm_padding.node import FMPadding
from qnnc.nodes.shared.border.hls import BorderHls


class Hls(BorderHls[FMPadding]):
    """`qnnc::padding`."""

    function = "padding"

    @property
    def arguments(self) -> tuple[int, ...]:
        node = self.node
        return node.top, node.left, *node.out, node.value
