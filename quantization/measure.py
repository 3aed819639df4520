# SPDX-License-Identifier: Apache-2.0
"""How far a quantized network is from the float one: answers, outputs, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from qnnc.compiler.building.answers import as_answers
from qnnc.compiler.report import QuantizedLayer
from qnnc.quantization.prepare import quiet, session, the_input
from qnnc.quantization.weights import LAYERS

Array = NDArray[Any]
LAYER_SAMPLES = 16
"""Samples that layers are compared on: every tensor of both networks is kept for them."""
BATCH = 64
ACTIVATIONS = ("Relu", "Clip")
"""That the quantizer takes out where a range does the same."""


@dataclass(frozen=True)
class Answers:
    """What both networks say to samples.

    Attributes:
        output_error: root mean square of the difference of outputs, as a share of the float ones'.
        same: samples with the same answer, or None where answers are not classes.
        correct: of the float and of the quantized network, or None without labels.
    """

    output_error: float
    same: int | None
    correct: tuple[int, int] | None


def compare_answers(
    before: onnx.ModelProto, after: onnx.ModelProto, samples: Array, labels: Array | None
) -> Answers:
    """Run both networks on samples [n, ...]; an answer is the best class, where there are
    classes, else the whole output."""
    name = the_input(before).name
    labelled = any(node.op_type in ("TopK", "ArgMax") for node in before.graph.node)
    outputs = [_run(proto, name, samples) for proto in (before, after)]
    first, second = (as_answers(found, labelled) for found in outputs)
    pairs = [(outputs[0][key], outputs[1][key]) for key in outputs[0]]
    correct = None
    if labels is not None:
        correct = int((first[:, 0] == labels).sum()), int((second[:, 0] == labels).sum())
    same = int((first == second).all(axis=1).sum()) if first.dtype.kind in "iu" else None
    return Answers(relative_error(*zip(*pairs, strict=True)), same, correct)


def relative_error(before: Sequence[Array] | Array, after: Sequence[Array] | Array) -> float:
    """Root mean square of the difference, as a share of the first's own."""
    pairs = zip(before, after, strict=True)
    power = noise = 0.0
    for one, other in pairs:
        one = np.asarray(one, dtype=np.float64)
        power += float(np.square(one).sum())
        noise += float(np.square(one - other).sum())
    return float(np.sqrt(noise / power)) if power else float(noise > 0)


def _run(proto: onnx.ModelProto, name: str, samples: Array) -> dict[str, Array]:
    """All outputs, in batches where the model takes them."""
    free = onnx.ModelProto()
    free.CopyFrom(proto)
    for value in (*free.graph.input, *free.graph.output):
        dims = value.type.tensor_type.shape.dim
        if dims:
            dims[0].dim_param = "batch"
    del free.graph.value_info[:]
    names = [value.name for value in proto.graph.output]
    with_batch = session(free)
    try:
        found: list[Any] = [
            with_batch.run(names, {name: samples[i : i + BATCH]})
            for i in range(0, len(samples), BATCH)
        ]
        sizes = [min(BATCH, len(samples) - i) for i in range(0, len(samples), BATCH)]
        if any(len(out) != size for row, size in zip(found, sizes, strict=True) for out in row):
            raise ValueError
    except Exception:  # a Reshape to one sample, for example
        single = session(proto)
        found = [single.run(names, {name: sample[None]}) for sample in samples]
    return {
        key: np.concatenate(column)
        for key, column in zip(names, zip(*found, strict=True), strict=True)
    }


def compare_layers(
    before: onnx.ModelProto, after: onnx.ModelProto, samples: Array, folder: Path
) -> list[QuantizedLayer]:
    """The error of every layer's weights and of what it gives, in the order of the network.

    Args:
        before: the float network, as it was prepared.
        after: the quantized one.
        samples: [n, ...]; the first few are used.
        folder: for files.
    """
    weights, outputs = _matched(before, after, samples[:LAYER_SAMPLES], folder)
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in before.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    shown: set[str] = set()
    layers: list[QuantizedLayer] = []
    for node in before.graph.node:
        weight = weights.get(node.input[1]) if node.op_type in LAYERS else None
        given = node.output[0]
        follow = readers.get(given, [])
        if given not in outputs and len(follow) == 1 and follow[0].op_type in ACTIVATIONS:
            given = follow[0].output[0]
        output = outputs.get(given) if given not in shown else None
        if weight is None and output is None:
            continue
        shown.add(given)
        layers.append(
            QuantizedLayer(
                node=node.name, op=node.op_type, weight_error=weight, output_error=output
            )
        )
    return layers


def _matched(
    before: onnx.ModelProto, after: onnx.ModelProto, samples: Array, folder: Path
) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Errors by name of the weights and of the activations."""
    from onnxruntime.quantization import qdq_loss_debug as debug

    name = the_input(before).name
    found: list[Any] = []
    paths: list[str] = []
    with quiet():
        for index, proto in enumerate((before, after)):
            path, more = folder / f"{index}.onnx", folder / f"{index}_all.onnx"
            onnx.save(proto, path)
            debug.modify_model_output_intermediate_tensors(path, more)
            reader: Any = iter([{name: sample[None]} for sample in samples])
            found.append(debug.collect_activations(str(more), reader))
            paths.append(str(path))
        matched = debug.create_activation_matching(found[1], found[0])
        both = debug.create_weight_matching(*paths)
    activations = {
        key: relative_error(match["float"], match["post_qdq"])
        for key, match in matched.items()
        if "float" in match
    }
    constants = {
        key: relative_error([match["float"]], [match["dequantized"]]) for key, match in both.items()
    }
    return constants, activations
