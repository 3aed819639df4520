# SPDX-License-Identifier: Apache-2.0
"""Frames in whole batches, for accelerators that take in several before they answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def whole_batches(tensors: Mapping[str, NDArray[Any]], batch: int) -> dict[str, NDArray[Any]]:
    """Tensors [frames, …] with the last frame repeated up to a multiple of `batch`."""
    frames = next(iter(tensors.values())).shape[0]
    index = np.minimum(np.arange(-(-frames // batch) * batch), frames - 1)
    return {name: array[index] if index.size > frames else array for name, array in tensors.items()}
