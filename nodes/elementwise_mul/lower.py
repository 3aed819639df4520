# SPDX-License-Identifier: Apache-2.0
"""Mul becomes ElementwiseMul."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from qnnc.compiler.lowering import Lowering
from qnnc.nodes.elementwise_mul.node import ElementwiseMul
from qnnc.nodes.shared.elementwise.lower import elementwise

LOWERINGS: Mapping[str, Lowering] = {"Mul": partial(elementwise, ElementwiseMul)}
