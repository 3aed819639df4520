# SPDX-License-Identifier: Apache-2.0
"""A module's own forward, run to check its export, leaving the module as it was."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNK = 16
"""Samples of a run, where the module takes several."""


class Forward:
    """Runs a torch module on samples and keeps what each of its layers gives."""

    def __init__(self, torch: Any, module: Any) -> None:
        self.torch = torch
        self.module = module

    def __call__(self, samples: NDArray[np.float32]) -> list[tuple[str, NDArray[Any]]]:
        """Names of layers and what they give for all samples, in the order in which they ran; the
        module's own result last, with an empty name."""
        try:
            return self._run(samples, CHUNK)
        except RuntimeError:  # a module may be written for one sample, with shapes of its own
            return self._run(samples, 1)

    def _run(self, samples: NDArray[np.float32], size: int) -> list[tuple[str, NDArray[Any]]]:
        seen: dict[str, list[NDArray[Any]]] = {}

        def keep(name: str, result: Any) -> None:
            value = getattr(result, "value", result)
            if isinstance(value, self.torch.Tensor):
                seen.setdefault(name, []).append(value.detach().cpu().numpy())

        hooks = [
            layer.register_forward_hook(lambda _m, _x, y, name=name: keep(name, y))
            for name, layer in _layers(self.module)
        ]
        first = next(iter(self.module.parameters()), None)
        device = "cpu" if first is None else first.device
        try:
            with undisturbed(self.torch, self.module), self.torch.no_grad():
                for start in range(0, len(samples), size):
                    part = self.torch.from_numpy(samples[start : start + size].copy())
                    keep("", self.module(part.to(device)))
        finally:
            for hook in hooks:
                hook.remove()
        parts = -(-len(samples) // size)
        # a layer that runs several times in one forward cannot be told apart
        whole = {name: np.concatenate(a) for name, a in seen.items() if len(a) == parts}
        return [(name, array) for name, array in whole.items() if name] + [
            (name, array) for name, array in whole.items() if not name
        ]


def _layers(module: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Layers of Brevitas, and of torch where they have no parts."""
    for name, child in module.named_children():
        inner = f"{path}.{name}" if path else name
        if type(child).__module__.startswith("brevitas.nn") or not any(child.children()):
            yield inner, child
        else:
            yield from _layers(child, inner)


@contextlib.contextmanager
def undisturbed(torch: Any, module: Any) -> Iterator[None]:
    """The module in evaluation mode; afterwards each part of it is in the mode that it was in, and
    torch's random numbers go on where they were."""
    modes = [(part, part.training) for part in module.modules()]
    devices = sorted({p.device.index for p in module.parameters() if p.device.type == "cuda"})
    with torch.random.fork_rng(devices=devices):
        module.eval()
        try:
            yield
        finally:
            for part, training in modes:
                part.training = training
