# SPDX-License-Identifier: Apache-2.0
"""Models as exporters of every age and make write them: unsorted nodes, opsets up to the newest,
narrow integers, other tools' domains, shape arithmetic, constants as outputs, moved batch axes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, defs, helper, numpy_helper

from qnnc.backends.bitstream.package.host_steps import host_steps
from qnnc.backends.bitstream.simulated.platform import load_driver
from qnnc.compiler import api
from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.errors import ModelError
from qnnc.compiler.frontend import load_model
from qnnc.compiler.ir.saved import load_ir
from qnnc.compiler.reference import BatchRunner
from qnnc.frontends.opsets import ADDED, OPSET, to_canonical
from qnnc.frontends.sorting import sort_nodes
from tests.conftest import shared_file
from tests.support.quantized import mlp, run_original, static_quantized
from tests.support.shape_chains import CHAINS, chain_model

PACKAGE = Path(__file__).parent.parent / "backends" / "bitstream" / "package"
QONNX = "qonnx.custom_op.general"
NARROW = {
    "int2": (ml_dtypes.int2, -2, 1),
    "uint2": (ml_dtypes.uint2, 0, 3),
    "int4": (ml_dtypes.int4, -8, 7),
    "uint4": (ml_dtypes.uint4, 0, 15),
}


def save(proto: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "model.onnx"
    onnx.save(proto, path)
    return path


def compiled(path: Path, x: np.ndarray, **options: object) -> list[np.ndarray]:
    """Outputs of the compiled graph of a build, one sample after the other."""
    out = path.with_suffix(".build")
    api.compile(path, out=out, **options)
    session = ort.InferenceSession(out / "model" / "compiled.onnx")
    name = session.get_inputs()[0].name
    runs = [session.run(None, {name: x[i : i + 1]}) for i in range(len(x))]
    return [np.stack(column) for column in zip(*runs, strict=True)]


# --- order of nodes ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_nodes_in_any_order_are_sorted(seed: int, tmp_path: Path) -> None:
    proto = static_quantized(mlp(), tmp_path)
    shuffled = onnx.ModelProto()
    shuffled.CopyFrom(proto)
    nodes = list(shuffled.graph.node)
    np.random.default_rng(seed).shuffle(nodes)  # type: ignore[arg-type]
    del shuffled.graph.node[:]
    shuffled.graph.node.extend(nodes)
    x = np.random.default_rng(1).normal(size=(8, 20)).astype(np.float32)
    found = compiled(save(shuffled, tmp_path), x)[0]
    expected = np.stack([next(iter(run_original(proto, {"x": row[None]}).values())) for row in x])
    assert np.abs(found - expected).max() < 1e-5


def test_sorted_nodes_stay_as_they_are() -> None:
    proto = mlp()
    before = proto.SerializeToString()
    assert not sort_nodes(proto.graph)
    assert proto.SerializeToString() == before


# --- opsets --------------------------------------------------------------------------------------


def test_every_attribute_that_operators_have_got_since_is_known() -> None:
    for schema in defs.get_all_schemas():
        if schema.domain != "":
            continue
        try:
            old = defs.get_schema(schema.name, OPSET, "")
        except defs.SchemaError:
            continue
        added = set(schema.attributes) - set(old.attributes)
        assert {(schema.name, name) for name in added} <= set(ADDED), schema.name
        assert [i.name for i in schema.inputs] == [i.name for i in old.inputs], schema.name


@pytest.mark.parametrize("opset", [9, 11, 13, 17, 18, 21, 22, 23, 24])
def test_an_mlp_of_any_opset_is_the_same(opset: int) -> None:
    proto = mlp(opset)
    x = np.random.default_rng(2).normal(size=(1, 20)).astype(np.float32)
    expected = next(iter(run_original(proto, {"x": x}).values()))
    found = next(iter(run_original(to_canonical(proto), {"x": x}).values()))
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("alpha", [1.0, 1.5])
def test_swish_of_opset_24_is_written_out(alpha: float) -> None:
    x = np.linspace(-6, 6, 25, dtype=np.float32)[None]
    node = helper.make_node("Swish", ["x"], ["y"], alpha=alpha)
    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 25]) for n in "xy"]
    graph = helper.make_graph([node], "g", value[:1], value[1:])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10)
    found = run_original(to_canonical(proto), {"x": x})["y"]
    exact = x.astype(np.float64) / (1 + np.exp(-alpha * x.astype(np.float64)))
    assert np.abs(found - exact).max() < 1e-5


def test_an_operator_that_opset_21_lacks_is_named() -> None:
    node = helper.make_node("RMSNormalization", ["x", "w"], ["y"], name="norm")
    value = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in "xy"]
    weight = numpy_helper.from_array(np.ones(4, np.float32), "w")
    graph = helper.make_graph([node], "g", value[:1], value[1:], [weight])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10)
    with pytest.raises(ModelError, match=r"'norm'.*RMSNormalization.*opset 21"):
        to_canonical(proto)


@pytest.mark.parametrize("kind", ["QuantizeLinear", "DequantizeLinear"])
def test_an_axis_before_opset_13_is_refused_with_what_to_do(kind: str) -> None:
    """ONNX Runtime's quantizer writes it into older models, which it does not load then."""
    wide, narrow = TensorProto.FLOAT, TensorProto.UINT8
    ends = (wide, narrow) if kind == "QuantizeLinear" else (narrow, wide)
    node = helper.make_node(kind, ["x", "scale"], ["y"], name="per_channel", axis=0)
    given, made = (
        helper.make_tensor_value_info(name, element, [2, 3])
        for name, element in zip("xy", ends, strict=True)
    )
    scale = numpy_helper.from_array(np.ones(2, np.float32), "scale")
    graph = helper.make_graph([node], "g", [given], [made], [scale])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=7)
    with pytest.raises(ModelError, match=r"'per_channel': .* opset 13 on .* quantize that"):
        to_canonical(proto)


def test_a_split_of_opset_18_that_says_17_is_read(tmp_path: Path) -> None:
    proto = chain_model("chunk", plain=True)
    slices = [node.output[0] for node in proto.graph.node if node.op_type == "Slice"]
    split = helper.make_node("Split", ["xq"], slices, axis=1, num_outputs=2)
    kept = [n for n in proto.graph.node if n.op_type != "Slice"]
    del proto.graph.node[:]
    proto.graph.node.extend([kept[0], split, *kept[1:]])
    assert proto.opset_import[0].version == 17
    x = np.random.default_rng(3).uniform(-2, 2, (4, 4, 5, 5)).astype(np.float32)
    assert np.array_equal(
        compiled(save(proto, tmp_path), x)[0], compiled(save(chain_model("chunk"), tmp_path), x)[0]
    )


# --- narrow integers -----------------------------------------------------------------------------


@pytest.mark.parametrize("weights", NARROW)
@pytest.mark.parametrize("activations", NARROW)
def test_narrow_integers_equal_numpy(weights: str, activations: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    kind, low, high = NARROW[weights]
    a_kind, a_low, a_high = NARROW[activations]
    w = rng.integers(low, high, (12, 5), endpoint=True)
    constants = [
        numpy_helper.from_array(w.astype(kind), "w"),
        numpy_helper.from_array(np.float32(0.5), "ws"),
        numpy_helper.from_array(np.array(0).astype(kind), "wz"),
        numpy_helper.from_array(np.float32(0.25), "xs"),
        numpy_helper.from_array(np.array(1).astype(a_kind), "xz"),
        numpy_helper.from_array(np.float32(2), "ys"),
    ]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "xs", "xz"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wd"]),
        helper.make_node("MatMul", ["d", "wd"], ["m"]),
        helper.make_node("QuantizeLinear", ["m", "ys", "xz"], ["mq"]),
        helper.make_node("DequantizeLinear", ["mq", "ys", "xz"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 12])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5])],
        constants,
    )
    opset = 25 if "2" in weights + activations else 21
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    x = rng.integers(-16, 16, (16, 12)) * 0.25
    q = np.clip(x / 0.25 + 1, a_low, a_high) - 1
    exact = np.clip(np.rint(q @ w * 0.125 / 2) + 1, a_low, a_high) - 1
    found = compiled(save(proto, tmp_path), x.astype(np.float32))[0]
    assert np.array_equal(found[:, 0], exact * 2)


@pytest.mark.parametrize("name", ["w2a2", "w2a8"])
def test_int2_models_equal_numpy(name: str, tmp_path: Path) -> None:
    """Exact sums, rounded as the file's own operators round them; ONNX Runtime cannot run INT2, and
    where it can, its float32 sums meet ties otherwise."""
    path = shared_file(f"cases/types/{name}.onnx")
    given = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    bits = 2 if given["xz"].dtype == ml_dtypes.int2 else 8
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    x = np.random.default_rng(12).uniform(-1.2, 1.2, (64, 16)).astype(np.float32)
    x *= np.float32(high + 1) * given["xs"]
    q = np.clip(np.rint(x / given["xs"]), low, high).astype(np.int64)
    exact = (q @ given["w"].astype(np.int64)) * np.float64(given["xs"]) * np.float64(given["ws"])
    codes = np.clip(np.rint(exact.astype(np.float32) / given["ys"]), low, high)
    copy = tmp_path / "model.onnx"
    copy.write_bytes(path.read_bytes())
    found = compiled(copy, x)[0][:, 0]
    assert np.array_equal(found, codes.astype(np.float32) * given["ys"])


@pytest.mark.parametrize(
    "kind", [ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, ml_dtypes.float4_e2m1fn]
)
def test_small_floats_are_refused_by_name(kind: type, tmp_path: Path) -> None:
    constants = [
        numpy_helper.from_array(np.ones((4, 2)).astype(kind), "w"),
        numpy_helper.from_array(np.float32(1), "s"),
    ]
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s"], ["wd"], name="weights"),
        helper.make_node("MatMul", ["x", "wd"], ["y"]),
    ]
    values = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2]),
    ]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], constants)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=11)
    with pytest.raises(ModelError, match=r"'weights'.*'w'.*FLOAT[48].*INT8"):
        load_model(str(save(proto, tmp_path)))


# --- other tools' domains ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domain", "prefix"), [("com.amd.quark", "Extended"), ("com.vai.quantize", "Vitis")]
)
def test_quantizers_of_other_domains_are_onnx_s(domain: str, prefix: str, tmp_path: Path) -> None:
    from onnxruntime.quantization import QuantType

    proto = static_quantized(
        mlp(),
        tmp_path,
        activation_type=QuantType.QInt8,
        extra_options={"ActivationSymmetric": True},
    )
    renamed = onnx.ModelProto()
    renamed.CopyFrom(proto)
    renamed.opset_import.append(helper.make_opsetid(domain, 1))
    for node in renamed.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            node.op_type, node.domain = prefix + node.op_type, domain
    x = np.random.default_rng(5).normal(size=(8, 20)).astype(np.float32)
    found = compiled(save(renamed, tmp_path), x)[0]
    assert np.array_equal(found, compiled(save(proto, tmp_path), x)[0])


def test_a_rounding_that_differs_is_refused(tmp_path: Path) -> None:
    from onnxruntime.quantization import QuantType

    proto = static_quantized(mlp(), tmp_path, activation_type=QuantType.QUInt8)
    for tensor in proto.graph.initializer:
        if tensor.name.endswith("zero_point") and tensor.data_type == TensorProto.UINT8:
            tensor.CopyFrom(numpy_helper.from_array(np.array(3, np.uint8), tensor.name))
    proto.opset_import.append(helper.make_opsetid("com.vai.quantize", 1))
    for node in proto.graph.node:
        if node.op_type == "QuantizeLinear":
            node.op_type, node.domain = "VitisQuantizeLinear", "com.vai.quantize"
    with pytest.raises(ModelError, match="zero point, 3"):
        load_model(str(save(proto, tmp_path)))


@pytest.mark.parametrize(
    ("operator", "words"),
    [
        ("FakeQuantize", "nncf.quantize"),
        ("BFPQuantizeDequantize", "XINT8"),
        ("Nothing", "supported"),
    ],
)
def test_other_operators_are_refused_with_what_to_do(
    operator: str, words: str, tmp_path: Path
) -> None:
    proto = mlp()
    proto.opset_import.append(helper.make_opsetid("com.amd.quark", 1))
    proto.graph.node[1].op_type, proto.graph.node[1].domain = operator, "com.amd.quark"
    with pytest.raises(ModelError, match=f"{operator}.*{words}"):
        load_model(str(save(proto, tmp_path)), "qonnx")


# --- shape arithmetic ----------------------------------------------------------------------------


@pytest.mark.parametrize("chain", CHAINS)
def test_sizes_computed_from_shapes_are_constant(chain: str, tmp_path: Path) -> None:
    """The same network with its sizes written as numbers compiles to the same answers."""
    x = np.random.default_rng(6).uniform(-2, 2, (6, 4, 5, 5)).astype(np.float32)
    found = compiled(save(chain_model(chain), tmp_path), x)[0]
    expected = compiled(save(chain_model(chain, plain=True), tmp_path), x)[0]
    assert np.array_equal(found, expected)
    assert np.ptp(found) > 0


# --- outputs and batches -------------------------------------------------------------------------


def _quantized(name: str, x: str, bits: int = 4) -> onnx.NodeProto:
    return helper.make_node(
        "Quant",
        [x, "s", "z", f"b{bits}"],
        [name],
        domain=QONNX,
        signed=1,
        narrow=0,
        rounding_mode="ROUND",
    )


def _qonnx(
    nodes: list[onnx.NodeProto], shape: list[int], outputs: dict[str, list[int]], **more: object
) -> onnx.ModelProto:
    constants = {"s": 0.25, "z": 0.0, "b4": 4.0, "b8": 8.0, **more}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        [numpy_helper.from_array(np.asarray(a, np.float32), n) for n, a in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(QONNX, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def moved_batch() -> onnx.ModelProto:
    """Sequence first in the middle: two layers on [T, 1, C], a tensor of that shape as output."""
    rng = np.random.default_rng(7)
    nodes = [
        _quantized("xq", "x"),
        helper.make_node("Transpose", ["xq"], ["t"], perm=[1, 0, 2]),
        _quantized("wq", "w"),
        helper.make_node("MatMul", ["t", "wq"], ["m"]),
        helper.make_node("Relu", ["m"], ["r"]),
        _quantized("h", "r"),
        _quantized("vq", "v"),
        helper.make_node("MatMul", ["h", "vq"], ["n"]),
        helper.make_node("Transpose", ["n"], ["y"], perm=[1, 0, 2]),
    ]
    w, v = rng.integers(-8, 8, (6, 5)) * 0.25, rng.integers(-8, 8, (5, 3)) * 0.25
    return _qonnx(nodes, [1, 7, 6], {"y": [1, 7, 3], "h": [7, 1, 5]}, w=w, v=v)


def test_a_batch_axis_that_moves_is_only_a_label(tmp_path: Path) -> None:
    x = np.random.default_rng(8).uniform(-2, 2, (5, 7, 6)).astype(np.float32)
    proto = moved_batch()
    y, h = compiled(save(proto, tmp_path), x)
    given = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
    q = np.clip(np.rint(x / 0.25), -8, 7)
    hidden = np.clip(np.rint(np.maximum(q @ given["w"] * 0.25, 0) / 0.25), -8, 7) * 0.25
    assert np.array_equal(h[:, :, 0], hidden)
    assert np.array_equal(y[:, 0], hidden @ given["v"])


def constant_outputs() -> onnx.ModelProto:
    """A scale, a weight and an earlier tensor as outputs beside the scores."""
    w = np.random.default_rng(9).integers(-8, 8, (6, 3)) * 0.25
    nodes = [
        _quantized("xq", "x"),
        _quantized("wq", "w"),
        helper.make_node("MatMul", ["xq", "wq"], ["m"]),
        helper.make_node("Identity", ["s"], ["scale"]),
    ]
    outputs = {"m": [1, 3], "scale": [], "wq": [6, 3], "xq": [1, 6]}
    return _qonnx(nodes, [1, 6], outputs, w=w)


def test_constants_and_earlier_tensors_as_outputs(tmp_path: Path) -> None:
    x = np.random.default_rng(10).uniform(-2, 2, (5, 6)).astype(np.float32)
    proto = constant_outputs()
    m, scale, w, xq = compiled(save(proto, tmp_path), x)
    q = np.clip(np.rint(x / 0.25), -8, 7) * 0.25
    assert np.array_equal(xq[:, 0], q) and np.array_equal(m[:, 0], q @ w[0])
    assert np.array_equal(scale, np.full(5, np.float32(0.25)))


@pytest.mark.parametrize("make", [moved_batch, constant_outputs])
@pytest.mark.parametrize("use_numpy", [True, False])
def test_the_host_s_halves_give_the_network_s_outputs(
    make: Callable[[], onnx.ModelProto], use_numpy: bool, tmp_path: Path
) -> None:
    """What the driver runs before and after the accelerator, on several frames at once; between
    them the streams as the dataflow graph has them."""
    proto = make()
    shape = [d.dim_value for d in proto.graph.input[0].type.tensor_type.shape.dim]
    x = np.random.default_rng(11).uniform(-2, 2, (3, *shape[1:])).astype(np.float32)
    path = save(proto, tmp_path)
    expected = compiled(path, x)
    folder = path.with_suffix(".build") / "model"
    model, _ = load_ir(folder / "dataflow.onnx")
    graph = stream_graph(model)
    streams = [edge.value for edge in (*graph.inputs, *graph.outputs)]
    between = BatchRunner(model, list(dict.fromkeys(streams))).run({"x": x})
    driver = load_driver(PACKAGE)
    halves = []
    for name in ("pre", "post"):
        steps, constants = host_steps(folder / f"{name}.onnx")
        np.savez(folder / f"{name}.npz", **constants)  # type: ignore[arg-type]
        halves.append(driver.HostPart(str(folder), name, steps, use_numpy))
    given = halves[0].run([x])
    ins = list(dict.fromkeys(edge.value for edge in graph.inputs))
    outs = list(dict.fromkeys(edge.value for edge in graph.outputs))
    for found, value in zip(given, ins, strict=False):
        assert np.array_equal(found, between[str(value.name)])
    results = [between[str(v.name)].astype(np.float32) for v in outs]
    answers = halves[1].run(results + given[len(ins) :])
    for found, wanted in zip(answers, expected, strict=True):
        assert np.array_equal(found.reshape(wanted.shape), wanted)
