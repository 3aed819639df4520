# SPDX-License-Identifier: Apache-2.0
"""C++ of ElementwiseAdd."""

from qnnc.nodes.shared.elementwise.hls import Hls

__all__ = ["Hls"]
