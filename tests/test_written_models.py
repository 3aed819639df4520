# SPDX-License-Identifier: Apache-2.0
"""Every model that is written is valid ONNX, with a type for every tensor, and runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest

from benchmarks.cnn_networks import cnn_1d, resnet8, super_resolution
from benchmarks.networks import MlpSpec, mlp
from qnnc.compiler.api import build
from qnnc.compiler.errors import VerificationError
from qnnc.compiler.ir.saved import load_ir, save_ir
from qnnc.compiler.ir.written import write_model

NETWORKS: dict[str, Callable[[], onnx.ModelProto]] = {
    "dense": lambda: mlp(MlpSpec((16, 12, 8), 3, 3, "tanh", 4, seed=2)),
    "resnet8": lambda: resnet8(3, image=8),
    "espcn": lambda: super_resolution(3, image=6, factor=2, channels=4),
    "cnn-1d": lambda: cnn_1d(3, steps=24, channels=(3, 4)),
}


def check(path: Path) -> onnx.ModelProto:
    """Valid, and every tensor has a type; shapes too where ONNX can know them."""
    proto = onnx.load(path)
    standard = all(node.domain == "" for node in proto.graph.node)
    onnx.checker.check_model(proto, full_check=standard)
    graph = proto.graph
    infos = {i.name: i for i in (*graph.value_info, *graph.input, *graph.output)}
    for node in graph.node:
        for name in filter(None, node.output):
            assert infos[name].type.tensor_type.elem_type != onnx.TensorProto.UNDEFINED, name
    return proto


@pytest.mark.parametrize("name", NETWORKS)
def test_all_models_of_a_build(name: str, tmp_path: Path) -> None:
    source, saved = tmp_path / "model.onnx", tmp_path / "ir"
    onnx.save(NETWORKS[name](), source)
    build(source, out=tmp_path / "out", until="passes", verify="none", save_ir=saved, top_k=0)
    files = sorted((tmp_path / "out" / "model").glob("*.onnx"))
    assert [f.stem for f in files] == ["compiled", "dataflow", "golden", "post", "pre"]
    for path in files:
        proto = check(path)
        if path.stem != "dataflow":
            session = ort.InferenceSession(proto.SerializeToString())
            feeds = {
                i.name: np.zeros([d if isinstance(d, int) else 3 for d in i.shape], np.float32)
                for i in session.get_inputs()
            }
            assert all(len(array) == 3 for array in session.run(None, feeds))
    stages = sorted(saved.glob("*.onnx"))
    assert len(stages) > 10
    for path in stages:
        check(path)
        load_ir(path)


def test_what_is_not_valid_is_not_written(tmp_path: Path) -> None:
    x = ir.Value(name="x", shape=ir.Shape([1, 2]), type=ir.TensorType(ir.DataType.FLOAT))
    node = ir.node("Concat", [x, x])  # which must have an axis
    node.outputs[0].name = "y"
    graph = ir.Graph([x], list(node.outputs), nodes=[node], opset_imports={"": 21}, name="main")
    model = ir.Model(graph, ir_version=10)
    for write in (write_model, save_ir):
        with pytest.raises(VerificationError, match=r"wrong\.onnx would not be valid ONNX: "):
            write(model, tmp_path / "wrong.onnx")
    assert not (tmp_path / "wrong.onnx").exists()
