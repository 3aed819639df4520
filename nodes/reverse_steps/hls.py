# SPDX-License-Identifier: Apache-2.0
"""C++ of ReverseSteps."""

from qnnc.nodes.shared.reordering.hls import Hls

__all__ = ["Hls"]
