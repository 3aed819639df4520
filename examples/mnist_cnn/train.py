# SPDX-License-Identifier: Apache-2.0
"""A float CNN for MNIST, as torch trains and exports it: nothing in it knows of quantization.

    python examples/mnist_cnn/train.py --data MNIST --out examples/mnist_cnn

MNIST holds train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz. Writes float.onnx and
calibration.npy.gz, 256 of the training images. Needs qnnc[train].
"""

from __future__ import annotations

import argparse
import gzip
import io
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from qnnc.compiler.samples import read_array

CALIBRATION = 256


def network() -> nn.Sequential:
    """Three convolutions with batch norm, two pools, one dense layer; pixels from 0 to 1."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 7 * 7, 10),
    )


def train(net: nn.Module, images: torch.Tensor, labels: torch.Tensor, epochs: int) -> None:
    """Adam with a learning rate that falls in one cycle."""
    optimizer = torch.optim.Adam(net.parameters())
    batch = 100
    steps = epochs * (len(images) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=steps)
    net.train()
    for epoch in range(epochs):
        order = torch.randperm(len(images))
        for start in range(0, len(order) - batch + 1, batch):
            some = order[start : start + batch]
            loss = F.cross_entropy(net(images[some]), labels[some])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1} of {epochs}: loss of the last batch {loss.item():.4f}")
    net.eval()


def main() -> None:
    """Train, export, write the images to calibrate with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("examples/mnist_cnn"))
    parser.add_argument("--epochs", type=int, default=6)
    given = parser.parse_args()
    torch.manual_seed(1)
    pixels = read_array(given.data / "train-images-idx3-ubyte.gz")
    images = torch.from_numpy(pixels.astype(np.float32) / 255).reshape(-1, 1, 28, 28)
    labels = torch.from_numpy(read_array(given.data / "train-labels-idx1-ubyte.gz").astype(int))
    net = network()
    train(net, images, labels, given.epochs)
    torch.onnx.export(
        net,
        (images[:1],),
        given.out / "float.onnx",
        input_names=["pixels"],
        output_names=["scores"],
        dynamic_axes={"pixels": {0: "batch"}, "scores": {0: "batch"}},
        dynamo=False,
    )
    few = np.random.default_rng(1).choice(len(pixels), CALIBRATION, replace=False)
    buffer = io.BytesIO()
    np.save(buffer, pixels[np.sort(few)])
    packed = gzip.compress(buffer.getvalue(), mtime=0)
    (given.out / "calibration.npy.gz").write_bytes(packed)


if __name__ == "__main__":
    main()
