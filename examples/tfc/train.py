# SPDX-License-Identifier: Apache-2.0
"""Train TFC, an MLP with 2-bit weights and activations, on MNIST and export it as QONNX.

python examples/tfc/train.py --data mnist --out examples/tfc

The folder given with --data has the idx files of MNIST, gzipped or not. With the training and
the test images there, it trains on the one and tests on the other. With only the test images
there, it trains on 8,000 of them and tests on the other 2,000.
"""

from __future__ import annotations

import argparse
import gzip
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from brevitas.export import export_qonnx
from brevitas.nn import QuantIdentity, QuantLinear
from brevitas.quant import Int8ActPerTensorFloatMinMaxInit, Int8WeightPerTensorFloat
from torch import Tensor, nn
from torch.nn import functional

Bytes = npt.NDArray[np.uint8]

SIDE = 28
CLASSES = 10
HIDDEN = (64, 64, 64)
BITS = 2
DROPOUT_IN, DROPOUT = 0.1, 0.05

SPLIT_SEED = 20  # of what is held out: apart from --seed, so that every run has the same
HELD_OUT = 2_000  # images, if they have to come from the same file as those trained on
SAMPLES = 200  # held-out images written beside the network

BATCH = 100
LEARNING_RATE = 0.01
SHIFT, ROTATION = 2.0, 10.0  # augmentation: at most so many pixels and degrees


@dataclass
class Data:
    """Images (n x 28 x 28) and labels to train on and to test with, and where they are from."""

    source: str
    train_images: Bytes
    train_labels: Bytes
    test_images: Bytes
    test_labels: Bytes


def read_idx(path: Path) -> Bytes:
    """Array of bytes in an idx file, gzipped or not."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if raw[:3] != b"\0\0\x08":
        raise SystemExit(f"{path}: not an idx file of bytes")
    body = 4 + 4 * raw[3]
    shape = tuple(np.frombuffer(raw[4:body], dtype=">u4").tolist())
    return np.frombuffer(raw, dtype=np.uint8, offset=body).reshape(shape)


def read_pair(folder: Path, part: str) -> tuple[Bytes, Bytes] | None:
    """Images and labels of one part of MNIST, "train" or "t10k"; None if a file is missing."""
    arrays = []
    for name in (f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"):
        path = next((p for p in (folder / name, folder / f"{name}.gz") if p.exists()), None)
        if path is None:
            return None
        arrays.append(read_idx(path))
    return arrays[0], arrays[1]


def load(folder: Path) -> Data:
    """Data in the folder; what is tested with is never trained on."""
    train, test = read_pair(folder, "train"), read_pair(folder, "t10k")
    whole = train or test
    if whole is None:
        raise SystemExit(f"{folder}: no MNIST idx files, such as t10k-images-idx3-ubyte.gz")
    rng = np.random.default_rng(SPLIT_SEED)
    if train and test:
        order = rng.permutation(len(test[0]))
        return Data("train for training, t10k for testing", *train, test[0][order], test[1][order])
    order = rng.permutation(len(whole[0]))
    kept, held = order[:-HELD_OUT], order[-HELD_OUT:]
    part = "train" if train else "t10k"
    source = f"{part} alone, {len(kept)} images for training and {len(held)} for testing"
    images, labels = whole
    return Data(source, images[kept], labels[kept], images[held], labels[held])


class Scale(nn.Module):
    """Multiplies the scores with one learned number, for the sake of the loss."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(start))

    def forward(self, scores: Tensor) -> Tensor:
        return scores * self.factor


def quantizer() -> nn.Module:
    """Quantizer to -1, 0 and 1: signed, narrow, 2 bits, with a fixed scale of 1."""
    module: nn.Module = QuantIdentity(
        act_quant=Int8ActPerTensorFloatMinMaxInit,
        bit_width=BITS,
        narrow_range=True,
        min_val=-1.0,
        max_val=1.0,
        scaling_impl_type="const",
    )
    return module


def linear(inputs: int, outputs: int) -> nn.Module:
    """Linear layer without bias, of weights -1, 0 and 1 as `quantizer` has them."""
    layer: nn.Module = QuantLinear(
        inputs,
        outputs,
        bias=False,
        weight_quant=Int8WeightPerTensorFloat,
        weight_bit_width=BITS,
        weight_scaling_impl_type="const",
        weight_scaling_init=1.0,
    )
    for weight in layer.parameters():
        nn.init.uniform_(weight, -1.0, 1.0)
    return layer


class Tfc(nn.Module):
    """784-64-64-64-10: linear, batch norm and quantizer, three times, then linear and a scale.

    Its input is 1 x 28 x 28 pixels from 0 to 1.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [quantizer(), nn.Dropout(DROPOUT_IN)]
        width = SIDE * SIDE
        for outputs in HIDDEN:
            layers += [linear(width, outputs), nn.BatchNorm1d(outputs)]
            layers += [quantizer(), nn.Dropout(DROPOUT)]
            width = outputs
        self.layers = nn.Sequential(*layers, linear(width, CLASSES), Scale(1 / 8))

    def forward(self, pixels: Tensor) -> Tensor:
        scores: Tensor = self.layers(torch.flatten(pixels, 1) * 2.0 - 1.0)
        return scores

    def clip_weights(self) -> None:
        """Bring the weights behind the quantizers back to -1..1, where they have a gradient."""
        with torch.no_grad():
            for layer in self.layers:
                if isinstance(layer, QuantLinear):
                    layer.weight.clamp_(-1.0, 1.0)


def to_pixels(images: Bytes) -> Tensor:
    """Network input of images: n x 1 x 28 x 28, from 0 to 1."""
    return torch.from_numpy(images.astype(np.float32) / 255.0).unsqueeze(1)


def augment(pixels: Tensor) -> Tensor:
    """Each image rotated and shifted a little, by random amounts of its own."""
    count = len(pixels)
    angle = (torch.rand(count) * 2 - 1) * math.radians(ROTATION)
    shift = (torch.rand(count, 2) * 2 - 1) * SHIFT * 2 / SIDE
    cos, sin = angle.cos(), angle.sin()
    rows = [torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)]
    grid = functional.affine_grid(torch.stack(rows, 1), list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, align_corners=False)


def train(images: Bytes, labels: Bytes, epochs: int, seed: int) -> Tfc:
    """The network after so many epochs: the last one, whatever it turned out to be."""
    torch.manual_seed(seed)
    model = Tfc()
    pixels, targets = to_pixels(images), torch.from_numpy(labels.astype(np.int64))
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(epochs):
        model.train()
        total = 0.0
        batches = torch.split(torch.randperm(len(pixels)), BATCH)
        for batch in batches:
            loss = functional.cross_entropy(model(augment(pixels[batch])), targets[batch])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            model.clip_weights()
            total += loss.item()
        schedule.step()
        if (epoch + 1) % 10 == 0 or epoch + 1 == epochs:
            print(f"epoch {epoch + 1} of {epochs}: loss {total / len(batches):.4f}", flush=True)
    return model.eval()


def count_correct(model: Tfc, images: Bytes, labels: Bytes) -> int:
    """How many images get the label they have."""
    with torch.no_grad():
        best = model(to_pixels(images)).argmax(1).numpy()
    return int((best == labels).sum())


def export(model: Tfc, path: Path) -> None:
    """Write the network as QONNX, for one image at a time."""
    export_qonnx(
        model,
        args=torch.zeros(1, 1, SIDE, SIDE),
        export_path=str(path),
        input_names=["pixels"],
        output_names=["scores"],
        opset_version=17,
        dynamo=False,  # the other exporter writes the folders of this machine into the file
        keep_initializers_as_inputs=False,
    )


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="Train TFC W2A2 on MNIST, export it as QONNX.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="idx files")
    parser.add_argument("--epochs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1, help="of weights, order and augmentation")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, metavar="DIR")
    return parser.parse_args()


def main() -> None:
    """Train, test once, and write the network, samples and labels."""
    options = arguments()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    data = load(options.data)
    print(f"data: {data.source}")
    model = train(data.train_images, data.train_labels, options.epochs, options.seed)
    total = len(data.test_labels)
    correct = count_correct(model, data.test_images, data.test_labels)
    print(f"held-out images labelled correctly: {correct} of {total} ({correct / total:.2%})")
    options.out.mkdir(parents=True, exist_ok=True)
    export(model, options.out / "tfc_w2a2.onnx")
    np.save(options.out / "samples.npy", data.test_images[:SAMPLES])
    np.save(options.out / "labels.npy", data.test_labels[:SAMPLES])
    print(f"written to {options.out}: tfc_w2a2.onnx, samples.npy, labels.npy")


if __name__ == "__main__":
    main()
