# SPDX-License-Identifier: Apache-2.0
"""MNIST from a folder of idx files, split into images for training and for testing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnnc.compiler.errors import WorkspaceError
from qnnc.compiler.samples import load_labels, read_array
from qnnc.explore.study import Data, Network

TRAIN, TEST = "train", "t10k"


@dataclass(frozen=True)
class Images:
    """Images for a study.

    Attributes:
        train, train_labels: bytes [n, pixels] and labels [n] to train on.
        validation, validation_labels: the same to choose the best epoch by; empty if the last one
            is taken.
        test, test_labels: the same to test on; none of them is among the others.
        source: one line that says what this is.
    """

    train: NDArray[np.uint8]
    train_labels: NDArray[Any]
    validation: NDArray[np.uint8]
    validation_labels: NDArray[Any]
    test: NDArray[np.uint8]
    test_labels: NDArray[Any]
    source: str


def load_images(folder: Path, data: Data, network: Network) -> Images:
    """The images of a folder with MNIST's four files, or its two test files, gzipped or not.

    With the training files the test images are MNIST's own, and the last `data.validation` of the
    training images are kept for validation. With the test files only, `data.held_out` of their
    images are kept for testing and the others are trained on, without validation.

    Raises:
        WorkspaceError: files are missing, broken or do not fit the network.
    """
    test, test_labels = _pair(folder, TEST, network)
    kept_for_validation = 0
    if _find(folder, f"{TRAIN}-images") is not None:
        train, train_labels = _pair(folder, TRAIN, network)
        kept_for_validation = data.validation
        if kept_for_validation >= len(train):
            raise WorkspaceError(
                f"{folder} has {len(train)} training images: too few to keep "
                f"{kept_for_validation} for validation (data.validation)"
            )
        source = f"trained on the {len(train):,} training images, tested on {len(test):,}"
    else:
        if data.held_out >= len(test):
            raise WorkspaceError(f"{folder} has {len(test)} images: too few to hold out as many")
        order = np.random.default_rng(data.split_seed).permutation(len(test))
        kept, held = order[: -data.held_out], order[-data.held_out :]
        everything, labels = test, test_labels
        train, train_labels = everything[kept], labels[kept]
        test, test_labels = everything[held], labels[held]
        source = (
            f"trained on {len(train):,} of MNIST's {len(everything):,} test images, tested on the "
            f"other {len(test):,}; the 60,000 training images were not at hand"
        )
    split = len(train) - kept_for_validation
    validation, validation_labels = train[split:], train_labels[split:]
    train, train_labels = train[:split], train_labels[:split]
    if kept_for_validation:
        source += f"; of those, {len(validation):,} were kept for choosing the best epoch"
    if data.limit is not None and data.limit < len(train):
        train, train_labels = train[: data.limit], train_labels[: data.limit]
        source += f"; only {data.limit:,} images were trained on"
    return Images(train, train_labels, validation, validation_labels, test, test_labels, source)


def _pair(folder: Path, kind: str, network: Network) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    paths = [_find(folder, f"{kind}-{what}") for what in ("images", "labels")]
    if paths[0] is None or paths[1] is None:
        raise WorkspaceError(
            f"{folder} holds no {kind}-images-idx3-ubyte and {kind}-labels-idx1-ubyte "
            "(gzipped or not): name MNIST's folder with --data"
        )
    images = read_array(paths[0])
    if images.dtype != np.uint8 or images.size != len(images) * network.inputs:
        raise WorkspaceError(
            f"{paths[0]}: images of shape {images.shape[1:]} do not fit a network of "
            f"{network.inputs} inputs"
        )
    labels = load_labels(paths[1], len(images))
    if labels.size and not 0 <= labels.min() <= labels.max() < network.classes:
        raise WorkspaceError(f"{paths[1]}: a label is not from 0 to {network.classes - 1}")
    return images.reshape(len(images), -1), labels.astype(np.int64)


def _find(folder: Path, start: str) -> Path | None:
    """The file of that name, whether it is "-idx3" or ".idx3", gzipped or not."""
    try:
        names = sorted(folder.iterdir())
    except OSError as error:
        raise WorkspaceError(f"cannot read {folder}: {error.strerror}") from error
    return next((path for path in names if path.name.startswith(start)), None)
