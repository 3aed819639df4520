# SPDX-License-Identifier: Apache-2.0
"""The hand-over to FINN and back, without FINN; `check.py` in the export runs with the real one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from qnnc.backends.finn.attributes import ATTRIBUTES
from qnnc.backends.finn.export import folding_config, golden_tensors, partition_of
from qnnc.backends.finn.parent import parent_model
from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.errors import ModelError
from qnnc.compiler.passes.infer_shapes import InferShapes
from qnnc.compiler.reference import BatchRunner
from qnnc.frontends.finn import from_finn
from tests.support import nodes

FINN = "finn.custom_op.fpgadataflow"


def specs() -> list[nodes.NodeSpec]:
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
        assert set(found) <= ATTRIBUTES[node.op_type] and found["backend"] == b"fpgadataflow"
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


def test_there_and_back_gives_the_same_integers() -> None:
    """Each node exported and read again computes what the reference expansion computes."""
    for spec in specs()[:-1]:
        model = nodes.model_of([spec])
        partition = partition_of(model)
        golden = golden_tensors(model, partition)
        again = from_finn(partition.model, Path())
        InferShapes()(again)
        given, wanted = partition.inputs[0].name, partition.outputs[0].name
        feeds = {given: golden[given].reshape(-1, *spec.x_shape[1:])}
        found = next(iter(BatchRunner(again).run(feeds).values()))
        assert np.array_equal(found.reshape(-1), golden[wanted].reshape(-1)), spec.op


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
    with pytest.raises(ModelError, match="are no INT2"):
        from_finn(proto, Path())


def test_parent_and_partition(tmp_path: Path) -> None:
    """A parent model is read with the partition beside it, wherever FINN says it lay."""
    spec = specs()[3]
    model = nodes.model_of([spec])
    partition = partition_of(model)

    def passing(x: str, y: str) -> onnx.ModelProto:
        shape = list(spec.x_shape)
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
    feeds = {"x": golden[partition.inputs[0].name].reshape(-1, *spec.x_shape[1:])}
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
