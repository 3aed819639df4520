# SPDX-License-Identifier: Apache-2.0
"""report.html in a real browser: what it shows, what a click does, and that names do no harm."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import onnx
import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from benchmarks.cnn_networks import unet
from benchmarks.networks import mlp
from qnnc.compiler import verify
from qnnc.compiler.page import page
from qnnc.compiler.report import QuantizationReport, QuantizedLayer, Report
from tests.support.browser import Browser
from tests.support.build import run_main
from tests.support.small import SPEC, SmallBuild

Capture = pytest.CaptureFixture[str]
HARM = [
    "</script><script>window.harm = 1</script>",
    '"><img src="http://example.invalid/x" onerror="window.harm = 2">',
    "<svg/onload=window.harm=3>",
    "'+(window.harm=4)+'",
    "{{ 7 * 7 }}{% raw %}",
    "<!--",
    "</style><style>body{display:none}</style>",
    "javascript:window.harm=5",
    "\u202eabc\x1b[31m\x00",
    "]]></title></svg>",
    "x" * 3000,
]


def show(browser: Browser, file: Path, **options: Any) -> None:
    """Open a page, which has to be silent and ask for nothing else."""
    browser.complaints.clear()
    browser.requests.clear()
    browser.open(file.as_uri(), **options)
    assert browser.complaints == []
    assert browser.requests == [file.as_uri()]


def count(browser: Browser, selector: str) -> int:
    found: int = browser.evaluate(f"document.querySelectorAll({json.dumps(selector)}).length")
    return found


def text(browser: Browser, selector: str) -> str:
    found: str = browser.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")
    return found


def test_graph_and_bars_are_there(browser: Browser, small_build: SmallBuild) -> None:
    report = Report.model_validate_json(small_build.output)
    assert report.artifacts.page == "report.html"
    show(browser, small_build.out / "report.html")
    layers = len(report.layers)
    assert count(browser, "g.box") == layers + len(report.streams)
    assert count(browser, ".head") == len(report.connections)
    assert count(browser, "#time .fill") == layers
    assert count(browser, "#resources .estimated .fill, #resources .synthesised .fill") == 8
    assert count(browser, "#stages .timeline:not(.passes) > li") == len(report.stages)
    assert count(browser, "#stages .passes > li") == len(report.passes)
    assert count(browser, "#verification > .wide tbody th") == len(report.verification.levels)
    covered = [layer for layer in report.layers if layer.coverage is not None]
    assert count(browser, "#verification details tbody th") == len(covered)
    assert count(browser, "#provenance tbody tr") == len(report.provenance)
    slowest = max(layer.cycles for layer in report.layers)
    assert report.layers[-1].cycles < slowest  # or the order below would tell nothing
    first = text(browser, "#time li")
    assert first.split("\n")[0] in {x.instance for x in report.layers if x.cycles == slowest}
    assert count(browser, "g.box.marked") == 1
    widths = browser.evaluate(
        "[...document.querySelectorAll('#time .bars:first-of-type .fill')]"
        ".map(e => e.getBoundingClientRect().width)"
    )
    assert widths == sorted(widths, reverse=True) and widths[0] > 3 * min(widths) > 0
    for path in browser.evaluate(
        "[...document.querySelectorAll('#files a')].map(a => a.getAttribute('href'))"
    ):
        assert (small_build.out / path).exists()


def test_a_click_shows_a_nodes_details(browser: Browser, small_build: SmallBuild) -> None:
    report = Report.model_validate_json(small_build.output)
    show(browser, small_build.out / "report.html")
    for index, layer in enumerate(report.layers):
        browser.click(f'g.box[data-key="layer-{index}"]')
        shown = text(browser, "#panel")
        assert shown.startswith(layer.instance), shown
        assert layer.op in shown and layer.output_type in shown
        assert f"{layer.cycles:,}, " in shown and layer.synthesis is not None
        assert f"{layer.resources.FF:,} estimated, {layer.synthesis.FF:,} synthesised" in shown
        assert all(name in shown for name in layer.source_nodes)
        assert count(browser, "g.box.chosen") == 1
    browser.click("#layers tbody tr:first-child .link")
    assert text(browser, "#panel").startswith(report.layers[0].instance)
    assert browser.complaints == []


def test_accuracy_and_charts_are_there(browser: Browser, small_build: SmallBuild) -> None:
    report = Report.model_validate_json(small_build.output)
    labelled, found = (
        report.accuracy,
        verify(small_build.out, small_build.samples, small_build.labels),
    )
    assert labelled is not None and labelled.samples == found.samples == 40
    assert (labelled.correct, labelled.same) == (found.correct, found.same)
    labels = np.load(small_build.labels)
    rows = [sum(row) for row in labelled.confusion]
    assert rows == np.bincount(labels, minlength=len(rows)).tolist()
    assert sum(labelled.confusion[i][i] for i in range(len(rows))) == labelled.correct
    show(browser, small_build.out / "report.html")
    share = f"{100 * labelled.correct / 40:.2f} %"
    assert text(browser, ".figures > div").split("\n")[:2] == ["accuracy", share]
    assert count(browser, ".confusion tbody tr") == len(rows)
    assert count(browser, "#shares .parts li:not(.heads)") == len(report.layers)
    assert count(browser, "#work .frame") == 3 * len(report.layers)
    for layer in report.layers:
        if layer.op == "MVAU":
            weights = layer.weight_values
            assert weights is not None and 2 * sum(weights.counts) == layer.operations
        if layer.op == "Thresholding":
            codes = layer.output_values
            assert codes is not None and sum(codes.counts) == 16 * layer.shape[-1]
            assert (codes.low, codes.high) == (0, 3)
    shown = [layer for layer in report.layers if layer.weight_values or layer.output_values]
    assert count(browser, "#values figure") == len(shown)
    speed = report.performance
    assert speed is not None and speed.latency_cycles is not None
    assert speed.latency_cycles_estimate == pytest.approx(speed.latency_cycles, rel=0.1)


def test_what_is_clipped_is_what_qonnx_finds(small_build: SmallBuild) -> None:
    """Before each quantizer inside the network, QONNX's own executor gives the values."""
    report = Report.model_validate_json(small_build.output)
    wrapper = ModelWrapper(str(small_build.model)).transform(InferShapes())
    quantizers = {n.name: n for n in wrapper.graph.node if n.op_type == "Quant"}
    found = 0
    for layer in report.layers:
        if layer.output_values is None:
            continue
        node = next(quantizers[name] for name in layer.source_nodes if name in quantizers)
        scale, zero, bits = (float(wrapper.get_initializer(name)) for name in node.input[1:])
        assert zero == 0 and layer.output_values.high == 2**bits - 1
        values = []
        with patch("onnx.IR_VERSION", wrapper.model.ir_version):
            for row in np.load(small_build.samples)[:16]:
                context = execute_onnx(wrapper, {"x": row[None]}, return_full_exec_context=True)
                values.append(context[node.input[0]] / scale)
        share = np.mean(np.asarray(values) > layer.output_values.high + 0.5)
        assert layer.output_values.clipped == pytest.approx(share, abs=1e-6)
        found += 1
    assert found


def test_the_build_is_held_against_the_board(browser: Browser, small_build: SmallBuild) -> None:
    report = Report.model_validate_json(small_build.output)
    assert report.performance is not None
    show(browser, small_build.out / "report.html")
    operations = sum(layer.operations for layer in report.layers)
    moved = sum(s.words_per_frame * -(-s.tdata_bits // 8) for s in report.streams)
    said = text(browser, "#roofline")
    assert f"{operations:,} operations per frame" in said and f" {moved:,} bytes per frame" in said
    attained = operations * report.performance.fps / 1e9
    assert f"{attained:.3g} GOPS attained, measured" in said
    paths = "[...document.querySelectorAll('#roofline .front')]"
    board, built = browser.evaluate(f"{paths}.map(path => path.getBBox().y)")
    dot = browser.evaluate("Number(document.querySelector('#roofline circle').getAttribute('cy'))")
    assert board <= built < dot  # upwards is faster: nothing is above what there is


def test_errors_of_quantization_are_shown(
    browser: Browser, small_build: SmallBuild, tmp_path: Path
) -> None:
    report = Report.model_validate_json(small_build.output)
    errors = [("conv", 0.25, 0.5), (HARM[0], None, 0.125)]
    layers = [
        QuantizedLayer(node=name, op="Conv", weight_error=weights, output_error=output)
        for name, weights, output in errors
    ]
    report.quantization = QuantizationReport(
        onnxruntime="1",
        method="minmax",
        calibration_samples=1,
        weight_bits=8,
        layers=layers,
        output_error=0.1,
        samples=9,
        same=9,
        float_correct=8,
        quantized_correct=7,
    )
    (tmp_path / "page.html").write_text(page(report), encoding="utf-8")
    show(browser, tmp_path / "page.html")
    assert "Correct: 8 of 9 in float, 7 quantized." in text(browser, "#losses")
    rows = browser.evaluate("[...document.querySelectorAll('#losses li')].map(l => l.innerText)")
    assert [row.split() for row in rows[1:]] == [
        ["conv", "50.0", "%", "25.0", "%"],
        [*HARM[0].split(), "12.5", "%"],
    ]
    widths = "[...document.querySelectorAll('#losses .fill')].map(f => f.style.width)"
    assert browser.evaluate(widths) == ["100%", "100%", "25%", "0%"]


def test_the_keyboard_does_the_same(browser: Browser, small_build: SmallBuild) -> None:
    report = Report.model_validate_json(small_build.output)
    show(browser, small_build.out / "report.html")
    browser.evaluate("document.querySelector('#find').focus()")
    browser.press("Tab")
    assert browser.evaluate("document.activeElement.matches('g.box')")
    for _ in report.connections:
        browser.press("ArrowUp")
    assert text(browser, "#panel").startswith("s_axis")
    for layer in report.layers:  # a chain
        browser.press("ArrowDown")
        assert text(browser, "#panel").startswith(layer.instance)
        assert browser.evaluate("document.activeElement.classList.contains('chosen')")
    browser.evaluate("document.querySelector('#find').focus()")
    browser.send("Input.insertText", text="label_select")
    assert count(browser, "g.box:not(.dim)") == 1
    browser.press("Enter")
    assert text(browser, "#panel").startswith("label_select_0")
    assert browser.complaints == []


def test_phone_dark_and_print(browser: Browser, small_build: SmallBuild) -> None:
    file = small_build.out / "report.html"
    paper = []
    for dark in (False, True):
        show(browser, file, dark=dark)
        paper.append(browser.evaluate("getComputedStyle(document.body).backgroundColor"))
        paper.append(browser.evaluate("getComputedStyle(document.body).color"))
    assert len(set(paper)) == 4
    show(browser, file, width=360, height=740, phone=True)
    assert browser.evaluate("document.documentElement.scrollWidth") == 360
    assert not browser.evaluate("document.querySelector('#panel').checkVisibility()")
    browser.click("g.box.product")
    assert browser.evaluate("document.querySelector('#panel').checkVisibility()")
    browser.click("#panel .close")
    assert not browser.evaluate("document.querySelector('#panel').checkVisibility()")
    show(browser, file)
    browser.evaluate("window.opened = 0")
    browser.evaluate(
        "addEventListener('beforeprint', () => {"
        "window.opened = document.querySelectorAll('#provenance details[open]').length })"
    )
    printed = browser.pdf()
    assert printed.startswith(b"%PDF") and browser.evaluate("window.opened") == 1
    assert count(browser, "#provenance details[open]") == 0
    browser.send("Emulation.setEmulatedMedia", media="print")
    assert not browser.evaluate("document.querySelector('#panel').checkVisibility()")
    assert browser.evaluate("document.querySelector('g.box').checkVisibility()")
    browser.send("Emulation.setEmulatedMedia", media="")


def test_branches(browser: Browser, tmp_path: Path, capfd: Capture) -> None:
    onnx.save(unet(2, image=4, channels=(2, 4)), tmp_path / "unet.onnx")
    out = tmp_path / "o"
    build = ("build", tmp_path / "unet.onnx", "--out", out, "--until", "estimate")
    code, output, errors = run_main(capfd, *build, "--verify", "none", "--json")
    assert code == 0, errors
    report = Report.model_validate_json(output)
    reached = {link.target for link in report.connections} - {None}
    assert reached == set(range(len(report.layers)))
    assert any(
        sum(link.source == i for link in report.connections) == 2 for i in range(len(report.layers))
    )
    show(browser, out / "report.html")
    assert count(browser, "g.box") == len(report.layers) + 2
    fifos = [layer for layer in report.layers if layer.depth is not None]
    assert count(browser, "#fifos li") == len(fifos) > 0
    starts = {layer.name: layer.work.starts[0] for layer in report.layers if layer.work}
    assert len(starts) == len(report.layers) and min(starts.values()) == 0
    canvas = "document.querySelector('.canvas')"
    whole, seen = browser.evaluate(f"[{canvas}.scrollWidth, {canvas}.clientWidth]")
    assert whole <= seen  # no part of the graph is beside the window
    boxes = browser.evaluate(
        "[...document.querySelectorAll('g.box > rect:first-of-type')]"
        ".map(e => e.getBoundingClientRect()).map(r => [r.left, r.top, r.right, r.bottom])"
    )
    for (left, top, right, bottom), other in itertools.combinations(boxes, 2):
        assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
    joint = next(i for i, layer in enumerate(report.layers) if layer.op == "StreamingConcat")
    browser.click(f'g.box[data-key="layer-{joint}"]')
    assert count(browser, "#panel .next:first-of-type .link") == 2
    assert browser.complaints == []


def harmful() -> onnx.ModelProto:
    """The small network with a harmful name for every node."""
    proto = mlp(SPEC)
    for index, node in enumerate(proto.graph.node):
        node.name = f"{HARM[index % len(HARM)]}{index}"
    proto.graph.input[0].name = HARM[0]
    for node in proto.graph.node:
        node.input[:] = [HARM[0] if name == "x" else name for name in node.input]
    return proto


@pytest.mark.parametrize("stop", [(), ("--stop-after", "scaled-integer")], ids=["built", "stopped"])
def test_names_in_a_model_are_inert(
    stop: tuple[str, ...], browser: Browser, tmp_path: Path, capfd: Capture
) -> None:
    model = tmp_path / "<img src=x onerror=window.harm=6>.onnx"
    onnx.save(harmful(), model)
    out = tmp_path / "o"
    build = ("build", model, "--out", out, "--until", "estimate", "--verify", "none", *stop)
    code, _, errors = run_main(capfd, *build)
    assert code == 0, errors
    show(browser, out / "report.html")
    assert model.name in text(browser, "h1")
    for key in browser.evaluate("[...document.querySelectorAll('g.box')].map(e => e.dataset.key)"):
        browser.click(f'g.box[data-key="{key}"]')
    inert(browser, out / "report.html")
    browser.evaluate("document.querySelector('#provenance details').open = true")
    names = text(browser, "#provenance")
    assert all(name in names for name in HARM[:5]) and "\\u202eabc\\x1b[31m\\x00" in names


def test_texts_of_a_report_are_inert(
    browser: Browser, small_build: SmallBuild, tmp_path: Path
) -> None:
    kept = {
        "status",
        "level",
        "flow",
        "places",
        "table",
    }  # of these the schema has only a few values
    count = itertools.count()

    def spoilt(value: Any) -> Any:
        if isinstance(value, str):
            return HARM[next(count) % len(HARM)]
        if isinstance(value, list):
            return [spoilt(item) for item in value]
        if isinstance(value, dict):
            return {key: item if key in kept else spoilt(item) for key, item in value.items()}
        return value

    for _ in range(len(HARM)):  # each time another text at each place
        next(count)
        report = Report.model_validate(spoilt(json.loads(small_build.output)))
        file = tmp_path / "report.html"
        file.write_text(page(report), encoding="utf-8")
        show(browser, file)
        browser.click("g.box")
        inert(browser, file)


def inert(browser: Browser, file: Path) -> None:
    """No name has become a script, an element or a request."""
    assert browser.evaluate("typeof window.harm") == "undefined"
    assert count(browser, "script") == 2 and count(browser, "style") == 1
    assert count(browser, "img, iframe, [onload], [onerror], [href^='javascript:' i]") == 0
    assert browser.evaluate("document.body.checkVisibility()")
    assert browser.complaints == [] and browser.requests == [file.as_uri()]


def test_a_failed_build_has_a_page(browser: Browser, tmp_path: Path, capfd: Capture) -> None:
    proto = mlp(SPEC)
    spoilt = next(node for node in proto.graph.node if node.op_type == "Relu")
    spoilt.op_type, spoilt.name = "Softmax", "Softmax <b>middle</b>"
    onnx.save(proto, tmp_path / "m.onnx")
    out = tmp_path / "o"
    code, _, errors = run_main(capfd, "build", tmp_path / "m.onnx", "--out", out)
    assert code == 2 and "Softmax" in errors
    show(browser, out / "report.html")
    assert "passes were compared with the quantized network" in text(browser, "#verification")
    error = errors.removeprefix("qnnc: ").strip()
    assert text(browser, ".error") == error and text(browser, ".badge") == "failed"
    assert count(browser, "#stages .failed") == 1 and count(browser, "#time") == 0
    browser.click("g.box.marked")
    shown = text(browser, "#panel")
    assert shown.startswith(spoilt.name) and "labels, which --top-k takes" in shown
    # one that cannot even be read has no graph, but a page
    (tmp_path / "n.onnx").write_bytes(b"nothing")
    assert run_main(capfd, "build", tmp_path / "n.onnx", "--out", out)[0] == 2
    show(browser, out / "report.html")
    assert "not an ONNX model" in text(browser, ".error") and count(browser, "g.box") == 0


def test_the_file_needs_nothing_else(small_build: SmallBuild) -> None:
    written = (small_build.out / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"(https?:)?//[a-z]", written.replace("// SPDX", ""), re.IGNORECASE)
    assert not re.search(r"<(link|img|iframe|object)\b|@import|url\(", written)
    assert written.count("Content-Security-Policy") == 1
