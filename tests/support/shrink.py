# SPDX-License-Identifier: Apache-2.0
"""Making a model that fails smaller while it fails in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Fails = Callable[[onnx.ModelProto], bool]
QUANTIZERS = ("Quant", "BipolarQuant")


def shrink(model: onnx.ModelProto, fails: Fails, most: int = 600) -> onnx.ModelProto:
    """The smallest model found that still fails.

    Args:
        model: one that fails.
        fails: whether a model fails as the first one does; models that make no sense may be
            tried, and do not.
        most: how many models are tried.
    """
    tried = 0
    best, improved = model, True
    while improved:
        improved = False
        for candidate in _smaller(best):
            tried += 1
            if tried > most:
                return best
            if fails(candidate):
                best, improved = candidate, True
                break
    return best


def as_text(model: onnx.ModelProto) -> str:
    """A model as text that `onnx.parser` reads back, constants written out."""
    written = onnx.ModelProto()
    written.CopyFrom(model)
    for tensor in written.graph.initializer:
        array = numpy_helper.to_array(tensor)
        tensor.CopyFrom(
            helper.make_tensor(tensor.name, tensor.data_type, array.shape, array.ravel().tolist())
        )
    return str(onnx.printer.to_text(written))


def _smaller(model: onnx.ModelProto) -> Iterator[onnx.ModelProto]:
    """Models with one thing less, those that lose most first."""
    yield from _fewer_outputs(model)
    yield from _cut_after(model)
    yield from _cut_before(model)
    yield from _without_nodes(model)
    yield from _smaller_inputs(model)
    yield from _simpler_attributes(model)
    yield from _simpler_constants(model)


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied


def _pruned(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without nodes, constants and inputs that no output depends on."""
    graph = model.graph
    needed = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):
        if any(name in needed for name in node.output):
            kept.append(node)
            needed.update(node.input)
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in reversed(kept)]
    for field, wanted in (
        (graph.initializer, [t for t in graph.initializer if t.name in needed]),
        (graph.input, [v for v in graph.input if v.name in needed]),
        (graph.node, nodes),
    ):
        kept_items = list(wanted)
        del field[:]
        field.extend(kept_items)
    return model


def _output(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)


def _fewer_outputs(model: onnx.ModelProto) -> Iterator[onnx.ModelProto]:
    for index in range(len(model.graph.output)):
        if len(model.graph.output) > 1:
            fewer = _copy(model)
            del fewer.graph.output[index]
            yield _pruned(fewer)


def _cut_after(model: onnx.ModelProto) -> Iterator[onnx.ModelProto]:
    """Inner tensors as the only output."""
    ends = {output.name for output in model.graph.output}
    for node in model.graph.node[:-1]:
        for name in node.output:
            if name not in ends:
                shorter = _copy(model)
                del shorter.graph.output[:]
                shorter.graph.output.append(_output(name))
                yield _pruned(shorter)


def _cut_before(model: onnx.ModelProto) -> Iterator[onnx.ModelProto]:
    """What is quantized becomes an input."""
    shapes = _shapes(model)
    starts = {value.name for value in model.graph.input}
    constants = {tensor.name for tensor in model.graph.initializer}
    for index in range(len(model.graph.node) - 1, -1, -1):
        node = model.graph.node[index]
        source = node.input[0] if node.input else ""
        computed = source not in starts and source not in constants
        if node.op_type in QUANTIZERS and computed and source in shapes:
            later = _copy(model)
            name = f"in_{source}"
            later.graph.node[index].input[0] = name
            later.graph.input.append(
                helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[source])
            )
            yield _pruned(later)


def _without_nodes(model: onnx.ModelProto) -> Iterator[onnx.ModelProto]:
    """Nodes left out, their first computed input in place of their outputs."""
    constants = {tensor.name for tensor in model.graph.initializer}
    for index in range(len(model.graph.node) - 1, -1, -1):
        node = model.graph.node[index]
        for source in dict.fromkeys(name for name in node.input if name not in constants):
            less = _copy(model)
            del less.graph.node[index]
            for user in less.graph.node:
                for place, name in enumerate(user.input):
                    if name in node.output:
                        user.input[place] = source
            ends = [source if o.name in node.output else o.name for o in less.graph.output]
            del less.graph.output[:]
            less.graph.output.extend(_output(name) for name in dict.fromkeys(ends))
            yield _pruned(less)


def _smaller_inputs(model: onnx.ModelProto) -> Iterator[onnx.ModelProto]:
    for index, value in enumerate(model.graph.input):
        dims = [d.dim_value for d in value.type.tensor_type.shape.dim]
        for axis in range(1, len(dims)):
            for size in sorted({1, dims[axis] // 2, dims[axis] - 1} - {0, dims[axis]}):
                smaller = _copy(model)
                shape = smaller.graph.input[index].type.tensor_type.shape
                shape.dim[axis].dim_value = size
                for output in smaller.graph.output:
                    output.type.tensor_type.ClearField("shape")
                yield smaller


SIMPLE = {"strides": 1, "dilations": 1, "pads": 0, "output_padding": 0}


def _simpler_attributes(model: onnx.ModelProto) -> Iterator[onnx.ModelProto]:
    for index, node in enumerate(model.graph.node):
        for place, attribute in enumerate(node.attribute):
            simple = SIMPLE.get(attribute.name)
            for which, number in enumerate(attribute.ints if simple is not None else []):
                if number != simple:
                    simpler = _copy(model)
                    simpler.graph.node[index].attribute[place].ints[which] = int(simple or 0)
                    for output in simpler.graph.output:
                        output.type.tensor_type.ClearField("shape")
                    yield simpler


def _simpler_constants(model: onnx.ModelProto) -> Iterator[onnx.ModelProto]:
    """Ones, or numbers with fewer digits, or one number for all channels."""
    for index, tensor in enumerate(model.graph.initializer):
        array = numpy_helper.to_array(tensor)
        if array.dtype != np.float32:
            continue
        with np.errstate(divide="ignore"):
            power = np.exp2(np.rint(np.log2(np.maximum(np.abs(array), 1e-9))))
        options = [np.ones_like(array), np.sign(array) * power, np.round(array, 2)]
        if array.size > 1:
            options.insert(0, array.reshape(-1)[:1].reshape(()))
        for option in options:
            simpler = numpy_helper.from_array(np.asarray(option, np.float32), tensor.name)
            differs = option.shape != array.shape or not np.array_equal(option, array)
            if differs and _digits(option) <= _digits(array):
                changed = _copy(model)
                changed.graph.initializer[index].CopyFrom(simpler)
                yield changed


def _digits(array: np.ndarray) -> int:
    return sum(len(str(number)) for number in array.reshape(-1).tolist())


def _shapes(model: onnx.ModelProto) -> dict[str, list[int]]:
    """Static shapes of tensors, as far as they are known."""
    from qnnc.compiler.errors import QnncError
    from qnnc.compiler.passes.infer_shapes import InferShapes
    from qnnc.frontends.qonnx import from_proto

    try:
        found = from_proto(_copy(model))
        InferShapes()(found)
    except QnncError:
        return {}
    return {
        str(value.name): [int(d) for d in value.shape]
        for node in found.graph
        for value in node.outputs
        if value.shape is not None and all(isinstance(d, int) for d in value.shape)
    }
