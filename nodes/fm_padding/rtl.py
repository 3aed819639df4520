# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of FMPadding."""

from qnnc.nodes.shared.border.rtl import generate

__all__ = ["generate"]
