# SPDX-License-Identifier: Apache-2.0
"""Images per second in training: plain torch in float32, Brevitas, and the study's own step.

python -m benchmarks.training_speed [--batch N] [--threads N]

The same layers (784-1024-1024-1024-10 with batch norm, tanh and dropout), optimiser (Adam) and
batch, measured in turn, so that other work on the machine weighs on all alike; the median
round counts. Times are of the processor, not the wall.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable

import torch

from qnnc.explore.formats import largest
from qnnc.explore.study import Widths, load_study
from qnnc.explore.training.fused import FusedNetwork, product_type
from qnnc.explore.training.network import make_network

ROUNDS, STEPS = 7, 5


def plain_network(sizes: tuple[int, ...], dropout: float) -> torch.nn.Sequential:
    """The network without quantizers."""
    nn = torch.nn
    layers: list[torch.nn.Module] = [nn.Dropout(dropout)]
    for inputs, outputs in itertools.pairwise(sizes[:-1]):
        layers += [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.Tanh()]
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(
        *layers, nn.Linear(sizes[-2], sizes[-1], bias=False), nn.BatchNorm1d(sizes[-1])
    )


def stepper(
    model: torch.nn.Module,
    scores: Callable[[torch.Tensor], torch.Tensor],
    x: torch.Tensor,
    y: torch.Tensor,
    after: Callable[[], None],
    fused: bool,
) -> Callable[[], None]:
    """One training step of a model."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, fused=fused)

    def step() -> None:
        loss = torch.nn.functional.cross_entropy(scores(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        after()

    return step


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    study = load_study("bacchus2020")
    network = study.network
    widths = Widths((4,) * 4, (4,) * 4)
    images = torch.randint(0, 256, (arguments.batch, network.inputs), dtype=torch.uint8)
    labels = torch.randint(0, network.classes, (arguments.batch,))
    floats = images.float() / 255
    plain = plain_network((network.inputs, *network.hidden, network.classes), 0.1).train()
    slow = make_network(network, widths).train()
    quick = make_network(network, widths).train()
    own = FusedNetwork(quick, network, widths, "cpu")

    def clip() -> None:
        with torch.no_grad():
            for layer in slow:
                if hasattr(layer, "weight_quant"):
                    layer.weight.clamp_(-largest(4), largest(4))

    steps = {
        "plain torch, float32": stepper(
            plain, lambda x: plain(x * 2 - 1), floats, labels, lambda: None, False
        ),
        "Brevitas": stepper(slow, slow, floats, labels, clip, False),
        f"study ({product_type('cpu')})": stepper(
            quick, own.scores, images, labels, own.clip, True
        ),
    }
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for round_ in range(ROUNDS + 1):
        for name, step in steps.items():
            start = time.process_time()
            for _ in range(STEPS):
                step()
            if round_:  # the first one warms up
                seconds[name].append((time.process_time() - start) / STEPS)
    base = statistics.median(seconds["plain torch, float32"])
    print(f"batch {arguments.batch}, {arguments.threads} thread(s)")
    for name, times in seconds.items():
        median = statistics.median(times)
        print(f"{name:28} {arguments.batch / median:8,.0f} images/s  {base / median:5.2f}")


if __name__ == "__main__":
    main()
