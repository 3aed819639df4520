# SPDX-License-Identifier: Apache-2.0
"""The network's training step in few tensor operations, over the parameters of the Brevitas model.

Brevitas' quantizers take a dozen passes over every weight. In the study's formats (fixed scales,
weights clipped to their range after each step) a weight is rounded in one, and its gradient passes
straight through. Integers of up to 8 bits are exact in bfloat16, in which processors with such an
instruction multiply two to three times as fast as in float32; the sums are then rounded to
bfloat16, in training only: what is exported is the Brevitas model.
"""

from __future__ import annotations

from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from qnnc.explore.formats import largest, step
from qnnc.explore.study import Network, Widths
from qnnc.explore.training.torch_modules import module

PIXELS = 256


def product_type(device: str) -> Any:
    """The type that matrices are multiplied in: bfloat16 where the device has such instructions."""
    torch = module("torch")
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    fast = device != "cpu" or capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return torch.bfloat16 if fast else torch.float32


def rounded(x: Any, bits: int) -> Any:
    """Numbers of a format of `bits` bits nearest to `x`, a tensor of its own in float32."""
    torch = module("torch")
    if bits == 1:
        return torch.where(x >= 0, 1.0, -1.0)
    limit = largest(bits)
    return x.div(step(bits)).round_().mul_(step(bits)).clamp_(-limit, limit)


@lru_cache(maxsize=1)
def _functions() -> SimpleNamespace:
    """Functions with gradients of their own; torch is there when they are first wanted."""
    torch = module("torch")

    class Linear(torch.autograd.Function):  # type: ignore[misc,name-defined]
        """Inputs times rounded weights times a gain; the gradient passes the rounding."""

        @staticmethod
        def forward(context: Any, x: Any, weight: Any, bits: int, gain: float) -> Any:
            quantized = rounded(weight, bits).to(x.dtype)
            context.save_for_backward(x, quantized)
            context.gain = gain
            return torch.nn.functional.linear(x, quantized).float().mul_(gain)

        @staticmethod
        def backward(context: Any, gradient: Any) -> Any:
            x, quantized = context.saved_tensors
            gradient = gradient.mul(context.gain).to(x.dtype)
            towards_x = gradient @ quantized if context.needs_input_grad[0] else None
            return towards_x, (gradient.t() @ x).float(), None, None

    class Activation(torch.autograd.Function):  # type: ignore[misc,name-defined]
        """tanh, rounded, times a mask; the gradient passes the rounding."""

        @staticmethod
        def forward(context: Any, x: Any, bits: int, mask: Any, kind: Any) -> Any:
            y = torch.tanh(x)
            context.save_for_backward(y, mask)
            quantized = rounded(y, bits)
            return (quantized if mask is None else quantized.mul_(mask)).to(kind)

        @staticmethod
        def backward(context: Any, gradient: Any) -> Any:
            y, mask = context.saved_tensors
            slope = y.square().neg_().add_(1.0).mul_(gradient)
            return slope if mask is None else slope.mul_(mask), None, None, None

    return SimpleNamespace(linear=Linear.apply, activation=Activation.apply)


class FusedNetwork:
    """The training step of a model that `network.make_network` has made.

    Args:
        model: whose parameters and batch norms are used, and changed by training.
        network, widths: that it was made of.
        device: torch's name for where it is.
    """

    def __init__(self, model: Any, network: Network, widths: Widths, device: str) -> None:
        torch, brevitas = module("torch"), module("brevitas.nn")
        self.model, self.network, self.widths, self.device = model, network, widths, device
        self.kind = product_type(device)
        self.weights = [layer.weight for layer in model if isinstance(layer, brevitas.QuantLinear)]
        self.norms = [layer for layer in model if isinstance(layer, torch.nn.BatchNorm1d)]
        self.keep_input = 1.0 - network.dropout_input
        centred = (torch.arange(PIXELS, device=device) / 255.0) * 2.0 - 1.0
        # dropout comes before the first quantizer: what stays is scaled and then rounded
        self.pixels = rounded(centred / self.keep_input, widths.activations[0]).to(self.kind)
        self.dropped = rounded(torch.zeros(1, device=device), widths.activations[0]).to(self.kind)

    def scores(self, images: Any) -> Any:
        """Scores [n, classes] in float32 of images [n, inputs] in bytes, as training sees them."""
        torch, functions = module("torch"), _functions()
        x = self.pixels[images.int()]
        if self.keep_input < 1:
            kept = torch.rand(images.shape, device=self.device) < self.keep_input
            x = torch.where(kept, x, self.dropped)
        keep, gain = 1.0 - self.network.dropout_hidden, 1.0
        layers = list(zip(self.weights, self.norms, self.widths.weights, strict=True))
        for index, (weight, norm, bits) in enumerate(layers):
            # dropout's scale is applied to sums: numbers of the format stay what they are
            x = norm(functions.linear(x, weight, bits, gain))
            if index < len(layers) - 1:
                mask = None
                if keep < 1:
                    mask = (torch.rand(x.shape, device=self.device) < keep).float()
                    gain = 1.0 / keep
                x = functions.activation(x, self.widths.activations[index + 1], mask, self.kind)
        return x

    def clip(self) -> None:
        """Bring weights back into their formats' ranges: the gradient does not keep them there."""
        torch = module("torch")
        with torch.no_grad():
            for weight, bits in zip(self.weights, self.widths.weights, strict=True):
                weight.clamp_(-largest(bits), largest(bits))
