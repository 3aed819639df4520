# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of ElementwiseAdd."""

from __future__ import annotations

from functools import partial

from qnnc.nodes.shared.elementwise.rtl import generate as elementwise

generate = partial(elementwise, operator="+")
"""The node under the folding in its attributes."""
