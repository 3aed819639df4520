# SPDX-License-Identifier: Apache-2.0
"""Add becomes ElementwiseAdd."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from qnnc.compiler.lowering import Lowering
from qnnc.nodes.elementwise_add.node import ElementwiseAdd
from qnnc.nodes.shared.elementwise.lower import elementwise

LOWERINGS: Mapping[str, Lowering] = {"Add": partial(elementwise, ElementwiseAdd)}
