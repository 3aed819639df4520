# SPDX-License-Identifier: Apache-2.0
"""FINN-L's network (Rybalkin et al., FPL 2018): text lines, one column of 32 pixels per step, a
bidirectional LSTM of 128 cells each way, 82 scores a step; random weights.

    qnnc build benchmarks.finn_l:w4a4 --input-shape 1,20,32 --fps 10000 --until simulate

LSTM-PYNQ, on a Zynq Z7020, takes 1.294 ms for a line at W2A2 and 2.958 ms at W4A4.
"""

from __future__ import annotations

from typing import Any

COLUMNS, PIXELS, CELLS, CLASSES = 20, 32, 128, 82


def network(bits: int, columns: int = COLUMNS, cells: int = CELLS, seed: int = 0) -> Any:
    """The module, its scales settled on random columns."""
    import brevitas.nn as qnn
    import torch

    class Lines(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            options = {f"{part}_bit_width": bits for part in ("weight", "io", "sigmoid", "tanh")}
            self.lstm = qnn.QuantLSTM(
                PIXELS, cells, batch_first=True, bidirectional=True, **options
            )
            self.scores = qnn.QuantLinear(2 * cells, CLASSES, bias=False, weight_bit_width=bits)

        def forward(self, x: Any) -> Any:
            return self.scores(self.lstm(x)[0])

    torch.manual_seed(seed)
    module = Lines()
    with torch.no_grad():
        module.train()(torch.rand(16, columns, PIXELS))
    return module.eval()


def w2a2() -> Any:
    """Weights, gates and hidden states of two bits."""
    return network(2)


def w4a4() -> Any:
    """Weights, gates and hidden states of four bits."""
    return network(4)
