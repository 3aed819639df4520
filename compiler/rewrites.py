# SPDX-License-Identifier: Apache-2.0
"""For operators without hardware: the nearest thing to write instead."""

from __future__ import annotations

_NORM = "use BatchNormalization, which is absorbed into thresholds"
_RECURRENT = "unroll it, or use convolutions over time"
_SORTED = "end the network before it and take labels with --top-k"
REWRITES: dict[str, str] = {
    "Softmax": "drop it and take labels with --top-k: it does not change their order",
    "LogSoftmax": "drop it and take labels with --top-k: it does not change their order",
    "LayerNormalization": _NORM,
    "InstanceNormalization": _NORM,
    "GroupNormalization": _NORM,
    "LpNormalization": _NORM,
    "LRN": _NORM,
    "LSTM": _RECURRENT,
    "GRU": _RECURRENT,
    "RNN": _RECURRENT,
    "LpPool": "use AveragePool or MaxPool",
    "GlobalLpPool": "use GlobalAveragePool",
    "Einsum": "write it as MatMul with constant weights",
    "NonMaxSuppression": _SORTED,
    "Hardmax": _SORTED,
    "DynamicQuantizeLinear": "quantize with a constant scale (static quantization)",
}
"""Operator -> what to write instead."""


def rewrite(operator: str) -> str:
    """The nearest supported way to write an operator, or nothing."""
    return REWRITES.get(operator, "")
