# SPDX-License-Identifier: Apache-2.0
"""Integer types: QONNX's, chosen by range and content."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from qonnx.core.datatype import BaseDataType, DataType

from qnnc.compiler.errors import ModelError
from qnnc.compiler.plugins import close_matches

MAX_BITS = 32
LONGEST = len("BIPOLAR")
"""Characters of a type's name."""
USUAL = ["UINT8", "INT8", "UINT4", "INT4", "UINT2", "INT2", "TERNARY", "BIPOLAR", "BINARY"]
BINARY: BaseDataType = DataType["BINARY"]
BIPOLAR: BaseDataType = DataType["BIPOLAR"]
TERNARY: BaseDataType = DataType["TERNARY"]


def datatype(name: str) -> BaseDataType:
    """The integer type called `name`, such as "UINT8"; raises ModelError for any other."""
    try:
        if len(name) > LONGEST:  # QONNX computes the range of a type of any width
            raise KeyError(name)
        found: BaseDataType = DataType[name.upper()]
        if found.bitwidth() < 1:
            raise KeyError(name)
    except (KeyError, AttributeError, ValueError, AssertionError) as error:
        meant = close_matches(name, USUAL)
        raise ModelError(
            f"{name[:60]!r} is not an integer type (such as UINT8 or INT4){meant}"
        ) from error
    if not found.is_integer() or found.is_fixed_point():
        raise ModelError(f"{name!r} is not an integer type (such as UINT8 or INT4)")
    return found


def smallest_type(low: int, high: int) -> BaseDataType:
    """The narrowest of BINARY, TERNARY, UINTn and INTn that holds low..high."""
    if low > high:
        raise ValueError(f"empty range {low}..{high}")
    if low >= 0:
        return BINARY if high <= 1 else DataType[f"UINT{int(high).bit_length()}"]
    if low == -1 and high <= 1:
        return TERNARY
    bits = max((-low - 1).bit_length(), high.bit_length() if high > 0 else 0) + 1
    return DataType[f"INT{bits}"]


def type_of_values(values: ArrayLike) -> BaseDataType:
    """The narrowest type of constant integers of any shape: BIPOLAR if only -1 and +1 occur."""
    array = np.asarray(values)
    if array.size and np.all(np.abs(array) == 1) and np.any(array < 0):
        return BIPOLAR
    if not array.size:
        return BINARY
    return smallest_type(int(array.min()), int(array.max()))


def carrier(kind: BaseDataType) -> DTypeLike:
    """The float type whose tensors hold integers of this type exactly."""
    exact = max(abs(kind.min()), abs(kind.max())) < 1 << 24
    return np.float32 if exact else np.float64


def wide_sums(x: BaseDataType, total: BaseDataType, weights: NDArray[np.int64]) -> bool:
    """Float32 does not carry every sum of x [..., K] times weights [K, M], those on the way
    included: the terms may cancel each other out."""
    if any(carrier(kind) == np.float64 for kind in (x, total)):
        return True
    largest = max(abs(float(x.min())), abs(float(x.max())))
    return bool(largest * np.abs(weights).sum(axis=0).max(initial=0) >= 1 << 24)
