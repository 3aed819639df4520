# SPDX-License-Identifier: Apache-2.0
"""Where nodes went and why: from the command, and from a build's report."""

from __future__ import annotations

import json
import re
import resource
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from benchmarks.networks import MlpSpec, mlp
from qnnc.compiler.building.provenance import BECAME
from qnnc.compiler.dataflow import Role
from qnnc.compiler.rewrites import rewrite
from tests.support.build import qnnc, run_main
from tests.support.small import SPEC

Capture = pytest.CaptureFixture[str]
Places = dict[str, tuple[str, str]]


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
    assert code == 0
    heads, *rows = (re.split(" {2,}", line.rstrip()) for line in output.splitlines()[1:])
    assert heads == ["node", "where", "why", "what would move it"]
    assert [row[0] for row in rows] == [f"{node['node']} ({node['op']})" for node in nodes]
    assert all(len(row) >= 3 for row in rows)
    before = "it comes before the first integer tensor"
    assert ["host, before", before, "say with --input-type what the real input is"] in [
        row[1:] for row in rows
    ]
    assert "folded: scaled-integer" in {row[1] for row in rows}


def test_whatever_a_node_computes_there_are_words_for_it() -> None:
    assert set(BECAME) == set(Role)


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
    assert rewrite("Softmax") in line and "--top-k" in line
    assert output.splitlines()[-1].startswith("refused: ") and "quantizer" in output
    out = tmp_path / "o"
    assert run_main(capfd, "build", tmp_path / "soft.onnx", "--out", out)[0] == 2
    code, output, _ = run_main(capfd, "why", out)
    assert code == 1 and "soft_node (Softmax)" in output and "refused: " in output


def on_the_host(model: onnx.ModelProto, tmp_path: Path, capfd: Capture, *options: object) -> Places:
    """Of the nodes that run (partly) after the accelerator: why, and what would move them."""
    onnx.save(model, tmp_path / "asked.onnx")
    code, output, errors = run_main(capfd, "why", tmp_path / "asked.onnx", *options, "--json")
    assert code == 0, errors
    nodes = json.loads(output)["nodes"]
    return {n["node"]: (n["reason"], n["remedy"]) for n in nodes if "host-post" in n["places"]}


def test_what_would_move_a_node_moves_it(tmp_path: Path, capfd: Capture) -> None:
    proto = mlp(MlpSpec((12, 8, 5), 2, 2, "relu", 2))
    scores = proto.graph.output.pop().name
    for name, value in (("two", np.float32(2.5)), ("start", [0]), ("end", [3]), ("axis", [1])):
        proto.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    proto.graph.node.extend(
        [
            helper.make_node("Sigmoid", [scores], ["soft"], name="curve"),
            helper.make_node("Mul", ["soft", "two"], ["scaled"], name="scale"),
            helper.make_node("Slice", ["scaled", "start", "end", "axis"], ["part"], name="cut"),
        ]
    )
    proto.graph.output.append(helper.make_tensor_value_info("part", 1, [1, 3]))
    late = on_the_host(proto, tmp_path, capfd)
    advice = "put a quantizer after it, or take labels with --top-k"
    for name in ("curve", "scale", "cut"):
        assert late[name] == ("no quantizer follows it", advice)
    # labels do not help here, so that something else is advised, which does
    late = on_the_host(proto, tmp_path, capfd, "--top-k", "1")
    for name in ("curve", "scale", "cut"):
        why, advice = late[name]
        assert why.startswith("labels are taken after it, on the host: Mul node 'scale'")
        assert advice == "put a quantizer before the labels are taken"
    quantizer = next(node for node in proto.graph.node if node.op_type == "Quant")
    last = onnx.NodeProto()
    last.CopyFrom(quantizer)
    last.name, last.input[0], last.output[0] = "last", "part", "codes"
    proto.graph.node.append(last)
    proto.graph.output[0].name = "codes"
    for options in ((), ("--top-k", "1")):
        late = on_the_host(proto, tmp_path, capfd, *options)
        assert {"curve", "scale"} & set(late) == set()
        assert all(why and not advice for why, advice in late.values()), late


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
