# SPDX-License-Identifier: Apache-2.0
"""check-model: what would go wrong later is refused now."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.ir.edit import attribute, constant
from qnnc.compiler.ir.quantizers import quantizer
from qnnc.compiler.passes.base import Pass

MAY_BE_INFINITE = frozenset({"Clip", "Min", "Max", "Where"})
"""Operators in which an infinite bound means none."""


RANDOM = frozenset(
    {
        "RandomNormal",
        "RandomUniform",
        "RandomNormalLike",
        "RandomUniformLike",
        "Multinomial",
        "Bernoulli",
    }
)


@dataclass
class CheckModel(Pass):
    """Refuse impossible quantizers, constants that are not finite, and random operators."""

    name = "check-model"

    def run(self, model: ir.Model) -> bool:
        for node in model.graph:
            found = quantizer(node)
            if node.domain == "" and node.op_type in ("BatchNormalization", "Dropout"):
                _check_inference(node)
            if node.op_type == "BatchNormalization":
                _check_variance(node)
            if node.domain == "" and node.op_type == "Div":
                _check_divisor(node)
            if node.domain == "" and node.op_type in RANDOM:
                raise ModelError(
                    f"node {quote(node.name)}: {node.op_type} gives other results each time; "
                    "export the model for inference"
                )
            for value in node.inputs[:1] if found is not None else node.inputs:
                if value is not None and node.op_type not in MAY_BE_INFINITE:
                    _check_finite(node, value)
        return False


def _check_finite(node: ir.Node, value: ir.Value) -> None:
    array = constant(value)
    if array is not None and array.dtype.kind == "f" and not np.all(np.isfinite(array)):
        raise ModelError(
            f"node {quote(node.name)} ({node.op_type}): its constant {quote(value.name)} holds "
            "values that are not finite; the network was not trained or exported properly"
        )


def _check_variance(node: ir.Node) -> None:
    value = node.inputs[4] if len(node.inputs) > 4 else None
    variance = constant(value)
    if variance is None or value is None:
        return
    named = f"node {quote(node.name)} (BatchNormalization): its variance {quote(value.name)}"
    if np.any(variance < 0):
        raise ModelError(f"{named} is negative; the network was not trained or exported properly")
    epsilon = float(attribute(node, "epsilon", 1e-5))
    if not np.all(np.float32(epsilon) + variance > 0):
        raise ModelError(
            f"{named} is 0 and its epsilon {epsilon:g}, so that it divides by zero; export it with "
            "an epsilon, or take out the channels that are always the same"
        )


def _check_divisor(node: ir.Node) -> None:
    divisor = constant(node.inputs[1])
    if constant(node.inputs[0]) is None and divisor is not None and np.any(divisor == 0):
        raise ModelError(
            f"node {quote(node.name)} (Div): it divides by zero; its divisor is "
            f"{quote(node.inputs[1].name if node.inputs[1] else None)}"
        )


def _check_inference(node: ir.Node) -> None:
    """Refuse what behaves otherwise in training."""
    training = attribute(node, "training_mode", 0)
    if node.op_type == "Dropout" and len(node.inputs) > 2 and node.inputs[2] is not None:
        given = constant(node.inputs[2])
        training = given is None or bool(np.any(given))
    if training:
        raise ModelError(
            f"node {quote(node.name)} ({node.op_type}) is in training mode; export the model for "
            "inference (model.eval())"
        )
