# SPDX-License-Identifier: Apache-2.0
"""A wrong pass, planted by a package of its own, is found and its harm cut out."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from benchmarks.networks import mlp
from tests.support.build import save_samples
from tests.support.small import SPEC
from tests.test_plugins import install, run

WRONG_PASS = '''
from dataclasses import dataclass
import numpy as np
import onnx_ir as ir
from qnnc.compiler.ir.edit import constant
from qnnc.compiler.passes.base import Pass

@dataclass
class Spoil(Pass):
    """Add one to a weight of a layer."""

    name = "spoil"
    layer: int = 1

    def run(self, model):
        layers = [n for n in model.graph if n.op_type in ("MatMul", "MVAU")]
        value = layers[self.layer].inputs[1]
        array = constant(value).copy()
        array.reshape(-1)[0] += 1
        value.const_value = ir.Tensor(array, name=value.name)
        return True
'''
ENTRY = "[qnnc.passes]\nspoil = wrong_qnnc.spoil:Spoil\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    install(tmp_path / "site", "wrong-qnnc", ENTRY, {"spoil.py": WRONG_PASS})
    return tmp_path / "site"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    onnx.save(mlp(SPEC), path)
    return path


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    x = np.random.default_rng(0).normal(size=(24, 12))
    return save_samples(tmp_path / "x.npy", x.astype(np.float32))


@pytest.mark.parametrize(
    ("pipeline", "layer"),
    [
        ("...,scaled-integer,spoil,...", 1),
        ("...,to-dataflow,spoil{layer=0},...", 0),
        ("...,spoil{layer=1}", 1),
    ],
    ids=["early", "middle", "last"],
)
def test_a_planted_wrong_pass_is_found(
    pipeline: str, layer: int, site: Path, model: Path, samples: Path, tmp_path: Path
) -> None:
    out = tmp_path / "bisect"
    code, output, errors = run(
        site, "bisect", model, "--samples", samples, "-p", pipeline, "--out", out
    )
    assert code == 1, errors
    found = re.search(r"wrong pass: (\S+) \(number \d+ of (\d+), (\d+) verif", output)
    assert found and found[1] == "spoil", output
    assert int(found[3]) <= math.ceil(math.log2(int(found[2])))
    names = [n.name or n.op_type for n in onnx.load(model).graph.node if n.op_type == "MatMul"]
    assert f"source layer: {names[layer]}" in output
    assert output.count("operand '") == 2

    # the region says the same in plain ONNX Runtime, and its first operands do too
    session = ort.InferenceSession(str(out / "region.onnx"), providers=["CPUExecutionProvider"])
    stored = np.load(out / "inputs.npz")
    feeds = {v.name: stored[str(i)] for i, v in enumerate(session.get_inputs())}
    (wrong,) = session.run(None, feeds)
    shown = re.search(r"element (\d+) is (\S+) and should be (\S+)\n", output)
    assert shown
    element = int(shown[1])
    assert wrong.reshape(-1)[element] == float(shown[2]) != float(shown[3])
    assert np.load(out / "expected.npy").reshape(-1)[element] == float(shown[3])
    rows = [line.split(": ", 1)[1] for line in output.splitlines() if line.startswith("operand")]
    x, w = (np.array(row.split(), float) for row in rows)
    assert x @ w == float(shown[2])


def test_bisecting_a_right_build_finds_nothing(
    site: Path, model: Path, samples: Path, tmp_path: Path
) -> None:
    code, output, _ = run(site, "bisect", model, "--samples", samples)
    assert code == 0 and output.startswith("no pass changes the result")


def test_a_build_refuses_what_bisect_finds(site: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "o"
    build = ("build", model, "--out", out, "--until", "passes", "-p", "...,to-dataflow,spoil,...")
    code, _, errors = run(site, *build)
    assert code == 2 and "after pass spoil" in errors
    assert json.loads((out / "report.json").read_text())["passes"][-1]["name"] == "spoil"
    code, output, _ = run(site, "bisect", out, "--out", tmp_path / "b")
    assert code == 1 and "first wrong pass: spoil" in output
