# SPDX-License-Identifier: Apache-2.0
"""Whatever a file or an option holds ends in time with exit code 0, verified, or with one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.corrupted_inputs.corpus import make_corpus
from benchmarks.corrupted_inputs.runner import judge, run
from benchmarks.corrupted_inputs.variants import Corpus, Variant
from tests.support.bad_models import base, put, values
from tests.support.build import qnnc, run_main
from tests.support.small import write_small

Capture = pytest.CaptureFixture[str]
VARIANTS = 200
PARTS = 8


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("corpus"), graphs=4, shared=False)


@pytest.mark.parametrize("part", range(PARTS))
def test_spoilt_inputs(part: int, corpus: Corpus, tmp_path: Path) -> None:
    faults = []
    for seed in range(part, VARIANTS, PARTS):
        result = run(seed, corpus, tmp_path)
        if result.fault:
            faults.append(f"{seed} ({result.kind}): {result.fault}: {result.errors}")
    assert faults == []


@pytest.mark.parametrize(
    ("code", "errors", "fault"),
    [
        (2, "qnnc: wrong\n", ""),
        (2, "qnnc: warning: far off\nqnnc: wrong\n", ""),
        (2, "qnnc: wrong\nqnnc: and more\n", "2 lines on standard error"),
        (2, "", "0 lines on standard error"),
        (2, "Traceback\n", "internal error"),
        (1, "qnnc: internal error: x\n", "internal error"),
        (1, "", "exit code 1"),
        (0, "RuntimeWarning: overflow\n", "text on standard error"),
        (-11, "", "signal 11"),
        (-24, "", "no end"),
    ],
)
def test_the_judge(code: int, errors: str, fault: str) -> None:
    assert judge(Variant("x", []), code, errors) == fault


CASES = {
    "folding 5 of 6": ("PE", 5),
    "folding 0": ("PE", 0),
    "folding beyond": ("SIMD", 1 << 40),
    "negative": ("SIMD", -1),
    "memory": ("ram_style", "ultra"),
    "size": ("MW", 7),
    "type": ("inputDataType", "UINT0"),
    "kind": ("PE", "many"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_saved_ir_with_an_impossible_node(name: str, tmp_path: Path, capfd: Capture) -> None:
    model, *_ = write_small(tmp_path)
    arguments = ("build", model, "--out", tmp_path / "out", "--until", "estimate")
    assert run_main(capfd, *arguments, "--save-ir", tmp_path / "ir")[0] == 0
    saved = next((tmp_path / "ir").glob("*-set-folding.onnx"))
    proto = onnx.load(saved)
    node = next(n for n in proto.graph.node if n.op_type == "MVAU")
    attribute, value = CASES[name]
    old = next(a for a in node.attribute if a.name == attribute)
    old.CopyFrom(onnx.helper.make_attribute(attribute, value))
    onnx.save(proto, tmp_path / "edited.onnx")
    code, _, errors = run_main(capfd, *arguments, "--start-from", tmp_path / "edited.onnx")
    assert code == 2 and errors.count("\n") == 1 and node.name in errors, errors
    if name.startswith(("folding", "memory")):
        assert "it can be " in errors and attribute in errors


@pytest.mark.parametrize("place", ["input", "output"])
def test_a_saved_ir_that_lacks_a_tensor(place: str, tmp_path: Path, capfd: Capture) -> None:
    model, *_ = write_small(tmp_path)
    arguments = ["build", model, "--out", tmp_path / "out", "--until", "passes"]
    assert run_main(capfd, *arguments, "--save-ir", tmp_path / "ir")[0] == 0
    proto = onnx.load(next((tmp_path / "ir").glob("*-tidy.onnx")))
    ends = getattr(proto.graph, place)
    ends[0].name = "nothing"
    onnx.save(proto, tmp_path / "edited.onnx")
    done = qnnc([*arguments, "--start-from", tmp_path / "edited.onnx"])
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr


def test_a_saved_ir_with_another_legal_folding(tmp_path: Path, capfd: Capture) -> None:
    model, *_ = write_small(tmp_path)
    arguments = ("build", model, "--out", tmp_path / "out", "--until", "estimate")
    assert run_main(capfd, *arguments, "--save-ir", tmp_path / "ir")[0] == 0
    saved = next((tmp_path / "ir").glob("*-set-folding.onnx"))
    proto = onnx.load(saved)
    for node in proto.graph.node:
        for attribute in node.attribute:
            if node.op_type == "MVAU" and attribute.name == "PE":
                attribute.i = 2
    onnx.save(proto, tmp_path / "edited.onnx")
    assert run_main(capfd, *arguments, "--start-from", tmp_path / "edited.onnx")[0] == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert {layer["PE"] for layer in report["layers"] if layer["op"] == "MVAU"} == {2}


@pytest.mark.parametrize(
    ("size", "warned"), [(1.0, False), (0.8, False), (4.0, False), (255.0, True), (1e-4, True)]
)
def test_samples_far_from_the_inputs_range(
    size: float, warned: bool, tmp_path: Path, capfd: Capture
) -> None:
    proto = base()
    onnx.save(proto, tmp_path / "model.onnx")
    quantizer = proto.graph.node[0]
    scale = next(t for t in proto.graph.initializer if t.name == quantizer.input[1])
    reach = size * float(onnx.numpy_helper.to_array(scale).max())
    x = np.random.default_rng(0).uniform(-reach, reach, (8, 6)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    arguments = ("build", tmp_path / "model.onnx", "--until", "passes", "--out", tmp_path / "out")
    code, _, errors = run_main(capfd, *arguments, "--samples", tmp_path / "x.npy")
    assert code == 0 and ("qnnc: warning: inputs up to" in errors) == warned, errors
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert bool(report["warnings"]) == warned


@pytest.mark.filterwarnings("error")
def test_weights_far_beyond_their_scale(tmp_path: Path, capfd: Capture) -> None:
    """They are clipped; float32 does not hold them in steps of their scale."""
    proto = base()
    put(proto, "w0_q_scale", 1e-20)
    put(proto, "w0", values(proto, "w0") * np.float32(1e30))
    onnx.save(proto, tmp_path / "model.onnx")
    arguments = ("build", tmp_path / "model.onnx", "--until", "estimate", "--out", tmp_path / "out")
    code, _, errors = run_main(capfd, *arguments)
    assert code == 0 and errors == ""


def test_a_budget_of_next_to_nothing(tmp_path: Path, capfd: Capture) -> None:
    model, *_ = write_small(tmp_path)
    arguments = ("build", model, "--until", "estimate", "--out", tmp_path / "out")
    code, _, errors = run_main(capfd, *arguments, "--budget", "1e-50")
    assert code == 2 and errors.count("\n") == 1 and "--budget" in errors


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_few_frames(frames: int, tmp_path: Path, capfd: Capture) -> None:
    """Fewer than one corner sample's share of them."""
    model, *_ = write_small(tmp_path)
    arguments = ("build", model, "--until", "passes", "--out", tmp_path / "out")
    code, _, errors = run_main(capfd, *arguments, "--frames", frames)
    assert code == 0 and errors == ""


def test_bytes_without_a_scale(tmp_path: Path, capfd: Capture) -> None:
    model = tmp_path / "model.onnx"
    onnx.save(base(), model)
    arguments = ("build", model, "--until", "passes", "--out", tmp_path / "out")
    code, _, errors = run_main(capfd, *arguments, "--input-type", "uint8")
    assert code == 0 and "--input-scale" in errors
    code, _, errors = run_main(capfd, *arguments, "--input-type", "uint8", "--input-scale", "1/255")
    assert code == 0 and errors == ""


@pytest.mark.parametrize("passes", ["tidy", "insert-fifos", "insert-fifos,...", "scaled-integer"])
def test_passes_that_leave_no_hardware(passes: str, tmp_path: Path, capfd: Capture) -> None:
    model, *_ = write_small(tmp_path)
    arguments = ("build", model, "--until", "estimate", "--out", tmp_path / "out")
    code, _, errors = run_main(capfd, *arguments, "--passes", passes)
    assert code == 2 and errors.count("\n") == 1 and "to-dataflow" in errors


def test_rtl_without_a_compiler(tmp_path: Path) -> None:
    model, *_ = write_small(tmp_path)
    empty = tmp_path / "bin"
    empty.mkdir()
    env = {"PATH": str(empty), "QNNC_CACHE": str(tmp_path / "cache")}
    out = tmp_path / "out"
    done = qnnc(["build", model, "--out", out, "--until", "rtl"], env=env)
    assert done.returncode == 0, done.stderr
    assert (out / "rtl" / "qnnc_accelerator.sv").is_file()
    report = json.loads((out / "report.json").read_text())
    skipped = {s["name"]: s["reason"] for s in report["stages"] if s["status"] == "skipped"}
    assert "g++" in skipped["emulate"]
    done = qnnc(["build", model, "--out", out, "--until", "emulate"], env=env)
    assert done.returncode == 2 and "g++" in done.stderr
