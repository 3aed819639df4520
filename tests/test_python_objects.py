# SPDX-License-Identifier: Apache-2.0
"""What Python programs and notebooks get: models as objects, reports that show themselves, errors
in one line."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir
import pytest

from benchmarks.networks import mlp
from qnnc.compiler import build, frontend
from qnnc.compiler.errors import OptionError, PluginError, QnncError
from qnnc.compiler.report import Report
from qnnc.frontends.brevitas import BrevitasFrontend
from tests.support.small import SPEC, SmallBuild

ESTIMATE: dict[str, Any] = {"until": "estimate", "verify": "none"}


@pytest.mark.parametrize("kind", ["path", "text", "onnx", "onnx_ir"])
def test_a_model_of_any_kind_is_the_same_model(kind: str, tmp_path: Path) -> None:
    proto = mlp(SPEC)
    file = tmp_path / "model.onnx"
    onnx.save(proto, file)
    given = {"path": file, "text": str(file), "onnx": proto, "onnx_ir": ir.from_proto(proto)}
    report = build(given[kind], out=tmp_path / "b", cache=tmp_path / "cache", **ESTIMATE)
    whole = build(file, out=tmp_path / "c", cache=tmp_path / "cache", **ESTIMATE)
    assert report.layers == whole.layers
    assert Path(report.model).is_file()  # for `qnnc simulate`
    assert (report.model == str(file)) == (kind in ("path", "text"))


class OneBroken:
    """A table of frontends of which the first cannot be imported."""

    def names(self) -> list[str]:
        return ["a-first", "brevitas"]

    def make(self, name: str, base: type[frontend.Frontend]) -> frontend.Frontend:
        if name == "a-first":
            raise PluginError("frontend 'a-first' is broken")
        return BrevitasFrontend()


def test_a_broken_frontend_harms_no_object_that_another_takes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(frontend, "TABLE", OneBroken())
    module = type("Module", (), {"__module__": "torch.nn"})()
    with pytest.raises(OptionError, match="a Module needs the shape of its input"):
        build(module, out=tmp_path / "a")
    with pytest.raises(PluginError, match="'a-first' is broken"):
        build({}, out=tmp_path / "b")


def test_a_report_shows_itself_in_a_notebook(small_build: SmallBuild) -> None:
    report = Report.model_validate_json(small_build.output)
    shown = report._repr_html_()
    assert shown is not None and shown.count("<iframe") == shown.count("srcdoc=") == 1
    assert f"<td>{report.layers[0].name}</td>" in shown
    outside = re.sub(r'srcdoc="[^"]*"', "", shown)
    assert "<script" not in outside and "frames per second" in outside
    inside = re.search(r'srcdoc="([^"]*)"', shown)
    assert inside is not None and html.unescape(inside[1]).startswith("<!DOCTYPE html>")
    bad = report.model_copy(update={"board": '"><script>alert(1)</script>'})
    assert "<script>alert" not in re.sub(r'srcdoc="[^"]*"', "", bad._repr_html_() or "")


def test_errors_are_one_line_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    error: Any = QnncError("node 'a' is\nwrong")
    assert error._render_traceback_() == ["QnncError: node 'a' is wrong"]
    monkeypatch.setenv("QNNC_DEBUG", "1")
    assert not hasattr(error, "_render_traceback_")
