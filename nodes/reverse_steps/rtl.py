# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of ReverseSteps."""

from qnnc.nodes.shared.reordering.rtl import generate

__all__ = ["generate"]
