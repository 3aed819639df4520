# SPDX-License-Identifier: Apache-2.0
"""C++ of ElementwiseMul."""

from __future__ import annotations

from qnnc.nodes.shared.elementwise.hls import ElementwiseHls


class Hls(ElementwiseHls):
    """The product."""

    operation = "qnnc::product_of"
