# SPDX-License-Identifier: Apache-2.0
"""Train TFC, an MLP with 2-bit weights and activations, on MNIST and export it as QONNX.

python examples/tfc/train.py --images t10k-images-idx3-ubyte.gz --labels t10k-labels-idx1-ubyte.gz

The two files are idx files as MNIST has them, gzipped or not. Of their images, 2,000 are held
out: they are tested on once, at the end, and never trained on.
"""

from __future__ import annotations

import argparse
import gzip
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from brevitas.export import export_qonnx
from brevitas.nn import QuantIdentity, QuantLinear
from brevitas.quant import Int8ActPerTensorFloatMinMaxInit, Int8WeightPerTensorFloat
from torch import Tensor, nn
from torch.nn import functional

SIDE, CLASSES = 28, 10
HIDDEN = (64, 64, 64)
BITS = 2
TEMPERATURE = 8.0  # the scores, integers of up to 64, are divided by it for the loss

HELD_OUT = 2_000
SAMPLES = 200  # held-out images written beside the network
SPLIT_SEED = 20  # not --seed, so that every run holds out the same images

BATCH, LEARNING_RATE = 100, 0.01
SHIFT, ROTATION = 2.0, 10.0  # augmentation: at most so many pixels and degrees


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """Array of bytes in an idx file, gzipped or not."""
    raw = path.read_bytes()
    if path.suffix == ".gz":
        raw = gzip.decompress(raw)
    if raw[:3] != b"\0\0\x08":
        raise SystemExit(f"{path}: not an idx file of bytes")
    start = 4 + 4 * raw[3]
    shape = np.frombuffer(raw[4:start], dtype=">u4").tolist()
    return np.frombuffer(raw, dtype=np.uint8, offset=start).reshape(shape)


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
    """Linear layer without bias, with weights -1, 0 and 1."""
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
    """784-64-64-64-10: linear, batch norm and quantizer, three times, then linear.

    Its input is n x 1 x 28 x 28 pixels from 0 to 1, its output the scores of the ten digits.
    """

    def __init__(self) -> None:
        super().__init__()
        layers = [quantizer()]
        width = SIDE * SIDE
        for outputs in HIDDEN:
            layers += [linear(width, outputs), nn.BatchNorm1d(outputs), quantizer()]
            width = outputs
        self.layers = nn.Sequential(*layers, linear(width, CLASSES))

    def forward(self, pixels: Tensor) -> Tensor:
        scores: Tensor = self.layers(torch.flatten(pixels, 1) * 2.0 - 1.0)
        return scores

    def clip_weights(self) -> None:
        """Bring weights back to -1..1: quantizers pass no gradient to those beyond."""
        with torch.no_grad():
            for layer in self.layers:
                if isinstance(layer, QuantLinear):
                    layer.weight.clamp_(-1.0, 1.0)


def augment(pixels: Tensor) -> Tensor:
    """Each image rotated and shifted a little, by random amounts of its own."""
    count = len(pixels)
    angle = (torch.rand(count) * 2 - 1) * math.radians(ROTATION)
    shift = (torch.rand(count, 2) * 2 - 1) * SHIFT * 2 / SIDE
    cos, sin = angle.cos(), angle.sin()
    rows = [torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)]
    grid = functional.affine_grid(torch.stack(rows, 1), list(pixels.shape), align_corners=False)
    return functional.grid_sample(pixels, grid, align_corners=False)


def train(model: Tfc, pixels: Tensor, targets: Tensor, epochs: int) -> None:
    """Train for so many epochs; the weights of the last one are kept, whatever they are worth."""
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(1, epochs + 1):
        total = 0.0
        batches = torch.split(torch.randperm(len(pixels)), BATCH)
        for batch in batches:
            scores = model(augment(pixels[batch]))
            loss = functional.cross_entropy(scores / TEMPERATURE, targets[batch])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            model.clip_weights()
            total += loss.item()
        schedule.step()
        if epoch % 10 == 0 or epoch == epochs:
            print(f"epoch {epoch} of {epochs}: loss {total / len(batches):.4f}", flush=True)
    model.eval()


def export(model: Tfc, path: Path) -> None:
    """Write the network as QONNX, for one image at a time."""
    export_qonnx(
        model,
        args=torch.zeros(1, 1, SIDE, SIDE),
        export_path=str(path),
        input_names=["pixels"],
        output_names=["scores"],
        opset_version=17,
        dynamo=False,  # the newer exporter writes paths of this machine into the file
        keep_initializers_as_inputs=False,
    )


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="Train TFC W2A2 on MNIST, export it as QONNX.")
    parser.add_argument("--images", type=Path, required=True, metavar="IDX")
    parser.add_argument("--labels", type=Path, required=True, metavar="IDX")
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1, help="of weights, order and augmentation")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, metavar="DIR")
    return parser.parse_args()


def main() -> None:
    """Train, test once, and write the network, samples and labels."""
    options = arguments()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(options.seed)

    images, labels = read_idx(options.images), read_idx(options.labels)
    pixels = torch.from_numpy(images.astype(np.float32) / 255.0).unsqueeze(1)
    targets = torch.from_numpy(labels.astype(np.int64))
    order = np.random.default_rng(SPLIT_SEED).permutation(len(images))
    kept, held = order[:-HELD_OUT], order[-HELD_OUT:]

    model = Tfc()
    train(model, pixels[kept], targets[kept], options.epochs)
    with torch.no_grad():
        correct = int((model(pixels[held]).argmax(1) == targets[held]).sum())
    print(f"{correct} of {HELD_OUT} held-out images labelled correctly ({correct / HELD_OUT:.2%})")

    options.out.mkdir(parents=True, exist_ok=True)
    export(model, options.out / "tfc_w2a2.onnx")
    np.save(options.out / "samples.npy", images[held[:SAMPLES]])
    np.save(options.out / "labels.npy", labels[held[:SAMPLES]])


if __name__ == "__main__":
    main()
