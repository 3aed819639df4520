# SPDX-License-Identifier: Apache-2.0
"""Sample files: .npy, .npz and MNIST's idx, gzipped or not."""

from __future__ import annotations

import gzip
import io
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnnc.compiler.errors import WorkspaceError

_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
Array = NDArray[Any]
MOST_BYTES = 1 << 34
"""That a compressed file may hold."""
MOST_CLASSES = 1 << 31


def read_array(path: Path) -> Array:
    """The array in a sample or label file; of an .npz, its only or first member.

    Raises:
        WorkspaceError: the file cannot be read, is of no known kind or is too large. Pickled
            objects are refused.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WorkspaceError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        with warnings.catch_warnings(action="ignore"):  # of headers of old Pythons
            if data[:2] == b"\x1f\x8b":
                data = _unzipped(data)
            if data[:6] == b"\x93NUMPY" or data[:2] == b"PK":
                return _read_numpy(data)
            return _read_idx(data)
    except Exception as error:  # NumPy and zipfile raise dozens of kinds for a damaged file
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise WorkspaceError(
            f"{path} is not a sample file (.npy, .npz or idx, gzipped or not): {reason}"
        ) from error


def _unzipped(data: bytes) -> bytes:
    with gzip.open(io.BytesIO(data)) as file:
        found = file.read(MOST_BYTES + 1)
    if len(found) > MOST_BYTES:
        raise ValueError(f"it holds more than {MOST_BYTES:,} bytes")
    return found


def _read_numpy(data: bytes) -> Array:
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(member.file_size for member in archive.infolist()) > MOST_BYTES:
                raise ValueError(f"it holds more than {MOST_BYTES:,} bytes")
    loaded = np.load(io.BytesIO(data), allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return loaded
    names = list(loaded.files)
    if not names:
        raise ValueError("it holds no array")
    member = loaded[names[0]]
    if not isinstance(member, np.ndarray):
        raise ValueError("its first member is not an array")
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


def load_labels(path: Path, count: int, *, more: bool = False) -> Array:
    """Labels [count] of as many samples, as integers.

    Args:
        more: let there be labels of further samples.

    Raises:
        WorkspaceError: there are more or fewer, or they are not whole numbers from 0 on.
    """
    labels = read_array(path).reshape(-1)
    if labels.size < count or (labels.size > count and not more):
        raise WorkspaceError(f"{path} has {labels.size} labels for {count} samples")
    if labels.dtype.kind not in "biuf":
        raise WorkspaceError(f"{path} holds values of type {labels.dtype}, not numbers of classes")
    if labels.dtype.kind == "f" and not np.all(np.isfinite(labels)):
        raise WorkspaceError(f"{path} holds values that are not finite")
    whole = np.rint(labels) if labels.dtype.kind == "f" else labels
    if np.any(whole != labels) or np.any(whole < 0) or np.any(whole >= MOST_CLASSES):
        raise WorkspaceError(f"{path} holds values that are not numbers of classes: 0, 1, 2, …")
    return whole[:count].astype(np.int64)


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
    with np.errstate(over="ignore"):
        found = samples.reshape(-1, *shape[1:]).astype(np.float32)
    if not np.all(np.isfinite(found)):
        raise WorkspaceError(f"{path} holds values too large for float32")
    return found
