# SPDX-License-Identifier: Apache-2.0
"""A transformer's encoder layer: 2 heads, width 32, 16 tokens, 4 bits; random weights.

    qnnc build benchmarks.tiny_encoder:w4a4 --input-shape 1,16,32 --fps 100000 --until synthesize

Norms are batch norms over the features, which are absorbed into thresholds.
"""

from __future__ import annotations

from typing import Any

TOKENS, WIDTH, HEADS, HIDDEN = 16, 32, 2, 64


def network(bits: int, seed: int = 0) -> Any:
    """The module, its scales settled on random tokens."""
    import brevitas.nn as qnn
    import torch
    from brevitas.quant import Uint8ActPerTensorFloatMaxInit

    def linear(inputs: int, outputs: int) -> Any:
        return qnn.QuantLinear(inputs, outputs, bias=False, weight_bit_width=bits)

    def quantizer() -> Any:
        return qnn.QuantIdentity(bit_width=bits)

    class Norm(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.norm = torch.nn.BatchNorm1d(WIDTH)

        def forward(self, x: Any) -> Any:
            return self.norm(x.transpose(1, 2)).transpose(1, 2)

    class Attention(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.projections = torch.nn.ModuleList(linear(WIDTH, WIDTH) for _ in range(3))
            self.quantizers = torch.nn.ModuleList(quantizer() for _ in range(5))
            self.probabilities = qnn.QuantIdentity(
                act_quant=Uint8ActPerTensorFloatMaxInit, min_val=0.0, max_val=1.0, bit_width=bits
            )
            self.out = linear(WIDTH, WIDTH)

        def heads(self, x: Any, index: int) -> Any:
            y = self.quantizers[index](self.projections[index](x))
            return y.reshape(-1, TOKENS, HEADS, WIDTH // HEADS).transpose(1, 2)

        def forward(self, x: Any) -> Any:
            q, k, v = (self.heads(x, index) for index in range(3))
            scores = torch.matmul(q, k.transpose(2, 3)) * (WIDTH // HEADS) ** -0.5
            p = self.probabilities(torch.softmax(self.quantizers[3](scores), dim=-1))
            y = torch.matmul(p, v).transpose(1, 2).reshape(-1, TOKENS, WIDTH)
            return self.out(self.quantizers[4](y))

    class Encoder(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.enter, self.middle, self.leave = quantizer(), quantizer(), quantizer()
            self.attention, self.first, self.second = Attention(), Norm(), Norm()
            self.up, self.down = linear(WIDTH, HIDDEN), linear(HIDDEN, WIDTH)
            self.hidden = qnn.QuantReLU(bit_width=bits)

        def forward(self, x: Any) -> Any:
            x = self.enter(x)
            x = self.middle(self.first(x + self.enter(self.attention(x))))
            y = self.down(self.hidden(self.up(x)))
            return self.leave(self.second(x + self.middle(y)))

    torch.manual_seed(seed)
    module = Encoder().train()
    with torch.no_grad():
        for _ in range(20):
            module(torch.rand(1, TOKENS, WIDTH) * 2 - 1)
    return module.eval()


def w4a4() -> Any:
    """Weights and activations of four bits."""
    return network(4)
