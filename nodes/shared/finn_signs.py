# SPDX-License-Identifier: Apache-2.0
"""Products whose channels change their sign, for thresholds that FINN counts."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from qonnx.core.datatype import BaseDataType

from qnnc.backends.finn.facet import replace_constant
from qnnc.compiler.datatypes import BIPOLAR, smallest_type, type_of_values


class Product(Protocol):
    """A node with weights as its input 1."""

    node: ir.Node
    xnor: bool
    w_type: BaseDataType
    out_type: BaseDataType
    acc_type: BaseDataType

    def constant_input(self, index: int) -> NDArray[Any]: ...


def negate(product: Product, turned: NDArray[np.bool_], pairs: int, kind: BaseDataType) -> int:
    """Turn the signs of some channels' weights; returns what x' and x then add up to.

    Args:
        turned: which channels, broadcast against the weights.
        pairs: that an XNOR product counts.
        kind: of its sums.
    """
    weights = product.constant_input(1)
    if product.xnor:
        replace_constant(product.node, 1, np.where(turned, 1 - weights, weights))
        return pairs
    found = np.where(turned, -weights, weights)
    replace_constant(product.node, 1, found)
    low, high = int(kind.min()), int(kind.max())
    sums = smallest_type(min(low, -high), max(high, -low))
    if product.w_type != BIPOLAR:
        product.w_type = type_of_values(found.astype(np.int64))
    product.out_type = product.acc_type = sums
    return 0
