# SPDX-License-Identifier: Apache-2.0
"""Watching, stopping, resuming passes; pipelines as text; the IR as a file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.networks import mlp
from qnnc.compiler import build as build_model
from qnnc.compiler.errors import ModelError, OptionError
from qnnc.compiler.ir.facts import integer, is_derived, part, sources
from qnnc.compiler.ir.saved import load_ir, save_ir
from qnnc.compiler.ir.text import model_text
from qnnc.compiler.passes.absorb_tails import AbsorbTails
from qnnc.compiler.passes.text import parse_pipeline, pipeline_text
from qnnc.compiler.passes.tidy import Tidy
from tests.support.build import run_main
from tests.support.small import SPEC

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    onnx.save(mlp(SPEC), path)
    return path


# --- pipelines as text ----------------------------------------------------------------------


def test_a_pipeline_reads_back_as_it_was_written() -> None:
    text = "tidy,absorb-tails{max-elements=1024 max-thresholds=255},host-boundary{host-layers=true}"
    passes = parse_pipeline(text, [])
    assert [step.name for step in passes] == ["tidy", "absorb-tails", "host-boundary"]
    assert passes[1] == AbsorbTails(1024, 255)
    assert pipeline_text(passes) == text
    commas = text.replace(" ", " , ").replace(",host", " , host")
    assert parse_pipeline(commas, []) == passes


def test_dots_stand_for_the_standard_passes() -> None:
    standard = [Tidy(), AbsorbTails(7), Tidy()]
    assert parse_pipeline("...", standard) == standard
    names = [p.name for p in parse_pipeline("...,absorb-tails,infer-shapes,...", standard)]
    assert names == ["tidy", "absorb-tails", "infer-shapes", "tidy"]
    # a pass that is named keeps the options it has in the standard pipeline
    assert parse_pipeline("tidy,absorb-tails", standard)[1] == AbsorbTails(7)
    assert parse_pipeline("absorb-tails{max-thresholds=3}", standard) == [AbsorbTails(7, 3)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("tidi", ("unknown pass 'tidi'", "did you mean tidy")),
        ("tidy{x=1}", ("'tidy'", "no option 'x'", "it has none")),
        ("absorb-tails{max-element=1}", ("did you mean max-elements",)),
        ("absorb-tails{max-elements=many}", ("'max-elements'", "a whole number", "'many'")),
        ("host-boundary{host-layers=maybe}", ("true or false", "'maybe'")),
        ("tidy,,tidy", ("the name of a pass is missing before ',tidy'",)),
        ("tidy{a=1", ("'}' is missing",)),
        ("tidy tidy", ("',' is missing",)),
        ("", ("the name of a pass",)),
    ],
)
def test_a_wrong_pipeline_says_where(text: str, names: tuple[str, ...]) -> None:
    with pytest.raises(OptionError) as caught:
        parse_pipeline(text, [])
    assert all(name in str(caught.value) for name in names), caught.value


def test_passes_are_listed_with_docs_and_options(capfd: Capture) -> None:
    code, output, _ = run_main(capfd, "passes", "--json")
    listed = {entry["name"]: entry for entry in json.loads(output)}
    assert code == 0 and {"tidy", "scaled-integer", "set-folding"} <= set(listed)
    assert all(entry["doc"] for entry in listed.values())
    fps = listed["set-folding"]["options"][0]
    assert fps == {"name": "fps", "type": "float", "default": 0}
    code, output, _ = run_main(capfd, "passes")
    assert code == 0 and "standard pipeline: tidy,fold-constants," in output
    code, output, _ = run_main(capfd, "passes", "absorb-tails")
    assert code == 0 and "max-elements: int = 16777216" in output
    code, _, errors = run_main(capfd, "passes", "absorb-tail")
    assert code == 2 and "did you mean absorb-tails" in errors


# --- the IR as a file -----------------------------------------------------------------------


def same_facts(a: object, b: object) -> bool:
    if a is None or b is None:
        return a is b
    return all(
        np.array_equal(x, y) and getattr(x, "dtype", None) == getattr(y, "dtype", None)
        for x, y in zip(vars(a).values(), vars(b).values(), strict=True)
    )


def test_a_saved_ir_has_every_fact(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ir"
    build_model(model, out=tmp_path / "o", until="passes", save_ir=folder, top_k=1)
    files = sorted(folder.iterdir())
    assert files[0].name == "00-import.onnx" and files[1].name == "01-check-model.onnx"
    assert [int(f.name[:2]) for f in files] == list(range(len(files)))
    facts = 0
    for file in files:
        once, done = load_ir(file)
        save_ir(once, tmp_path / "again.onnx", done)
        again, done_again = load_ir(tmp_path / "again.onnx")
        assert done == done_again and len(done) == int(file.name[:2])
        assert model_text(once) == model_text(again)
        for mine, theirs in zip(once.graph, again.graph, strict=True):
            assert sources(mine) == sources(theirs) and part(mine) == part(theirs)
            for v, w in zip(mine.outputs, theirs.outputs, strict=True):
                assert is_derived(v) == is_derived(w)
                assert same_facts(integer(v), integer(w))
                facts += integer(v) is not None
    assert facts > 50
    names = {node.op_type for node in load_ir(files[-1])[0].graph}
    assert {"MVAU", "Thresholding"} <= names


def test_what_is_no_saved_ir_is_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not an IR that"):
        load_ir(model)
    build_model(model, out=tmp_path / "o", save_ir=tmp_path / "ir", stop_after="tidy")
    good = tmp_path / "ir" / "05-infer-shapes.onnx"
    proto = onnx.load(good)
    for prop in proto.metadata_props:
        if prop.key == "qnnc.values":
            prop.value = '{"x": {"integer": {"low": 3, "hugh": 4}}}'
    onnx.save(proto, tmp_path / "bad.onnx")
    with pytest.raises(ModelError, match="damaged"):
        load_ir(tmp_path / "bad.onnx")


# --- stopping and going on ------------------------------------------------------------------


def content(path: Path) -> list[bytes]:
    """Nodes and constants, bit by bit; nodes in their order."""
    graph = onnx.load(path).graph
    return [n.SerializeToString() for n in graph.node] + sorted(
        t.SerializeToString() for t in graph.initializer
    )


def test_a_build_goes_on_from_any_pass(model: Path, tmp_path: Path) -> None:
    whole = build_model(model, out=tmp_path / "a", until="passes", save_ir=tmp_path / "ir")
    dataflow = content(tmp_path / "a" / "model" / "dataflow.onnx")
    for file in sorted((tmp_path / "ir").iterdir())[5::7]:
        report = build_model(model, out=tmp_path / "b", until="passes", start_from=file)
        assert report.status == "ok" and report.verification.mismatches == 0
        assert len(report.passes) < len(whole.passes) or file.name.startswith("05")
        assert content(tmp_path / "b" / "model" / "dataflow.onnx") == dataflow
    with pytest.raises(OptionError, match="not how this build's passes begin"):
        build_model(model, out=tmp_path / "b", start_from=file, passes="...,absorb-tails")
    first = tmp_path / "ir" / "01-check-model.onnx"
    with pytest.raises(OptionError, match="start from the model"):
        build_model(model, out=tmp_path / "b", start_from=first)


def test_a_build_stops_behind_a_pass(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "o"
    report = build_model(model, out=out, stop_after="scaled-integer")
    assert report.passes[-1].name == "scaled-integer" and report.layers == []
    assert [stage.name for stage in report.stages] == ["passes"]
    assert "scaled-integer" in report.stages[0].reason
    stopped, done = load_ir(out / "model" / "stopped.onnx")
    assert done[-1] == "scaled-integer"
    assert "Dequantize" in {node.op_type for node in stopped.graph}
    go_on = build_model(
        model, out=tmp_path / "p", start_from=out / "model" / "stopped.onnx", until="passes"
    )
    assert go_on.verification.mismatches == 0
    with pytest.raises(OptionError, match="did you mean scaled-integer"):
        build_model(model, out=out, stop_after="scaled-integers")
    with pytest.raises(OptionError, match="'check-model' is not in the pipeline"):
        build_model(model, out=out, stop_after="check-model")


def test_printing_and_timing_passes(model: Path, tmp_path: Path, capfd: Capture) -> None:
    build = ("build", model, "--out", tmp_path / "o", "--until", "passes")
    code, output, errors = run_main(capfd, *build, "--print-after", "changed", "--time-passes")
    assert code == 0
    report = json.loads((tmp_path / "o" / "report.json").read_text())
    printed = [line.split(", ")[1] for line in output.splitlines() if line.startswith("// after")]
    assert printed == [run["name"] for run in report["passes"] if run["changed"]]
    assert "@accelerator" in output and "UINT2" in output
    timed = [line.split()[0] for line in errors.splitlines() if line.rstrip()]
    assert timed[:-1] == [run["name"] for run in report["passes"]]
    code, output, errors = run_main(capfd, *build, "--print-after", "tidy", "--json")
    assert code == 0 and json.loads(output) and errors.count("// after") == 1
    code, _, errors = run_main(capfd, *build, "--print-after", "tidyy")
    assert code == 2 and "did you mean tidy" in errors


# --- opt ------------------------------------------------------------------------------------


def test_opt_writes_an_ir_that_opt_reads(model: Path, tmp_path: Path, capfd: Capture) -> None:
    half, whole, plain = (tmp_path / n for n in ("half.onnx", "whole.onnx", "plain.onnx"))
    first = "tidy,fold-constants,infer-shapes,expand-quantizers,fold-constants"
    code, _, errors = run_main(capfd, "opt", model, "-p", first, "-o", half)
    assert code == 0, errors
    rest = "scaled-integer,absorb-tails,host-boundary,to-dataflow"
    code, _, errors = run_main(capfd, "opt", half, "-p", rest, "-o", whole)
    assert code == 0, errors
    found = [n.op_type for n in load_ir(whole)[0].graph]
    assert found.count("MVAU") == 2
    code, output, _ = run_main(capfd, "opt", model, "-p", f"{first},{rest}")
    assert code == 0 and output.count("MVAU(") == 2
    code, _, _ = run_main(capfd, "opt", model, "-p", "...", "--plain", "-o", plain)
    assert code == 0 and {n.domain for n in onnx.load(plain).graph.node} == {""}
    code, _, errors = run_main(capfd, "opt", model, "-p", "tidy,absorb-tales", "-o", half)
    assert code == 2 and "did you mean absorb-tails" in errors and errors.count("\n") == 1


def test_what_a_pass_did_is_shown(model: Path, tmp_path: Path, capfd: Capture) -> None:
    command = ("build", model, "--out", tmp_path / "o", "--until", "passes", "--verify", "none")
    assert run_main(capfd, *command, "--save-ir", tmp_path / "ir")[0] == 0
    folded = next((tmp_path / "ir").glob("*-set-folding.onnx"))
    before = sorted((tmp_path / "ir").iterdir())[int(folded.name[:2]) - 1]
    code, output, _ = run_main(capfd, "diff", before, folded)
    assert code == 1 and output.startswith("--- ")
    assert any(line.startswith("+") and "SIMD=" in line for line in output.splitlines())
    assert run_main(capfd, "diff", folded, folded)[:2] == (0, "")
    proto = onnx.load(folded)
    weights = next(t for t in proto.graph.initializer if t.dims == [12, 6])
    array = onnx.numpy_helper.to_array(weights).copy()
    array[0, :2] += 1
    weights.CopyFrom(onnx.numpy_helper.from_array(array, weights.name))
    onnx.save(proto, tmp_path / "other.onnx")
    code, output, _ = run_main(capfd, "diff", folded, tmp_path / "other.onnx")
    assert code == 1 and output == f"constant {weights.name}: 2 of 72 elements differ\n"
