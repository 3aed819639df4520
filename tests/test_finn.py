# SPDX-License-Identifier: Apache-2.0
"""The hand-over to FINN and back, without FINN; `check.py` in the export runs with the real one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.qonnx_graph import QonnxGraph
from qnnc.backends.finn.export import (
    export_finn,
    folding_config,
    golden_tensors,
    partition_of,
    prepare,
)
from qnnc.backends.finn.nodes import attributes_of
from qnnc.backends.finn.parent import parent_model
from qnnc.compiler.api import build
from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.datatypes import datatype, smallest_type
from qnnc.compiler.errors import ModelError
from qnnc.compiler.passes.infer_shapes import InferShapes
from qnnc.compiler.reference import BatchRunner, Session, expand
from qnnc.frontends.finn import from_finn
from qnnc.nodes.thresholding.node import Thresholding
from tests.support import nodes
from tests.support.build import compile_model, compile_proto, operators
from tests.test_cnn import SMALL

FINN = "finn.custom_op.fpgadataflow"


def specs() -> list[nodes.Case]:
    rng = np.random.default_rng(4)
    return [
        nodes.mvau(rng, mw=12, mh=6, x="INT3", w="INT5", pe=3, simd=4),
        nodes.mvau(rng, mw=10, mh=4, x="BINARY", w="BINARY", pe=2, simd=5),
        nodes.mvau(rng, mw=8, mh=4, x="UINT2", w="BIPOLAR", pe=2, simd=4),
        nodes.thresholding(rng, channels=6, steps=3, x="INT9", pe=2, base=-1),
        nodes.label_select(labels=10, k=1, kind="INT7"),
        nodes.elementwise(rng, op="Add", channels=4, x="INT8", c="INT6", pe=2, shared=False),
        nodes.width_converter(elements=12, kind="INT4", lanes_in=3, lanes_out=4),
    ]


def test_partition_is_finns() -> None:
    model = nodes.model_of(specs()[:-1])
    partition = partition_of(model)
    graph = partition.model.graph
    assert [o.domain for o in partition.model.opset_import] == [""]
    types = {
        a.tensor_name: {e.key: e.value for e in a.quant_parameter_tensor_names}
        for a in graph.quantization_annotation
    }
    for node in graph.node:
        assert node.domain == FINN
        found = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        assert set(found) <= attributes_of(node.op_type) and found["backend"] == b"fpgadataflow"
        for name in (*node.input, *node.output):
            assert "finn_datatype" in types[name]
        if node.op_type == "MVAU":
            assert types[node.input[0]]["finn_datatype"] == found["inputDataType"].decode()
            assert types[node.input[1]]["finn_datatype"] == found["weightDataType"].decode()
    every = [*graph.input, *graph.output, *graph.value_info]
    assert all(v.type.tensor_type.elem_type == TensorProto.FLOAT for v in every)
    config = folding_config(partition)
    assert config["MVAU_hls_0"]["PE"] == 3 and config["MVAU_hls_0"]["SIMD"] == 4
    assert config["Thresholding_rtl_0"] == {"PE": 2}


def test_what_finn_inserts_itself_is_left_out() -> None:
    model = nodes.model_of(specs())
    assert any(n.op_type == "StreamingDataWidthConverter" for n in stream_graph(model).nodes)
    names = {node.op_type for node in partition_of(model).model.graph.node}
    assert "StreamingDataWidthConverter" not in names


def test_what_finn_cannot_do_is_refused() -> None:
    rng = np.random.default_rng(0)
    spec = nodes.thresholding(rng, channels=6, steps=4, x="INT8", pe=2, values=True)
    with pytest.raises(ModelError, match="cannot look up values"):
        partition_of(nodes.model_of([spec]))
    padding = nodes.padding(image=(2, 2), pads=(1, 1, 1, 1), kind="INT4", value=-3)
    with pytest.raises(ModelError, match="pads with 0 only, not -3"):
        partition_of(nodes.model_of([padding]))
    product = nodes.dynamic(x="INT4", w="INT4", mw=2, mh=2, rows=2, pe=1, simd=1)
    with pytest.raises(ModelError, match=r"\(DynamicMVAU\): .* hand over the parts of the network"):
        partition_of(nodes.model_of([product]))


def test_there_and_back_gives_the_same_integers() -> None:
    """Each node exported and read again computes what the reference expansion computes."""
    for spec in specs()[:-1]:
        model = nodes.model_of([spec])
        partition = partition_of(model)
        golden = golden_tensors(model, partition)
        again = from_finn(partition.model, Path())
        InferShapes()(again)
        given, wanted = partition.inputs[0].name, partition.outputs[0].name
        feeds = {given: golden[given].reshape(-1, *spec.inputs[0][1][1:])}
        found = next(iter(BatchRunner(again).run(feeds).values()))
        assert np.array_equal(found.reshape(-1), golden[wanted].reshape(-1)), spec.op_type


def signs(op: str, x: str, w: str) -> ir.Model:
    """A product whose channels rise, fall or stand still in the thresholds after it."""
    rng = np.random.default_rng(8)
    if op == "MVAU":
        spec = nodes.mvau(rng, mw=12, mh=6, x=x, w=w, pe=3, simd=4)
    else:
        spec = nodes.vvau(rng, out=(2, 3), kernel=(2, 2), channels=6, x=x, w=w, pe=2)
    ((kind, shape),) = spec.outputs
    low, high = int(kind.min()), int(kind.max())
    thresholds = np.sort(rng.integers(low, high, (6, 4), endpoint=True), axis=1)
    rising = np.arange(-2, 3)
    values = np.stack([rising, rising[::-1], [-1] * 5, [-2, -2, 0, 2, 2], [1, 0, 0, 0, -2], rising])
    out = datatype("INT3")
    new = Thresholding.create(
        channels=6,
        steps=4,
        x=kind,
        thresholds=smallest_type(int(thresholds.min()), int(thresholds.max())),
        out=out,
        vectors=shape[:-1],
    )
    streams = ((kind, shape),), ((out, shape),)
    table = nodes.Case(new, *streams, lambda x: [x], {"PE": 2}, (thresholds, values))
    model = nodes.model_of([spec, table])
    first, second = model.graph
    second.replace_input_with(0, first.outputs[0])
    model.graph.inputs.pop(1)
    model.graph.outputs.pop(0)
    return model


@pytest.mark.parametrize(
    ("op", "x", "w"),
    [
        ("MVAU", "INT3", "INT4"),
        ("MVAU", "BINARY", "BINARY"),
        ("MVAU", "UINT4", "BIPOLAR"),
        ("MVAU", "TERNARY", "TERNARY"),
        ("VVAU", "UINT3", "INT5"),
        ("VVAU", "BINARY", "BINARY"),
    ],
)
def test_channels_that_fall_take_their_sign_from_the_weights(op: str, x: str, w: str) -> None:
    model = signs(op, x, w)
    name = str(model.graph.inputs[0].name)
    shape = tuple(int(d) for d in model.graph.inputs[0].shape or ())
    frames = nodes.random_of(np.random.default_rng(1), datatype(x), (50, *shape))
    session = Session(expand(model))
    before = [session.run({name: f.astype(np.float32)}) for f in frames]
    prepare(model)
    session = Session(expand(model))
    after = [session.run({name: f.astype(np.float32)}) for f in frames]
    assert [next(iter(b.values())).tolist() for b in before] == [
        next(iter(a.values())).tolist() for a in after
    ]
    table = partition_of(model).model.graph.node[1]
    attributes = {a.name: helper.get_attribute_value(a) for a in table.attribute}
    assert len(table.input) == 2 and attributes["ActVal"] == -2 and attributes["numSteps"] == 4


def test_a_table_that_neither_rises_nor_falls_is_refused() -> None:
    spec = nodes.thresholding(
        np.random.default_rng(0), channels=6, steps=4, x="INT8", pe=2, values=True
    )
    with pytest.raises(ModelError, match="cannot look up values"):
        prepare(nodes.model_of([spec]))
    thresholds, values = spec.constants
    spec = replace(spec, constants=(thresholds, np.sort(values, axis=1)[:, ::-1]))
    with pytest.raises(ModelError, match="no layer with weights stands right before it"):
        prepare(nodes.model_of([spec]))


@pytest.mark.parametrize("name", ["mobilenet", "unet", "cnn-1d", "espcn-resize"])
def test_networks_of_images_there_and_back(name: str) -> None:
    """Windows, pools, joins and splits of whole networks; the partition read again computes the
    same integers."""
    model, _, _ = compile_proto(SMALL[name](), samples=4, each=False, fold=True)
    prepare(model)
    partition = partition_of(model)
    golden = golden_tensors(model, partition)
    graph = partition.model.graph
    for node in graph.node:
        found = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        assert set(found) <= attributes_of(node.op_type)
        users = [user.op_type for user in graph.node if node.output[0] in user.input]
        if node.op_type == "ConvolutionInputGenerator":
            assert found["depthwise"] == int(users[0] in ("Pool", "VVAU", "GlobalAccPool"))
    again = from_finn(partition.model, Path())
    InferShapes()(again)
    feeds = {t.name: golden[t.name].reshape(-1, *t.stream.shape[1:]) for t in partition.inputs}
    found_outputs = BatchRunner(again).run(feeds)
    for tensor in partition.outputs:
        mine, theirs = found_outputs[tensor.name], golden[tensor.name]
        assert np.array_equal(mine.reshape(-1), theirs.reshape(-1))


def test_a_network_read_back_is_built_again(tmp_path: Path) -> None:
    """The parent model of a small CNV, with falling channels, through all passes."""
    proto = small_cnv()
    onnx.save(proto, tmp_path / "cnv.onnx")
    build(tmp_path / "cnv.onnx", out=tmp_path / "build", until="passes", cache=tmp_path / "cache")
    folder = export_finn(tmp_path / "build")
    model = from_finn(onnx.load(folder / "dataflow_parent.onnx"), folder)
    compiled, outcome, _ = compile_model(model, samples=16, each=False)
    assert outcome.mismatches == 0
    assert {"ConvolutionInputGenerator", "MVAU", "Pool"} <= set(operators(compiled))
    x = np.random.default_rng(0).random((32, 3, 8, 8)).astype(np.float32)
    results = [
        next(iter(BatchRunner(m).run({str(m.graph.inputs[0].name): x}).values()))
        for m in (ir.from_proto(onnx.load(tmp_path / "build/model/compiled.onnx")), compiled)
    ]
    assert np.array_equal(results[0].reshape(32, -1), results[1].reshape(32, -1))


def small_cnv() -> onnx.ModelProto:
    """One-bit convolutions, batch norms of both signs, a pool, a dense layer."""
    g = QonnxGraph()
    x = g.quantize(g.input((3, 8, 8)), 8, 1 / 128, narrow=False)
    for channels in (8, 8):
        x = g.batch_norm(g.conv(x, channels, (3, 3), 1), both_signs=True)
        x = g.activation(x, 1, "Identity")
    x = g.flatten(g.pool(x, 2))
    return g.model(g.linear(x, 5, 1))


def image_node(
    op_type: str, domain: str, shape: list[int], **attributes: object
) -> onnx.ModelProto:
    """One of FINN's nodes on an image of 2 x 4 x 4 x 3 UINT4."""
    node = helper.make_node(
        op_type, ["x"], ["y"], name="layer", domain=domain, backend="fpgadataflow", **attributes
    )
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 4, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=7)


@pytest.mark.parametrize("suffix", ["_Batch", "", "_hls"])
def test_older_names_of_image_nodes(suffix: str) -> None:
    domain = FINN + (".hls" if suffix == "_hls" else "")
    x = np.random.default_rng(1).integers(0, 16, (5, 4, 4, 3)).astype(np.float32)

    def run(op_type: str, shape: list[int], **attributes: object) -> np.ndarray:
        model = from_finn(image_node(op_type + suffix, domain, shape, **attributes), Path())
        InferShapes()(model)
        return BatchRunner(model).run({"x": x})["y"]

    pooled = run("StreamingMaxPool", [1, 2, 2, 3], ImgDim=[4, 4], PoolDim=[2, 2], NumChannels=3)
    assert np.array_equal(pooled, x.reshape(5, 2, 2, 2, 2, 3).max(axis=(2, 4)))
    padded = run("FMPadding", [1, 7, 5, 3], ImgDim=[4, 4], Padding=[1, 0, 2, 1], NumChannels=3)
    assert np.array_equal(padded, np.pad(x, ((0, 0), (1, 2), (0, 1), (0, 0))))
    up = run("UpsampleNearestNeighbour", [1, 8, 4, 3], HI=4, WI=4, HO=8, WO=4, NumChannels=3)
    assert np.array_equal(up, x.repeat(2, axis=1))
    total = run("GlobalAccPool", [1, 1, 1, 3], NumChannels=3, inputDataType="UINT4")
    assert np.array_equal(total, x.sum(axis=(1, 2), keepdims=True))
    moved = run(
        "Shuffle",
        [1, 16, 3, 1],
        transpose_in_shape=[1, 4, 4, 3],
        perm=[0, 2, 1, 3],
        out_shape=[1, 16, 3, 1],
    )
    assert np.array_equal(moved, x.transpose(0, 2, 1, 3).reshape(5, 16, 3, 1))


def older(op_type: str, domain: str) -> onnx.ModelProto:
    """A dense layer with thresholds inside, as FINN 0.5 to 0.10 has it."""
    rng = np.random.default_rng(3)
    weights = rng.integers(-1, 2, (6, 4)).astype(np.float32)
    thresholds = np.sort(rng.integers(-4, 5, (4, 3)), axis=1).astype(np.float32)
    node = helper.make_node(
        op_type,
        ["x", "w", "t"],
        ["y"],
        name="layer",
        domain=domain,
        backend="fpgadataflow",
        MW=6,
        MH=4,
        PE=1,
        SIMD=1,
        inputDataType="UINT2",
        weightDataType="INT2",
        outputDataType="INT2",
        ActVal=-2,
        noActivation=0,
    )
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(thresholds, "t")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=7)


@pytest.mark.parametrize(
    ("op_type", "domain"),
    [
        ("StreamingFCLayer_Batch", FINN),
        ("MatrixVectorActivation", FINN),
        ("MVAU", FINN),
        ("MVAU_hls", f"{FINN}.hls"),
        ("MVAU_rtl", f"{FINN}.rtl"),
    ],
)
def test_names_of_all_versions(op_type: str, domain: str) -> None:
    proto = older(op_type, domain)
    arrays = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
    model = from_finn(proto, Path())
    InferShapes()(model)
    x = np.random.default_rng(1).integers(0, 4, (20, 6)).astype(np.float32)
    found = BatchRunner(model).run({"x": x})["y"]
    expected = ((x @ arrays["w"])[..., None] >= arrays["t"]).sum(axis=-1) - 2
    assert np.array_equal(found, expected)


def test_unknown_operators_and_wrong_weights_are_refused() -> None:
    with pytest.raises(ModelError, match=r"'layer'.*'Unheard' is not supported"):
        from_finn(older("Unheard", FINN), Path())
    proto = older("MVAU", FINN)
    proto.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.full((6, 4), 7.0), "w"))
    with pytest.raises(ModelError, match="are not INT2"):
        from_finn(proto, Path())


def test_parent_and_partition(tmp_path: Path) -> None:
    """A parent model is read with the partition beside it, wherever FINN says it lay."""
    spec = specs()[3]
    model = nodes.model_of([spec])
    partition = partition_of(model)

    def passing(x: str, y: str) -> onnx.ModelProto:
        shape = list(spec.inputs[0][1])
        graph = helper.make_graph(
            [helper.make_node("Identity", [x], [y])],
            "g",
            [helper.make_tensor_value_info(x, TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(y, TensorProto.FLOAT, shape)],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])

    parent = parent_model(
        passing("x", "s_axis_0"),
        passing("m_axis_0", "y"),
        partition.inputs,
        partition.outputs,
        "/home/someone/build/part.onnx",
    )
    with pytest.raises(ModelError, match="is not beside the model"):
        from_finn(parent, tmp_path)
    onnx.save(partition.model, tmp_path / "part.onnx")
    golden = golden_tensors(model, partition)
    again = from_finn(parent, tmp_path)
    InferShapes()(again)
    feeds = {"x": golden[partition.inputs[0].name].reshape(-1, *spec.inputs[0][1][1:])}
    found = BatchRunner(again).run(feeds)["y"]
    assert np.array_equal(found.reshape(-1), golden[partition.outputs[0].name].reshape(-1))
    assert json.dumps(folding_config(partition))


def test_a_partition_outside_the_folder_is_not_read(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    model = nodes.model_of(specs()[3:4])
    onnx.save(partition_of(model).model, tmp_path / "secret.onnx")
    node = helper.make_node(
        "StreamingDataflowPartition", ["x"], ["y"], name="p", domain=FINN, model="../secret.onnx"
    )
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node], "g", [info("x", TensorProto.FLOAT, [1, 6])], [info("y", TensorProto.FLOAT, [1, 6])]
    )
    with pytest.raises(ModelError, match="is not beside the model"):
        from_finn(helper.make_model(graph), inside)
