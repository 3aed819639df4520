# SPDX-License-Identifier: Apache-2.0
"""Foldings by hand: what is asked for is there, in hardware too, and what cannot be is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import pytest
from hypothesis import example as for_example
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.cnn_networks import cnn_1d
from benchmarks.networks import MlpSpec, mlp
from qnnc.backends.finn.export import export_finn
from qnnc.compiler import build
from qnnc.compiler.errors import OptionError, TargetError
from qnnc.compiler.folding.settings import parse_setting, read_settings, settings_text
from qnnc.compiler.report import Layer, Report
from tests.support.build import run_main

Capture = pytest.CaptureFixture[str]
SPEC = MlpSpec((16, 8, 4), 2, 2, "relu", 2, seed=1)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    onnx.save(mlp(SPEC), path)
    return path


@pytest.fixture(scope="module")
def first(model: Path) -> str:
    """Name of the first product in the user's model."""
    return next(n.name for n in onnx.load(model).graph.node if n.op_type == "MatMul")


def made(model: Path, out: Path, **options: Any) -> Report:
    return build(model, out=out, **{"until": "estimate", "verify": "none", **options})


def layer(report: Report, name: str) -> Layer:
    return next(found for found in report.layers if found.name == name)


def timeless(folder: Path) -> str:
    """report.json without times."""
    text = (folder / "report.json").read_text()
    return re.sub(r'"seconds": [0-9.e-]+', '"seconds": 0', text)


def test_a_layer_is_folded_as_asked_and_the_rest_is_solved(
    model: Path, first: str, tmp_path: Path
) -> None:
    free = made(model, tmp_path / "free", fps=1e6)
    mine = made(model, tmp_path / "mine", fps=1e6, settings=(f"{first}:PE=4,SIMD=2",))
    asked = layer(mine, "mvau_0")
    assert (
        (asked.PE, asked.SIMD) == (4, 2) != (layer(free, "mvau_0").PE, layer(free, "mvau_0").SIMD)
    )
    assert asked.cycles == 16 // 2 * 8 // 4
    assert mine.performance is not None and mine.performance.fps >= 1e6


def test_the_more_particular_name_holds_and_options_outdo_the_file(
    model: Path, first: str, tmp_path: Path
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        f"MVAU: {{PE: 1, SIMD: 1}}\n'{first}':\n  PE: 2\nmvau_0: {{ram_style: block}}\n"
    )
    found = made(model, tmp_path / "a", folding=file, settings=("mvau_1:PE=4",))
    assert (layer(found, "mvau_0").PE, layer(found, "mvau_0").SIMD) == (2, 1)
    assert layer(found, "mvau_0").ram_style == "block"
    assert (layer(found, "mvau_1").PE, layer(found, "mvau_1").SIMD) == (4, 1)


def test_a_layers_operator_can_be_named(model: Path, first: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({first: {"SIMD": 4, "Thresholding": {"PE": 8}}}))
    found = made(model, tmp_path / "a", folding=file, fps=1e5)
    assert (layer(found, "mvau_0").SIMD, layer(found, "thresholding_0").PE) == (4, 8)


@pytest.mark.parametrize("options", [{"fps": 3e5}, {"budget": 0.05}], ids=["fps", "fastest"])
def test_the_folding_of_a_build_gives_the_same_build(
    model: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    out, kept = tmp_path / "out", tmp_path / "kept.yaml"
    made(model, out, verify="each", **options)
    before = timeless(out)
    kept.write_bytes((out / "folding.yaml").read_bytes())
    made(model, out, verify="each", folding=kept, **options)
    assert timeless(out) == before
    assert (out / "folding.yaml").read_bytes() == kept.read_bytes()


def test_a_small_cnn_folded_by_hand_in_rtl(tmp_path: Path, cache: Path) -> None:
    file, model = tmp_path / "mine.yaml", tmp_path / "cnn.onnx"
    onnx.save(cnn_1d(3, steps=24, channels=(3, 4)), model)
    wanted = {"mvau_0": (3, 2), "mvau_1": (2, 5)}
    file.write_text("".join(f"{n}: {{PE: {p}, SIMD: {s}}}\n" for n, (p, s) in wanted.items()))
    report = made(
        model, tmp_path / "out", folding=file, until="simulate", frames=2, cache=cache, fps=1e4
    )
    for name, folding in wanted.items():
        assert folding == (layer(report, name).PE, layer(report, name).SIMD)
    level = report.verification.levels[-1]
    assert (level.level, level.mismatches) == ("rtl", 0)


def test_finns_configuration_is_read(model: Path, tmp_path: Path) -> None:
    first = made(model, tmp_path / "out", fps=1e6, settings=("mvau_0:PE=4,SIMD=2",))
    config = export_finn(tmp_path / "out") / "folding_config.json"
    loaded = json.loads(config.read_text())
    products = [key for key in loaded if key.startswith("MVAU")]
    assert len(products) == 2 and {"PE": 4, "SIMD": 2}.items() <= loaded[products[0]].items()
    # one in RTL and one in HLS, which FINN numbers apart
    names = {products[0]: "MVAU_rtl_0", products[1]: "MVAU_hls_0"}
    loaded = {names.get(key, key): value for key, value in loaded.items()}
    loaded["MVAU_rtl_0"] |= {"inFIFODepths": [2], "mem_mode": "internal_decoupled"}
    loaded["StreamingFIFO_rtl_0"] = {"depth": 32, "impl_style": "rtl"}
    loaded["Defaults"] = {"ram_style": ["auto", ["all"]]}
    changed = tmp_path / "folding_config.json"
    changed.write_text(json.dumps(loaded))
    again = made(model, tmp_path / "again", fps=1, folding=changed)
    assert [(one.PE, one.SIMD) for one in again.layers if one.op != "StreamingFIFO"] == [
        (one.PE, one.SIMD) for one in first.layers if one.op != "StreamingFIFO"
    ]
    told = [r.text for run in again.passes if run.name == "set-folding" for r in run.reasons]
    assert any("inFIFODepths, mem_mode" in text and "StreamingFIFO" in text for text in told)


ILLEGAL: Mapping[str, tuple[Sequence[str], str]] = {
    "pe": (["LAYER:PE=3"], r"PE of node 'mvau_0' \(MVAU\) cannot be 3; it can be 1, 2, 4, 8$"),
    "simd": (["LAYER:SIMD=0"], r"cannot be 0; it can be 1, 2, 4, 8, 16$"),
    "word": (["LAYER:PE=four"], r"it can be 1, 2, 4, 8$"),
    "huge": (["LAYER:PE=99999999999999999999"], r"it can be 1, 2, 4, 8$"),
    "negative": (["LAYER:PE=-1"], r"it can be 1, 2, 4, 8$"),
    "style": (["LAYER:ram_style=ultra"], r"cannot be ultra; it can be block, distributed$"),
    "together": (
        ["LAYER:PE=8,SIMD=16,ram_style=block"],
        r"with PE=8 and SIMD=16, ram_style of node 'mvau_0' .* it can be distributed$",
    ),
    "attribute": (
        ["LAYER:PEE=4"],
        r"has no 'PEE'; did you mean PE( or reuse)?\? \(it has PE, SIMD, ",
    ),
    "layer": (["/nowhere:PE=1"], r"--set names '/nowhere', which is neither a layer nor a node"),
    "labels": (["label_select_0:SIMD=1"], r"\(LabelSelect\) has no 'SIMD' \(it has PE\)$"),
    "form": (["PE=4"], r"--set is LAYER:PE=4,SIMD=8, not 'PE=4'$"),
    "twice": (["LAYER:PE=4,PE=2"], r"says 'PE' twice$"),
    "two minds": (["LAYER:PE=4", "LAYER:PE=2"], r"asks for PE=2, and .* for PE=4$"),
}


@pytest.mark.parametrize("name", ILLEGAL)
def test_what_cannot_be_is_refused_with_what_can(
    capfd: Capture, model: Path, first: str, tmp_path: Path, name: str
) -> None:
    asked, pattern = ILLEGAL[name]
    options = [w for text in asked for w in ("--set", text.replace("LAYER", first))]
    command = ["build", model, "--out", tmp_path / "b", "--until", "estimate", "--top-k", "1"]
    code, _, errors = run_main(capfd, *command, "--verify", "none", *options)
    assert code == 2
    assert errors.count("\n") == 1, errors
    assert re.search(pattern, errors.strip()), errors


FILES = {
    "not text": (b"\xff\xfe\x00", "not text in UTF-8"),
    "a list": (b"- 1\n- 2\n", "it has to be lines such as LAYER: {PE: 4, SIMD: 8}"),
    "a number": (b"mvau_0: 4\n", "'mvau_0' is not of the form LAYER: {PE: 4, SIMD: 8}"),
    "twice": (b"mvau_0: {PE: 1}\nmvau_0: {PE: 2}\n", "names 'mvau_0' twice"),
    "twice in JSON": (b'{"a": {"PE": 1, "PE": 2}}', "names 'PE' twice"),
    "broken": (b"mvau_0: {PE: 1\n", "is not YAML"),
    "broken JSON": (b'{"mvau_0": ', "neither YAML nor JSON"),
    "a float": (b"mvau_0: {PE: 1.5}\n", "values are whole numbers and words"),
    "yes": (b"mvau_0: {PE: yes}\n", "values are whole numbers and words"),
    "an object": (b"mvau_0: !!python/object:os.system {PE: 1}\n", "is not YAML"),
    "deep": (b"{" * 4000, "JSON"),
    "deep YAML": (b"a: " + b"[" * 4000, "is not YAML"),
    "levels": (b"a: {MVAU: {PE: {SIMD: 1}}}\n", "too many levels"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_no_foldings_are_refused(tmp_path: Path, name: str) -> None:
    data, text = FILES[name]
    path = tmp_path / "mine.yaml"
    path.write_bytes(data)
    with pytest.raises(OptionError, match=re.escape(text)):
        read_settings(path)


def test_a_file_that_is_not_there(model: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"cannot read --folding .*none\.yaml: No such file"):
        made(model, tmp_path / "out", folding=tmp_path / "none.yaml")


def test_a_hand_that_is_too_slow_is_named(model: Path, first: str, tmp_path: Path) -> None:
    with pytest.raises(
        TargetError, match=rf"'{first}' \(MVAU\) with PE=1, SIMD=1 takes at least 128"
    ):
        made(model, tmp_path / "out", fps=2e6, settings=(f"{first}:PE=1,SIMD=1",))


def test_a_saved_ir_is_checked_when_it_is_read(capfd: Capture, model: Path, tmp_path: Path) -> None:
    made(model, tmp_path / "a", save_ir=tmp_path / "ir")
    saved = next((tmp_path / "ir").glob("*-set-folding.onnx"))
    proto = onnx.load(saved)
    unit = next(n for n in proto.graph.node if n.op_type == "MVAU")
    next(a for a in unit.attribute if a.name == "PE").i = 3
    onnx.save(proto, saved)
    command = ["build", model, "--out", tmp_path / "b", "--until", "estimate"]
    code, _, errors = run_main(capfd, *command, "--start-from", saved)
    assert code == 2 and errors.count("\n") == 1
    assert "MVAU node 'mvau_0': PE cannot be 3; it can be 1, 2, 4, 8" in errors


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
VALUES = st.integers(-(1 << 40), 1 << 40) | st.sampled_from(["block", "yes", "0x1", "null", "a: b"])


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, min_size=1, max_size=3), max_size=4))
@for_example({"on": {"PE": 4}, "1": {"no": "off"}, "a:b,c=d": {"#": 1}, "\u2028\x85\x00": {"é": 2}})
def test_names_of_any_kind_are_written_and_read(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, dict[str, Any]]
) -> None:
    content.pop("Defaults", None)
    path = tmp_path_factory.getbasetemp() / "names.yaml"
    path.write_text(settings_text((n, v, [n]) for n, v in content.items()), encoding="utf-8")
    assert {s.name: s.values for s in read_settings(path)} == content


def test_names_with_colons_can_be_set() -> None:
    found = parse_setting("a:b:PE=4, SIMD=8")
    assert (found.name, found.values) == ("a:b", {"PE": 4, "SIMD": 8})
