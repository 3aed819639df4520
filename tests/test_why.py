# SPDX-License-Identifier: Apache-2.0
"""Where nodes went and why: from the command, and from a build's report."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import onnx
import pytest
from onnx import helper

from benchmarks.networks import MlpSpec, mlp
from tests.support.build import qnnc, run_main
from tests.support.small import SPEC

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    onnx.save(mlp(SPEC), path)
    return path


def test_every_node_is_accounted_for(model: Path, tmp_path: Path, capfd: Capture) -> None:
    code, output, errors = run_main(capfd, "why", model, "--top-k", "1", "--json")
    assert code == 0, errors
    nodes = json.loads(output)["nodes"]
    given = [node.op_type for node in onnx.load(model).graph.node if node.op_type != "Constant"]
    assert [node["op"] for node in nodes] == given
    for node in nodes:
        if node["op"] == "MatMul":
            assert node["places"] == ["dataflow"] and "mvau" in node["dataflow"][0]
        elif node["places"] == ["folded"]:
            # a weight's quantizer: its integers are kept, its scale moves after the product
            assert node["folded_by"] == "scaled-integer" and node["op"] == "Quant"
        else:
            assert node["dataflow"] or node["reason"], node
    assert {"dataflow", "folded", "host-pre"} <= {p for node in nodes for p in node["places"]}

    # a build says the same of itself, and without a word of the host once that has nothing to do
    out = tmp_path / "o"
    build = ("build", model, "--out", out, "--until", "passes", "--top-k", "1")
    assert run_main(capfd, *build)[0] == 0
    code, output, _ = run_main(capfd, "why", out, "--json")
    again = json.loads(output)["nodes"]
    assert code == 0 and [n["places"] for n in again] == [n["places"] for n in nodes]
    # what was done is not advised
    code, output, _ = run_main(capfd, "why", model, "--input-type", "int4", "--top-k", "1")
    assert code == 0 and "--input-type" not in output and "--top-k" not in output
    assert output.splitlines()[0].startswith(f"{len(given)} nodes: ")
    code, output, _ = run_main(capfd, "why", model)
    assert code == 0 and "host, before the accelerator: it comes before the first" in output
    assert "folded away by scaled-integer" in output


def test_what_stops_a_model_is_explained(model: Path, tmp_path: Path, capfd: Capture) -> None:
    proto = onnx.load(model)
    layers = [n for n in proto.graph.node if n.op_type == "MatMul"]
    x = layers[1].input[0]
    soft = helper.make_node("Softmax", [x], ["soft"], name="soft_node", axis=-1)
    proto.graph.node.insert(list(proto.graph.node).index(layers[1]), soft)
    layers[1].input[0] = "soft"
    onnx.save(proto, tmp_path / "soft.onnx")
    code, output, _ = run_main(capfd, "why", tmp_path / "soft.onnx")
    assert code == 1
    line = next(line for line in output.splitlines() if line.startswith("soft_node (Softmax)"))
    assert "drop it and take labels with --top-k" in line
    assert output.splitlines()[-1].startswith("refused: ") and "quantizer" in output
    out = tmp_path / "o"
    assert run_main(capfd, "build", tmp_path / "soft.onnx", "--out", out)[0] == 2
    code, output, _ = run_main(capfd, "why", out)
    assert code == 1 and "soft_node (Softmax)" in output and "refused: " in output


def test_a_large_model_is_explained_quickly(tmp_path: Path) -> None:
    spec = MlpSpec((8, *([8] * 60), 4), 2, 2, "relu", 2, seed=1)
    path = tmp_path / "large.onnx"
    proto = mlp(spec)
    onnx.save(proto, path)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = qnnc(["why", path, "--json"])
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["nodes"]) >= 300
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # processor time: what a busy machine takes is not the command's doing
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 3
