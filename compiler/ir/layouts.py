# SPDX-License-Identifier: Apache-2.0
"""Operators that only lay the elements of a tensor out in another way."""

from __future__ import annotations

OPERATORS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"})
