# SPDX-License-Identifier: Apache-2.0
"""C++ of ElementwiseAdd."""

from __future__ import annotations

from qnnc.nodes.shared.elementwise.hls import ElementwiseHls


class Hls(ElementwiseHls):
    """The sum."""

    operation = "qnnc::sum_of"
