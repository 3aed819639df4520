# SPDX-License-Identifier: Apache-2.0
"""Spoiling models: bytes anywhere, and single fields of what the bytes say."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper

Edit = Callable[[random.Random, onnx.ModelProto], None]

INTEGERS = (0, 1, -1, 2, 3, -2, 7, 255, 1 << 16, (1 << 31) - 1, 1 << 40, -(1 << 63), (1 << 63) - 1)
STANDARD = (
    "Relu", "MaxPool", "Reshape", "Transpose", "Sigmoid", "Concat", "Split", "Pad", "TopK",
    "Gather",
    "Softmax", "Resize", "Cast", "If", "Loop", "Einsum", "LSTM", "AveragePool", "Conv", "MatMul",
    "Add", "Mul", "Div", "Squeeze", "Expand",
)  # fmt: skip
FLOATS = (0.0, -0.0, -1.0, 1e-45, 1e-30, 3e38, float("inf"), float("-inf"), float("nan"), 0.3, 1e10)
TEXTS = ("", "ROUND", "HALF_EVEN", "SAME_UPPER", "nonsense", "\x00", "é" * 300, "../../etc/passwd")
TYPES = tuple(value for name, value in TensorProto.DataType.items() if name != "UNDEFINED")


def bytes_spoilt(rng: random.Random, data: bytes) -> bytes:
    """Some bytes flipped, cut off, zeroed, repeated or replaced."""
    spoilt = bytearray(data)
    kind = rng.choice(("flip", "flip", "flip", "cut", "zero", "repeat", "noise"))
    if kind == "flip":
        for _ in range(rng.choice((1, 1, 2, 8, 64))):
            place = rng.randrange(len(spoilt))
            spoilt[place] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        del spoilt[rng.randrange(len(spoilt)) :]
    else:
        start = rng.randrange(len(spoilt))
        end = min(len(spoilt), start + rng.choice((1, 4, 64, 512)))
        if kind == "zero":
            spoilt[start:end] = bytes(end - start)
        elif kind == "repeat":
            spoilt[start:start] = spoilt[start:end]
        else:
            spoilt[start:end] = rng.randbytes(end - start)
    return bytes(spoilt)


def model_spoilt(rng: random.Random, data: bytes) -> bytes:
    """One to three fields of a model changed."""
    proto = onnx.ModelProto.FromString(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        rng.choice(EDITS)(rng, proto)
    return proto.SerializeToString()


def _attribute(rng: random.Random, proto: onnx.ModelProto) -> None:
    nodes = [node for node in proto.graph.node if node.attribute]
    if not nodes:
        return
    node = rng.choice(nodes)
    attribute = rng.choice(node.attribute)
    if rng.random() < 0.15:
        node.attribute.remove(attribute)
    elif attribute.type == AttributeProto.INT:
        attribute.i = rng.choice(INTEGERS)
    elif attribute.type == AttributeProto.FLOAT:
        attribute.f = rng.choice(FLOATS)
    elif attribute.type == AttributeProto.STRING:
        attribute.s = rng.choice(TEXTS).encode()
    elif attribute.type == AttributeProto.INTS:
        _list(rng, attribute.ints, INTEGERS)
    elif attribute.type == AttributeProto.FLOATS:
        _list(rng, attribute.floats, FLOATS)
    elif attribute.type == AttributeProto.TENSOR:
        _tensor(rng, attribute.t)


def _kind_of_attribute(rng: random.Random, proto: onnx.ModelProto) -> None:
    nodes = [node for node in proto.graph.node if node.attribute]
    if not nodes:
        return
    node = rng.choice(nodes)
    attribute = rng.choice(node.attribute)
    value = rng.choice([1, 1.5, "text", [1, 2], [0.5], ["a"]])
    attribute.CopyFrom(helper.make_attribute(attribute.name, value))


def _list(rng: random.Random, items: object, choices: tuple[float, ...]) -> None:
    numbers = items
    kind = rng.randrange(3)
    if kind == 0 and len(numbers):  # type: ignore[arg-type]
        numbers[rng.randrange(len(numbers))] = rng.choice(choices)  # type: ignore[index,arg-type]
    elif kind == 1:
        numbers.append(rng.choice(choices))  # type: ignore[attr-defined]
    elif len(numbers):  # type: ignore[arg-type]
        del numbers[rng.randrange(len(numbers))]  # type: ignore[attr-defined,arg-type]


def _constant(rng: random.Random, proto: onnx.ModelProto) -> None:
    if proto.graph.initializer:
        _tensor(rng, rng.choice(proto.graph.initializer))


def _tensor(rng: random.Random, tensor: TensorProto) -> None:
    kind = rng.randrange(6)
    if kind == 0:
        tensor.data_type = rng.choice(TYPES)
        return
    if kind == 1:
        _list(rng, tensor.dims, INTEGERS)
        return
    if kind == 2 and tensor.raw_data:
        tensor.raw_data = bytes_spoilt(rng, tensor.raw_data)
        return
    try:
        array = np.array(numpy_helper.to_array(tensor))
    except Exception:
        return
    if kind == 3:
        array = array.reshape(-1)[: rng.randrange(array.size + 1)]
    elif array.size and array.dtype.kind in "fiu":
        flat = array.reshape(-1)
        count = flat.size if kind == 4 else 1
        for _ in range(min(count, 4)):
            number = rng.choice(FLOATS if array.dtype.kind == "f" else INTEGERS)
            with np.errstate(all="ignore"):
                new = np.array(number, dtype=np.float64).astype(array.dtype)
            flat[rng.randrange(flat.size)] = new
            if kind == 4:
                flat[:] = new
    name = tensor.name
    tensor.CopyFrom(numpy_helper.from_array(array, name))


def _edge(rng: random.Random, proto: onnx.ModelProto) -> None:
    nodes = [node for node in proto.graph.node if node.input]
    names = [name for node in proto.graph.node for name in (*node.input, *node.output)]
    if not nodes:
        return
    node = rng.choice(nodes)
    place = rng.randrange(len(node.input))
    kind = rng.randrange(5)
    if kind == 0:
        del node.input[place]
    elif kind == 1:
        node.input.append(rng.choice(names))
    elif kind == 2:
        node.input[place] = rng.choice(("", "nowhere"))
    elif kind == 3 and node.output:
        node.output[0] = rng.choice(names)
    else:
        node.input[place] = rng.choice(names)


def _operator(rng: random.Random, proto: onnx.ModelProto) -> None:
    if not proto.graph.node:
        return
    node = rng.choice(proto.graph.node)
    kind = rng.randrange(4)
    if kind == 0:
        node.domain = rng.choice(("", "ai.onnx.ml", "qnnc", "finn.custom_op.fpgadataflow", "x"))
    elif kind == 1:
        proto.graph.node.remove(node)
    elif kind == 2:
        proto.graph.node.add().CopyFrom(node)
    else:
        others = [n.op_type for n in proto.graph.node]
        node.op_type = rng.choice([*others, *STANDARD])


def _border(rng: random.Random, proto: onnx.ModelProto) -> None:
    values = [*proto.graph.input, *proto.graph.output]
    if not values:
        return
    value = rng.choice(values)
    kind = rng.randrange(5)
    dims = value.type.tensor_type.shape.dim
    if kind == 0 and dims:
        dims[rng.randrange(len(dims))].dim_value = rng.choice(INTEGERS)
    elif kind == 1 and dims:
        dims[rng.randrange(len(dims))].dim_param = "N"
    elif kind == 2:
        value.type.tensor_type.elem_type = rng.choice(TYPES)
    elif kind == 3:
        value.name = rng.choice(("", "nowhere", value.name * 2))
    else:
        value.type.Clear()


def _versions(rng: random.Random, proto: onnx.ModelProto) -> None:
    if rng.random() < 0.3:
        proto.ir_version = rng.choice((0, 1, 3, 7, 99, 1 << 40))
    elif proto.opset_import:
        rng.choice(proto.opset_import).version = rng.choice(
            (0, 1, 6, 7, 9, 13, 17, 21, 99, 1 << 40)
        )


def _metadata(rng: random.Random, proto: onnx.ModelProto) -> None:
    """What a saved IR keeps its facts in; another model has none."""
    places = [*proto.metadata_props, *(p for n in proto.graph.node for p in n.metadata_props)]
    if not places:
        _constant(rng, proto)
        return
    entry = rng.choice(places)
    data = bytes_spoilt(rng, entry.value.encode() or b"x")
    entry.value = rng.choice((data.decode("latin-1"), "", "{}", "[]", "null", "[[[", "1"))


def _external(rng: random.Random, proto: onnx.ModelProto) -> None:
    if not proto.graph.initializer:
        return
    tensor = rng.choice(proto.graph.initializer)
    tensor.data_location = TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    entry = tensor.external_data.add()
    entry.key = rng.choice(("location", "offset", "length"))
    entry.value = rng.choice((".", "/etc/passwd", "absent", "", "-1", "1e9"))


EDITS: tuple[Edit, ...] = (
    _attribute,
    _attribute,
    _attribute,
    _constant,
    _constant,
    _constant,
    _kind_of_attribute,
    _edge,
    _edge,
    _operator,
    _border,
    _versions,
    _metadata,
    _metadata,
    _external,
)
