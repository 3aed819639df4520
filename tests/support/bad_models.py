# SPDX-License-Identifier: Apache-2.0
"""Models that cannot be compiled: one function per kind, with what the error must name."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.networks import MlpSpec, mlp

BASE = MlpSpec((6, 4, 3), 2, 2, "relu", 2)
"""Nodes Quant_x_q, then for each layer i Quant_w{i}_q, MatMul_y{i}, BatchNormalization_n{i},
Relu_a{i}, Quant_a{i}_q; the last layer ends with its batch norm."""

Edit = Callable[[onnx.ModelProto], None]
Write = Callable[[Path], Path]
CASES: dict[str, BadModel] = {}


@dataclass(frozen=True)
class BadModel:
    """A model that must be refused.

    Attributes:
        write: writes it into a folder and returns its path.
        names: texts that the error must hold, such as the node or tensor at fault.
    """

    write: Write
    names: tuple[str, ...]


def base() -> onnx.ModelProto:
    """A good model, to be spoilt."""
    return mlp(BASE)


def _add(name: str, write: Write, *names: str) -> None:
    assert name not in CASES
    CASES[name] = BadModel(write, names)


def spoilt(name: str, *names: str) -> Callable[[Edit], Edit]:
    """Register an edit that makes the good model a bad one."""

    def register(edit: Edit) -> Edit:
        def write(folder: Path) -> Path:
            proto = base()
            edit(proto)
            path = folder / "model.onnx"
            path.write_bytes(proto.SerializeToString())
            return path

        _add(name, write, *names)
        return edit

    return register


def node(proto: onnx.ModelProto, name: str) -> onnx.NodeProto:
    return next(n for n in proto.graph.node if n.name == name)


def constant(proto: onnx.ModelProto, name: str) -> onnx.TensorProto:
    return next(t for t in proto.graph.initializer if t.name == name)


def put(proto: onnx.ModelProto, name: str, array: object, dtype: object = np.float32) -> None:
    """Give a constant other contents."""
    data = np.asarray(array, dtype=dtype)  # type: ignore[call-overload]
    constant(proto, name).CopyFrom(numpy_helper.from_array(data, name))


def values(proto: onnx.ModelProto, name: str) -> np.ndarray:
    return np.array(numpy_helper.to_array(constant(proto, name)))


def drop(proto: onnx.ModelProto, name: str) -> None:
    """Remove a node; its users take its input."""
    gone = node(proto, name)
    for other in proto.graph.node:
        for i, used in enumerate(other.input):
            if used == gone.output[0]:
                other.input[i] = gone.input[0]
    proto.graph.node.remove(gone)


# -- files that hold no model ---------------------------------------------------------------------


def _file(contents: Callable[[], bytes], name: str = "model.onnx") -> Write:
    def write(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(contents())
        return path

    return write


_add("text", _file(lambda: b"this is not a model\n"), "model.onnx", "not an ONNX model")
_add("empty", _file(lambda: b""), "model.onnx", "not an ONNX model")
_add("zeros", _file(lambda: bytes(4096)), "model.onnx", "not an ONNX model")
_add("noise", _file(lambda: random.Random(1).randbytes(4096)), "not an ONNX model")
_add("a zip", _file(lambda: b"PK\x03\x04" + bytes(64)), "not an ONNX model")
_add("only a graph name", _file(lambda: b"\x3a\x03\x12\x01x"), "not an ONNX model")
for _percent in (1, 30, 70, 99):
    _add(
        f"cut at {_percent} percent",
        _file(lambda p=_percent: base().SerializeToString()[: -100 + p] if p == 99 else _cut(p)),  # type: ignore[misc]
        "cut off",
    )
_add("missing file", lambda folder: folder / "absent.onnx", "absent.onnx", "No such file")
_add("a folder", lambda folder: _folder(folder / "model.onnx"), "model.onnx", "directory")
_add("unknown kind", _file(lambda: b"x", "model.h5"), "model.h5", "tf2onnx")
_add(
    "under a file",
    lambda folder: _file(lambda: b"x", "f")(folder) / "model.onnx",
    "Not a directory",
)


def _cut(percent: int) -> bytes:
    data = base().SerializeToString()
    return data[: len(data) * percent // 100]


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


# -- operators ------------------------------------------------------------------------------------


@spoilt("operator that does not exist", "Frobnicate", "Relu_a0")
def _(proto: onnx.ModelProto) -> None:
    node(proto, "Relu_a0").op_type = "Frobnicate"


@spoilt("operator of an unknown domain", "Relu_a0", "com.example")
def _(proto: onnx.ModelProto) -> None:
    node(proto, "Relu_a0").domain = "com.example"


@spoilt("unknown quantizer", "FloatQuant", "Quant_a0_q")
def _(proto: onnx.ModelProto) -> None:
    node(proto, "Quant_a0_q").op_type = "FloatQuant"


@spoilt("operator that no layer can be made of", "Softmax_a0")
def _(proto: onnx.ModelProto) -> None:
    found = node(proto, "Relu_a0")
    found.op_type, found.name = "Softmax", "Softmax_a0"


@spoilt("random operator", "RandomNormalLike_a0")
def _(proto: onnx.ModelProto) -> None:
    found = node(proto, "Relu_a0")
    found.op_type, found.name = "RandomNormalLike", "RandomNormalLike_a0"


@spoilt("unknown operator in a subgraph", "com.example")
def _(proto: onnx.ModelProto) -> None:
    out = helper.make_tensor_value_info("branch_out", TensorProto.FLOAT, None)
    inner = helper.make_node("Boom", ["n0"], ["branch_out"], name="inner", domain="com.example")
    branch = helper.make_graph([inner], "branch", [], [out])
    proto.graph.initializer.append(numpy_helper.from_array(np.array(True), "condition"))
    node(proto, "Relu_a0").CopyFrom(
        helper.make_node(
            "If", ["condition"], ["a0"], name="If_a0", then_branch=branch, else_branch=branch
        )
    )


@spoilt("functions that call each other", "not valid ONNX")
def _(proto: onnx.ModelProto) -> None:
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("f", 1)]
    for name, other in (("F", "G"), ("G", "F")):
        call = helper.make_node(other, ["i"], ["o"], domain="f")
        proto.functions.append(helper.make_function("f", name, ["i"], ["o"], [call], opsets))
    proto.opset_import.append(helper.make_opsetid("f", 1))
    node(proto, "Relu_a0").CopyFrom(helper.make_node("F", ["n0"], ["a0"], name="call", domain="f"))


# -- shapes ---------------------------------------------------------------------------------------


def _input_shape(proto: onnx.ModelProto, shape: list[int | str | None] | None) -> None:
    info = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    proto.graph.input[0].CopyFrom(info)


@spoilt("dynamic shape", "'x'", "dynamic", "?")
def _(proto: onnx.ModelProto) -> None:
    _input_shape(proto, ["batch", "features"])


@spoilt("input without a shape", "'x'", "no shape")
def _(proto: onnx.ModelProto) -> None:
    _input_shape(proto, None)


@spoilt("batch of four", "'x'", "batch of 4")
def _(proto: onnx.ModelProto) -> None:
    _input_shape(proto, [4, 6])


@spoilt("empty dimension", "'x'", "0")
def _(proto: onnx.ModelProto) -> None:
    _input_shape(proto, [1, 0])


@spoilt("shapes that do not fit", "MatMul_y0")
def _(proto: onnx.ModelProto) -> None:
    _input_shape(proto, [1, 7])


@spoilt("input of 2^40 elements", "'x'")
def _(proto: onnx.ModelProto) -> None:
    _input_shape(proto, [1, 2**40])


@spoilt("input of strings", "'x'")
def _(proto: onnx.ModelProto) -> None:
    info = helper.make_tensor_value_info("x", TensorProto.STRING, [1, 6])
    proto.graph.input[0].CopyFrom(info)


@spoilt("constant of 2^50 elements", "'bomb'", "elements")
def _(proto: onnx.ModelProto) -> None:
    proto.graph.initializer.append(
        numpy_helper.from_array(np.array([2**25, 2**25], np.int64), "bomb_shape")
    )
    proto.graph.node.insert(
        0,
        helper.make_node("ConstantOfShape", ["bomb_shape"], ["bomb"], name="ConstantOfShape_bomb"),
    )
    proto.graph.node.insert(1, helper.make_node("ReduceMax", ["bomb"], ["m"], name="m", keepdims=0))
    y = node(proto, "Relu_a0")
    y.CopyFrom(helper.make_node("Add", ["n0", "m"], ["a0"], name="Add_a0"))


@spoilt("tensor that claims 2^40 elements", "w0")
def _(proto: onnx.ModelProto) -> None:
    del constant(proto, "w0").dims[:]
    constant(proto, "w0").dims.extend([2**20, 2**20])


@spoilt("tensor with a negative dimension", "w0")
def _(proto: onnx.ModelProto) -> None:
    constant(proto, "w0").dims[0] = -6


@spoilt("tensor with too little data", "w0")
def _(proto: onnx.ModelProto) -> None:
    found = constant(proto, "w0")
    found.raw_data = found.raw_data[:-4]


# -- numbers --------------------------------------------------------------------------------------


def _number(name: str, tensor: str, value: float, *names: str) -> None:
    @spoilt(name, *names)
    def _(proto: onnx.ModelProto) -> None:
        array = values(proto, tensor)
        array.reshape(-1)[-1] = value
        put(proto, tensor, array)


_number("weight not a number", "w0", np.nan, "'w0'", "Quant_w0_q", "finite")
_number("infinite weight", "w1", -np.inf, "'w1'", "Quant_w1_q", "finite")
_number("scale not a number", "w0_q_scale", np.nan, "'w0_q_scale'", "Quant_w0_q", "finite")
_number("infinite scale", "a0_q_scale", np.inf, "'a0_q_scale'", "Quant_a0_q", "finite")
_number("scale of zero", "x_q_scale", 0, "'x_q_scale'", "Quant_x_q", "positive")
_number("negative scale", "w1_q_scale", -0.5, "'w1_q_scale'", "Quant_w1_q", "positive")
_number("zero point not a number", "a0_q_zero", np.nan, "'a0_q_zero'", "Quant_a0_q", "finite")
_number("zero point beyond all codes", "a0_q_zero", 3e38, "Quant_a0_q", "zero point", "2^24")
_number("negative variance", "var0", -1.0, "'var0'", "BatchNormalization_n0", "negative")
_number("variance not a number", "var1", np.nan, "'var1'", "BatchNormalization_n1")
_number("infinite gamma", "gamma0", np.inf, "'gamma0'", "BatchNormalization_n0", "finite")
_number("bit width zero", "w0_q_bits", 0, "Quant_w0_q", "bit width")
_number("negative bit width", "w0_q_bits", -2, "Quant_w0_q", "bit width")
_number("broken bit width", "a0_q_bits", 2.5, "Quant_a0_q", "bit width")
_number("bit width of 200", "x_q_bits", 200, "Quant_x_q", "bit width")
_number("bit width not a number", "x_q_bits", np.nan, "Quant_x_q", "bit width")


@spoilt("zero point of very wide codes", "Quant_a0_q", "zero point", "2^24")
def _(proto: onnx.ModelProto) -> None:
    put(proto, "a0_q_bits", 28)
    put(proto, "a0_q_zero", 3)


@spoilt("empty zero point", "Quant_a0_q", "'a0_q_zero'", "empty")
def _(proto: onnx.ModelProto) -> None:
    put(proto, "a0_q_zero", np.zeros(0))


@spoilt("several bit widths, one broken", "Quant_w0_q", "bit width")
def _(proto: onnx.ModelProto) -> None:
    put(proto, "w0_q_bits", [2, 2.5])


@spoilt("bit widths that do not fit the tensor", "Quant_w0_q", "'w0_q_bits'")
def _(proto: onnx.ModelProto) -> None:
    put(proto, "w0_q_bits", [2, 3, 2, 3, 2])


@spoilt("bit width of no elements", "Quant_w0_q", "bit width")
def _(proto: onnx.ModelProto) -> None:
    put(proto, "w0_q_bits", [])


@spoilt("scale that does not fit the tensor", "Quant_w0_q", "'w0_q_scale'")
def _(proto: onnx.ModelProto) -> None:
    put(proto, "w0_q_scale", np.ones(5))


@spoilt("scale of text", "w0_q_scale")
def _(proto: onnx.ModelProto) -> None:
    constant(proto, "w0_q_scale").CopyFrom(
        helper.make_tensor("w0_q_scale", TensorProto.STRING, [], [b"one"])
    )


@spoilt("weights of text", "w0")
def _(proto: onnx.ModelProto) -> None:
    constant(proto, "w0").CopyFrom(
        helper.make_tensor("w0", TensorProto.STRING, [6, 4], [b"1"] * 24)
    )


@spoilt("unknown rounding mode", "Quant_a0_q", "SIDEWAYS")
def _(proto: onnx.ModelProto) -> None:
    found = next(a for a in node(proto, "Quant_a0_q").attribute if a.name == "rounding_mode")
    found.s = b"sideways"


@spoilt("scale that is computed", "Quant_a0_q", "not a constant")
def _(proto: onnx.ModelProto) -> None:
    reduced = helper.make_node("ReduceMax", ["a0"], ["s"], name="ReduceMax_s", keepdims=0)
    index = next(i for i, n in enumerate(proto.graph.node) if n.name == "Quant_a0_q")
    proto.graph.node.insert(index, reduced)
    node(proto, "Quant_a0_q").input[1] = "s"


@spoilt("quantizer without a scale", "Quant_a0_q", "scale")
def _(proto: onnx.ModelProto) -> None:
    del node(proto, "Quant_a0_q").input[1:]


@spoilt("quantizer without an input", "Quant_a0_q")
def _(proto: onnx.ModelProto) -> None:
    del node(proto, "Quant_a0_q").input[:]


# -- quantizers that are missing ------------------------------------------------------------------


@spoilt("no weight quantizer", "MatMul_y0", "'w0'", "quantizer")
def _(proto: onnx.ModelProto) -> None:
    drop(proto, "Quant_w0_q")


@spoilt("no input quantizer", "MatMul_y0", "'x'", "quantizer")
def _(proto: onnx.ModelProto) -> None:
    drop(proto, "Quant_x_q")


@spoilt("no activation quantizer", "MatMul_y1", "'a0'", "quantizer")
def _(proto: onnx.ModelProto) -> None:
    drop(proto, "Quant_a0_q")


@spoilt("no quantizer at all", "no layer has quantized weights")
def _(proto: onnx.ModelProto) -> None:
    for name in ("x_q", "w0_q", "a0_q", "w1_q"):
        drop(proto, f"Quant_{name}")


# -- graphs ---------------------------------------------------------------------------------------


@spoilt("input from nowhere", "nowhere")
def _(proto: onnx.ModelProto) -> None:
    node(proto, "Relu_a0").input[0] = "nowhere"


@spoilt("output from nowhere", "nowhere")
def _(proto: onnx.ModelProto) -> None:
    proto.graph.output[0].name = "nowhere"


@spoilt("two tensors of one name", "y0")
def _(proto: onnx.ModelProto) -> None:
    node(proto, "BatchNormalization_n0").output[0] = "y0"


@spoilt("two constants of one name", "w0")
def _(proto: onnx.ModelProto) -> None:
    proto.graph.initializer.append(constant(proto, "w0"))


@spoilt("cycle", "y0")
def _(proto: onnx.ModelProto) -> None:
    node(proto, "MatMul_y0").input[0] = "a0_q"


@spoilt("node that feeds itself", "a0")
def _(proto: onnx.ModelProto) -> None:
    node(proto, "Relu_a0").input[0] = "a0"


@spoilt("nodes in a circle", "its own output")
def _(proto: onnx.ModelProto) -> None:
    first = next(n for n in proto.graph.node if n.op_type == "MatMul")
    last = proto.graph.node[-1].output[0]
    proto.graph.node.append(onnx.helper.make_node("Identity", [last], ["circle"]))
    first.input[0] = "circle"


@spoilt("a tensor that two nodes compute", "computed twice")
def _(proto: onnx.ModelProto) -> None:
    proto.graph.node.append(proto.graph.node[-1])


@spoilt("no output", "output")
def _(proto: onnx.ModelProto) -> None:
    del proto.graph.output[:]


@spoilt("no input", "'x'")
def _(proto: onnx.ModelProto) -> None:
    del proto.graph.input[:]


@spoilt("no nodes", "not an ONNX model")
def _(proto: onnx.ModelProto) -> None:
    del proto.graph.node[:]


@spoilt("no opset", "opset")
def _(proto: onnx.ModelProto) -> None:
    del proto.opset_import[:]


@spoilt("opset of the far future", "opset 9000")
def _(proto: onnx.ModelProto) -> None:
    proto.opset_import[0].version = 9000


@spoilt("opset of the far past", "opset 3")
def _(proto: onnx.ModelProto) -> None:
    proto.opset_import[0].version = 3


# -- external data --------------------------------------------------------------------------------


def _external(location: str, **entries: str) -> Write:
    def write(folder: Path) -> Path:
        inside = folder / "inside"
        inside.mkdir()
        (folder / "secret.bin").write_bytes(bytes(96))
        (inside / "link.bin").symlink_to(folder / "secret.bin")
        (inside / "short.bin").write_bytes(bytes(8))
        (inside / "folder.bin").mkdir()
        proto = base()
        tensor = constant(proto, "w0")
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        place = location.format(folder=folder)
        for key, value in {"location": place, **entries}.items():
            tensor.external_data.add(key=key, value=value)
        path = inside / "model.onnx"
        path.write_bytes(proto.SerializeToString())
        return path

    return write


_add("external data outside", _external("../secret.bin"), "'w0'", "outside")
_add("external data at an absolute path", _external("{folder}/secret.bin"), "'w0'", "outside")
_add("external data through a link", _external("link.bin"), "'w0'", "outside")
_add("external data missing", _external("absent.bin"), "'w0'", "missing")
_add("external data without a place", _external(""), "'w0'", "outside")
_add("external data with a zero byte", _external("a\0b"), "'w0'", "outside")
_add("external data that is a folder", _external("folder.bin"), "'w0'", "missing")
_add("external data too short", _external("short.bin"), "w0")
_add("external data at no offset", _external("short.bin", offset="many"), "w0")
_add("external data after the end", _external("short.bin", offset="4096", length="96"), "w0")
_add("external data before the start", _external("short.bin", offset="-4"), "w0")
