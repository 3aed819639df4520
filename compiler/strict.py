# SPDX-License-Identifier: Apache-2.0
"""Arithmetic that goes wrong is an error, never a warning."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from qnnc.compiler.errors import ModelError


@contextmanager
def strict_numbers(where: str) -> Iterator[None]:
    """NumPy's divisions by zero, overflows and invalid operations end what is being done; a block
    that expects some says so itself (`np.errstate`). Also a decorator.

    Args:
        where: what is being done, for the message.

    Raises:
        ModelError: there was one.
    """
    try:
        with np.errstate(over="raise", divide="raise", invalid="raise"):
            yield
    except FloatingPointError as error:
        raise ModelError(
            f"in {where}, numbers of the model go beyond what can be computed ({error}); look for "
            "scales and constants that are extremely large or small"
        ) from error
