# SPDX-License-Identifier: Apache-2.0
"""Sample files: .npy, .npz and MNIST's idx, gzipped or not."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnnc.compiler.errors import WorkspaceError

_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
Array = NDArray[Any]


def read_array(path: Path) -> Array:
    """The array in a sample or label file; of an .npz, its only or first member.

    Raises:
        WorkspaceError: the file cannot be read or is of no known kind. Pickled objects are
            refused.
    """
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        if data[:6] == b"\x93NUMPY" or data[:2] == b"PK":
            return _read_numpy(path, data)
        return _read_idx(data)
    except OSError as error:
        raise WorkspaceError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, EOFError, KeyError, struct.error) as error:
        raise WorkspaceError(
            f"{path} is no sample file (.npy, .npz or idx, gzipped or not): {error}"
        ) from error


def _read_numpy(path: Path, data: bytes) -> Array:
    import io

    loaded = np.load(io.BytesIO(data), allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return loaded
    names = list(loaded.files)
    if not names:
        raise ValueError("it holds no array")
    member: Array = loaded[names[0]]
    return member


def _read_idx(data: bytes) -> Array:
    zero, kind, rank = struct.unpack_from(">HBB", data)
    if zero != 0 or kind not in _IDX_TYPES:
        raise ValueError("unknown format")
    shape = struct.unpack_from(f">{rank}I", data, 4)
    dtype = np.dtype(_IDX_TYPES[kind])
    start = 4 + 4 * rank
    if len(data) - start != dtype.itemsize * int(np.prod(shape, dtype=np.int64)):
        raise ValueError("it is cut off")
    array: Array = np.frombuffer(data, dtype, offset=start).reshape(shape)
    return array.astype(dtype.newbyteorder("="))


def load_labels(path: Path, count: int) -> Array:
    """Labels [count] of as many samples; raises WorkspaceError if there are more or fewer."""
    labels = read_array(path).reshape(-1)
    if labels.size != count:
        raise WorkspaceError(f"{path} has {labels.size} labels for {count} samples")
    return labels


def shaped(samples: Array, shape: tuple[int, ...], path: Path) -> NDArray[np.float32]:
    """Samples as [n, *shape[1:]] in float32.

    Raises:
        WorkspaceError: sizes do not fit, or not all are finite numbers.
    """
    per_sample = int(np.prod(shape[1:]))
    if (
        samples.size == 0
        or samples.size % per_sample
        or (
            samples.ndim > 0
            and samples.size // per_sample != samples.shape[0]
            and samples.size != per_sample
        )
    ):
        raise WorkspaceError(
            f"{path} has shape {list(samples.shape)}; the model's input is {list(shape[1:])} a "
            "sample"
        )
    if samples.dtype.kind not in "biuf":
        raise WorkspaceError(f"{path} holds values of type {samples.dtype}, not numbers")
    if not np.all(np.isfinite(samples)):
        raise WorkspaceError(f"{path} holds values that are not finite")
    return samples.reshape(-1, *shape[1:]).astype(np.float32)
