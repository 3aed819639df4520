# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers of Brevitas as networks of their own; torch is imported when used."""

from __future__ import annotations

from typing import Any

import pytest


def hidden_states(layer: str, inputs: int, hidden: int, **options: Any) -> Any:
    """A module that gives the hidden states of a QuantLSTM or QuantRNN; skips the test without
    torch."""
    torch = pytest.importorskip("torch")
    qnn = pytest.importorskip("brevitas.nn")
    torch.manual_seed(1)
    made = getattr(qnn, layer)(inputs, hidden, **options)

    class Outputs(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layer = made

        def forward(self, x: Any) -> Any:
            return self.layer(x)[0]

    return Outputs()
