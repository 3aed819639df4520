# SPDX-License-Identifier: Apache-2.0
"""Robustness: the error under small changes of the image that are made to mislead.

FGSM: Goodfellow, Shlens and Szegedy, "Explaining and Harnessing Adversarial Examples", ICLR 2015.
PGD: Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", ICLR 2018; from
the image itself, with steps of 2.5 ε / steps. Gradients pass quantizers as they do in training
(straight through), so that an attack made for other networks may be a stronger one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnnc.explore.training.torch_modules import module

STEP = 2.5


def _gradient(model: Any, x: Any, y: Any) -> Any:
    torch = module("torch")
    x = x.detach().requires_grad_(True)
    loss = torch.nn.functional.cross_entropy(model(x), y)
    (gradient,) = torch.autograd.grad(loss, x)
    return gradient


def attacked(model: Any, x: Any, y: Any, epsilon: float, steps: int) -> Any:
    """Images changed by at most ε; one step is FGSM, several are PGD.

    Args:
        model: in evaluation mode.
        x: images [n, pixels] from 0 to 1, as a tensor.
        y: their labels [n].
        epsilon: the largest change of a pixel.
    """
    torch = module("torch")
    size = epsilon if steps == 1 else STEP * epsilon / steps
    low, high = (x - epsilon).clamp(min=0), (x + epsilon).clamp(max=1)
    changed = x
    for _ in range(steps):
        changed = changed + size * _gradient(model, changed, y).sign()
        changed = torch.minimum(torch.maximum(changed, low), high).detach()
    return changed


def error_percent(model: Any, x: Any, y: Any) -> float:
    """Percent of images that get another label than theirs."""
    torch = module("torch")
    with torch.no_grad():
        wrong = model(x).argmax(1) != y
    return 100 * float(wrong.double().mean())


def robustness(
    model: Any,
    images: NDArray[np.float32],
    labels: NDArray[Any],
    epsilons: tuple[float, ...],
    steps: int,
    device: str,
) -> dict[str, float]:
    """Error in percent of images [n, pixels] with labels [n] under each attack, by names such as
    "fgsm_0.1" and "pgd_0.1"."""
    torch = module("torch")
    model.eval()
    x, y = (torch.from_numpy(array).to(device) for array in (images, labels))
    return {
        f"{name}_{epsilon:g}": error_percent(model, attacked(model, x, y, epsilon, count), y)
        for epsilon in epsilons
        for name, count in (("fgsm", 1), ("pgd", steps))
    }
