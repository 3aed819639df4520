# SPDX-License-Identifier: Apache-2.0
"""A trained network as plain arrays in an .npz file. Nothing is pickled, nothing unpickled."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qnnc.compiler.errors import ModelError, WorkspaceError

FORMAT = "qnnc-sklearn 1"
ACTIVATIONS = {"identity": "", "relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid"}
"""Of the hidden layers, by scikit-learn's names: ONNX's."""
MOST_BYTES = 1 << 30
"""Of an archive's contents."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Network:
    """What is in an archive.

    Attributes:
        weights: of each layer, [inputs, outputs].
        biases: of each layer, [outputs].
        activation: between layers, one of ACTIVATIONS.
        rows: samples to calibrate with, [n, inputs of the first layer].
    """

    weights: list[Floats]
    biases: list[Floats]
    activation: str
    rows: Floats


def save(classifier: Any, file: str | Path, rows: ArrayLike) -> None:
    """Write a trained MLPClassifier, and the samples to quantize it with, to an .npz file.

    Two classes have one output in scikit-learn; here they get one each, so that the larger wins.

    Args:
        classifier: fitted, with one label a sample.
        rows: samples such as the network was trained with, [n, features], after all
            preprocessing; a few hundred will do.

    Raises:
        ValueError: it tells labels apart that do not exclude each other.
    """
    weights = [np.asarray(w, np.float32) for w in classifier.coefs_]
    biases = [np.asarray(b, np.float32) for b in classifier.intercepts_]
    if classifier.out_activation_ == "logistic":
        if weights[-1].shape[1] != 1:
            raise ValueError("a classifier of several labels a sample has no one best class")
        weights[-1] = np.concatenate([-weights[-1], weights[-1]], axis=1)
        biases[-1] = np.concatenate([-biases[-1], biases[-1]])
    arrays = {f"weights{i}": array for i, array in enumerate(weights)}
    arrays |= {f"biases{i}": array for i, array in enumerate(biases)}
    with Path(file).open("wb") as stream:
        np.savez_compressed(
            stream,
            format=np.array(FORMAT),
            activation=np.array(classifier.activation),
            classes=np.asarray(classifier.classes_).astype(str),
            rows=np.asarray(rows, np.float32),
            **arrays,
        )


def is_archive(file: str) -> bool:
    """Whether a file is an archive that `save` may have written; never raises."""
    try:
        with zipfile.ZipFile(file) as archive:
            return {"format.npy", "weights0.npy", "rows.npy"} <= set(archive.namelist())
    except (OSError, ValueError, zipfile.BadZipFile):
        return False


def read(file: str) -> Network:
    """Read and check an archive, whoever wrote it.

    Raises:
        WorkspaceError: the file cannot be read.
        ModelError: it is not an archive of ours, or its arrays do not fit each other.
    """
    arrays = _arrays(file)
    count = sum(name.startswith("weights") for name in arrays)
    wanted = [f"{kind}{i}" for kind in ("weights", "biases") for i in range(count)]
    missing = [n for n in ("format", "activation", "rows", *wanted) if n not in arrays]
    if missing or count == 0:
        raise ModelError(f"{file} lacks {missing[0] if missing else 'weights0'!r}")
    if str(arrays["format"]) != FORMAT:
        raise ModelError(f"{file} is not of format {FORMAT!r}; save the classifier again")
    activation = str(arrays["activation"])
    if activation not in ACTIVATIONS:
        raise ModelError(
            f"{file}: activation {activation!r} is none of {', '.join(map(repr, ACTIVATIONS))}"
        )
    rows = _floats(file, "rows", arrays, 2)
    weights = [_floats(file, f"weights{i}", arrays, 2) for i in range(count)]
    biases = [_floats(file, f"biases{i}", arrays, 1) for i in range(count)]
    width = rows.shape[1]
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        if w.shape[0] != width or b.shape[0] != w.shape[1]:
            raise ModelError(
                f"{file}: 'weights{i}' of shape {list(w.shape)} and 'biases{i}' of shape "
                f"{list(b.shape)} do not fit {width} inputs"
            )
        width = w.shape[1]
    return Network(weights, biases, activation, rows)


def _arrays(file: str) -> dict[str, NDArray[Any]]:
    try:
        with zipfile.ZipFile(file) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MOST_BYTES:
            raise ModelError(f"{file} unpacks to {size:,} bytes")
        with np.load(file, allow_pickle=False) as loaded:
            return {name: loaded[name] for name in loaded.files}
    except OSError as error:
        raise WorkspaceError(f"cannot read {file}: {error.strerror or error}") from error
    except (ValueError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        raise ModelError(f"{file} is not an archive of plain arrays: {error}") from error


def _floats(file: str, name: str, arrays: dict[str, NDArray[Any]], rank: int) -> Floats:
    array = arrays[name]
    if array.ndim != rank or array.size == 0 or array.dtype.kind not in "fiu":
        raise ModelError(f"{file}: {name!r} has to be numbers of {rank} dimensions, not empty")
    if not np.isfinite(array).all():
        raise ModelError(f"{file}: {name!r} has numbers that are not finite")
    return array.astype(np.float32)
