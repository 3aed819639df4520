# SPDX-License-Identifier: Apache-2.0
"""What random graphs are grown from: tensors, quantizers, and the tails between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.qonnx_graph import QONNX, QonnxGraph, Tensor
from tests.support.choices import Choices

LARGEST = 8
"""Size that no dimension exceeds by much."""

ACTIVATIONS: dict[str, dict[str, float]] = {
    "Relu": {},
    "LeakyRelu": {"alpha": 0.125},
    "PRelu": {},
    "Clip": {},
    "HardSigmoid": {"alpha": 0.2, "beta": 0.5},
    "HardSwish": {},
    "Tanh": {},
    "Sigmoid": {},
    "Elu": {"alpha": 0.7},
    "Silu": {},
    "Gelu": {},
}


@dataclass(frozen=True)
class Made:
    """A tensor of the graph.

    Attributes:
        tensor: name and shape, without the batch.
        scale: of its quantizer, one number or one a channel; None for a sum.
        centred: an integer stands for zero, so that it can be padded.
        bits: of its codes or of its sum, roughly.
    """

    tensor: Tensor
    scale: NDArray[np.float32] | None
    centred: bool = True
    bits: int = 8

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape without the batch."""
        return self.tensor.shape

    @property
    def is_image(self) -> bool:
        """There are spatial dimensions."""
        return len(self.shape) > 1

    @property
    def per_tensor(self) -> bool:
        """One scale for all channels."""
        return self.scale is not None and self.scale.size == 1


class Growing:
    """A graph under construction: its tensors, quantizers and tails."""

    def __init__(self, seed: int) -> None:
        self.choose = Choices(seed)
        self.g = QonnxGraph(seed)
        self.made: list[Made] = []
        self.used: set[str] = set()
        self.worked = False
        self.opset = self.choose.item([14, 17, 20])

    # --- tensors ----------------------------------------------------------------------------

    def _input(self, name: str) -> None:
        c = self.choose
        rank = c.weighted({3: 7, 2: 2, 1: 1})
        sizes = [c.number(1, LARGEST) for _ in range(rank)]
        x = self.g.input(sizes, name)
        self._keep(self._quantized(Made(x, None)))

    def _keep(self, *made: Made) -> None:
        self.made.extend(made)

    def _take(self, wanted: Callable[[Made], bool]) -> Made | None:
        """A tensor that fits, a new or unused one more often than an old one."""
        fitting = [m for m in self.made if wanted(m)]
        if not fitting:
            return None
        unused = [m for m in fitting if m.tensor.name not in self.used]
        c = self.choose
        if unused and c.chance(0.7):
            return unused[-1] if c.chance(0.7) else c.item(unused)
        return c.item(fitting)

    def _use(self, *made: Made) -> None:
        self.used.update(m.tensor.name for m in made)

    def op(
        self,
        x: Made,
        operator: str,
        *operands: str,
        shape: tuple[int, ...] | None = None,
        **attributes: object,
    ) -> Made:
        """An operator on one tensor whose result has its scale."""
        self._use(x)
        name = self.g.op(operator, [x.tensor.name, *operands], **attributes)[0]
        return replace(x, tensor=Tensor(name, shape or x.shape, x.tensor.rms))

    # --- quantizers and tails ---------------------------------------------------------------

    def _quantized(self, x: Made, scale: float | None = None) -> Made:
        """A quantizer that meets the size of the values, or one with a given scale."""
        c, rms = self.choose, x.tensor.rms
        bits = c.weighted({1: 2, 2: 3, 3: 2, 4: 4, 5: 1, 6: 1, 7: 1, 8: 2})
        self._use(x)
        if bits == 1 and scale is None and c.chance(0.7):
            step = np.float32(c.real(0.5, 1.5) * rms)
            name = self.g.op("BipolarQuant", [x.tensor.name, self.g.constant(step)], QONNX)[0]
            tensor = Tensor(name, x.shape, float(step))
            return Made(tensor, np.asarray(step), centred=True, bits=1)
        signed = c.chance(0.6)
        narrow = c.chance(0.4) and bits > 1
        reach = 2.0 ** (bits - signed) if bits > 1 else 2.0
        steps: NDArray[np.float32] = np.asarray(scale or c.real(1.5, 4) * rms / reach, np.float32)
        if scale is None and x.is_image and c.chance(0.12):
            dims = (x.shape[0], *(1,) * (len(x.shape) - 1))
            factors = self.choose.rng.uniform(0.7, 1.4, dims)
            steps = (steps * factors).astype(np.float32)
        zero = 0.0
        if scale is None and bits > 1 and c.chance(0.2):
            zero = float(c.number(0, 3)) if c.chance(0.8) else 0.5
        name = self.g.op(
            "Quant",
            [x.tensor.name, *(self.g.constant(v) for v in (steps, zero, bits))],
            QONNX,
            signed=int(signed),
            narrow=int(narrow),
            rounding_mode=c.weighted({"ROUND": 8, "FLOOR": 1, "CEIL": 1, "ROUND_TO_ZERO": 1}),
        )[0]
        top = float(steps.mean()) * 2 ** (bits - signed)
        tensor = Tensor(name, x.shape, min(rms, top) or 1.0)
        centred = zero == round(zero) and (bits > 1 or not signed)
        return Made(tensor, steps, centred, bits)

    def _tail(self, x: Made, scale: float | None = None) -> Made:
        """Elementwise operators and a quantizer."""
        c, y, self.worked = self.choose, x, True
        for _ in range(c.weighted({0: 3, 1: 5, 2: 2})):
            y = self._affine(y)
        if c.chance(0.7):
            y = self._activation(y)
        if c.chance(0.15):
            y = self._affine(y)
        return self._quantized(y, scale)

    def _affine(self, x: Made) -> Made:
        c, channels = self.choose, x.shape[0]
        rms, rank = x.tensor.rms, len(x.shape)
        kind = c.weighted({"BatchNormalization": 4, "Mul": 2, "Add": 3, "Div": 1, "Sub": 1})
        self._use(x)
        if kind == "BatchNormalization":
            normed = self.g.batch_norm(x.tensor, both_signs=c.chance(0.5))
            return Made(normed, None)
        dims = (channels, *(1,) * (rank - 1)) if c.chance(0.6) else ()
        if kind in ("Mul", "Div"):
            operand = c.rng.uniform(0.5, 2, dims) * (c.rng.choice([-1, 1], dims) if dims else 1)
        else:
            operand = c.rng.normal(size=dims) * rms * 0.5
        name = self.g.op(kind, [x.tensor.name, self.g.constant(operand)])[0]
        return Made(Tensor(name, x.shape, rms), None)

    def _activation(self, x: Made) -> Made:
        c = self.choose
        kind = c.item([name for name in ACTIVATIONS if name != "Gelu" or self.opset >= 20])
        operands: list[str] = []
        attributes = dict(ACTIVATIONS[kind])
        rms = x.tensor.rms
        if kind == "PRelu":
            dims = (x.shape[0], *(1,) * (len(x.shape) - 1))
            operands = [self.g.constant(c.rng.uniform(-0.2, 0.6, dims))]
        if kind == "Clip":
            operands = [self.g.constant(v) for v in (-rms * c.real(0, 1), rms * c.real(0.5, 2))]
        self._use(x)
        if kind == "Silu":
            gate = self.g.op("Sigmoid", [x.tensor.name])[0]
            name = self.g.op("Mul", [x.tensor.name, gate])[0]
        else:
            name = self.g.op(kind, [x.tensor.name, *operands], **attributes)[0]
        if kind in ("Sigmoid", "HardSigmoid", "Tanh"):
            rms = 0.6
        return Made(Tensor(name, x.shape, rms), None)

    # --- operators --------------------------------------------------------------------------

    def _finish(self, y: Made) -> bool:
        """A sum usually goes through a tail, and sometimes stays what it is."""
        self._keep(self._tail(y) if self.choose.chance(0.85) else y)
        return True
