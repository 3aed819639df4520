# SPDX-License-Identifier: Apache-2.0
"""A study that is small enough for tests: four networks of 16-pixel images."""

from __future__ import annotations

import csv
import importlib.util
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qnnc.explore.results import TIMED

MISSING = [
    name
    for name in ("torch", "brevitas", "optuna", "matplotlib")
    if importlib.util.find_spec(name) is None
]
needs_training = pytest.mark.skipif(
    bool(MISSING), reason=f"{', '.join(MISSING)} not installed (pip install 'qnnc[train,explore]')"
)

STUDY = """
title = "Small <b>study</b>"
paper = "bacchus2020"
[network]
inputs = 16
hidden = [8, 8]
classes = 3
dropout_hidden = 0.1
[quantization]
weights = [1, 2]
activations = [1, 3]
[training]
epochs = [1, 2]
batch = 10
learning_rate = 0.03
checkpoint_every = 1
[data]
held_out = 40
[hardware]
budget = 0.5
batch = 4
synthesize = ["W2A3"]
[robustness]
epsilons = [0.1]
pgd_steps = 3
images = 20
[quick.training]
epochs = [1]
"""


def write_idx(path: Path, array: np.ndarray) -> None:
    """An array of bytes as an idx file."""
    head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(head + array.astype(np.uint8).tobytes())


def write_images(folder: Path, kind: str, count: int, seed: int) -> None:
    """Images whose label is that of the brightest third, as MNIST's files are named."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    images = rng.integers(0, 100, (count, 4, 4))
    for image, label in zip(images.reshape(count, -1), labels, strict=True):
        image[label * 5 : label * 5 + 5] += 120
    folder.mkdir(exist_ok=True)
    write_idx(folder / f"{kind}-images-idx3-ubyte", images)
    write_idx(folder / f"{kind}-labels-idx1-ubyte", labels)


def write_study(folder: Path) -> tuple[Path, Path]:
    """The study's file and its images; returns both paths."""
    (folder / "small.toml").write_text(STUDY)
    write_images(folder / "data", "t10k", 160, seed=1)
    return folder / "small.toml", folder / "data"


def lasting(table: Path) -> list[dict[str, str]]:
    """Rows of results.csv without the columns that differ from run to run."""
    with table.open(newline="") as file:
        return [{k: v for k, v in row.items() if TIMED not in k} for row in csv.DictReader(file)]


def result(weights: int, activations: int, **counts: int) -> dict[str, Any]:
    """A network's result with the resources given."""
    estimate = {"LUT": 1, "FF": 1, "BRAM18": 1, "DSP": 0, **counts}
    built = {"fits": True, "fps": 1.0, "estimate": estimate}
    return {
        "name": f"W{weights}A{activations}",
        "weights": [weights] * 3,
        "activations": [activations] * 3,
        "data": "images",
        "compression": 32 / weights,
        "epochs": {"2": {"error": 10.0 / weights, "training_seconds": 1.0}},
        "same_speed": built,
        "fastest": built,
    }
