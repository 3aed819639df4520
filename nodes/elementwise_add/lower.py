# SPDX-License-Identifier: Apache-2.0
"""Add becomes ElementwiseAdd."""

from __future__ import annotations

from collections.abc import Mapping

from qnnc.compiler.lowering import Lowering
from qnnc.nodes.shared.elementwise.lower import arithmetic

LOWERINGS: Mapping[str, Lowering] = {"Add": arithmetic}
