# SPDX-License-Identifier: Apache-2.0
"""What is proposed for a mistyped name and for an operator that has no hardware."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.qonnx_graph import QonnxGraph, Tensor
from qnnc.compiler.rewrites import REWRITES
from tests.support.build import run_main
from tests.support.small import write_small

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("--board", "pynq-z3"), "did you mean Pynq-Z2 or Pynq-Z1?"),
        (("--frontend", "qdqq"), "did you mean qdq?"),
        (("--engine", "verilatr"), "did you mean verilator?"),
        (("--until", "estimat"), "did you mean estimate"),
        (("--verify", "ende"), "did you mean ends"),
        (("--flow", "vivadoo"), "did you mean vivado?"),
        (("--backend", "rtll"), "did you mean rtl?"),
        (("--backend", "rtl,MVAUU=hls"), "did you mean MVAU?"),
        (("--stop-after", "tidyy"), "did you mean tidy?"),
        (("--print-after", "tidyy"), "did you mean tidy?"),
        (("-p", "tidyy,..."), "did you mean tidy?"),
        (("-p", "...,absorb-tails{max-element=3},..."), "did you mean max-elements?"),
        (("--input-type", "unit8"), "did you mean UINT8"),
        (("--input-name", "X"), "did you mean x?"),
        (("--frontend-option", "exprt=qonnx", "--frontend", "brevitas"), "did you mean export"),
    ],
    ids=lambda value: value[0] + " " + value[1] if isinstance(value, tuple) else None,
)
def test_a_mistyped_name(
    arguments: tuple[str, ...], meant: str, tmp_path: Path, capfd: Capture
) -> None:
    model = write_small(tmp_path)[0]
    code, _, errors = run_main(capfd, "build", model, "--out", tmp_path / "o", *arguments)
    assert code == 2 and errors.count("\n") == 1
    assert meant in errors, errors


@pytest.mark.parametrize(
    ("command", "meant"),
    [
        (("opt", "{model}", "-p", "scaled-integr"), "did you mean scaled-integer"),
        (("passes", "tidyy"), "did you mean tidy?"),
        (("why", "{model}", "--frontend", "qonx"), "did you mean qonnx?"),
        (("bisect", "{model}", "-p", "...,tidyy,..."), "did you mean tidy?"),
    ],
)
def test_other_commands(
    command: tuple[str, ...], meant: str, tmp_path: Path, capfd: Capture
) -> None:
    model = write_small(tmp_path)[0]
    code, _, errors = run_main(capfd, *(part.format(model=model) for part in command))
    assert code == 2 and errors.count("\n") == 1
    assert meant in errors, errors


def test_a_type_that_is_too_wide(tmp_path: Path, capfd: Capture) -> None:
    model = write_small(tmp_path)[0]
    build = ("build", model, "--out", tmp_path / "o", "--input-type", "uint88")
    code, _, errors = run_main(capfd, *build)
    assert code == 2 and errors.count("\n") == 1 and "1 to 32 bits; use one" in errors


Make = Callable[[QonnxGraph, str], list[str]]
C, SIZE = 4, 6


def _shaped(operator: str, **attributes: object) -> Make:
    return lambda g, x: g.op(operator, [x], **attributes)  # type: ignore[arg-type]


def _resize(g: QonnxGraph, x: str) -> list[str]:
    scales = g.constant([1, 1, 2, 2])
    return g.op("Resize", [x, "", scales], mode="cubic")


def _lstm(g: QonnxGraph, x: str) -> list[str]:
    flat = g.op("Reshape", [x, g.constant([SIZE * SIZE, 1, C], np.int64)])[0]
    weights = [g.constant(g.rng.normal(size=(1, 4 * C, C))) for _ in range(2)]
    y = g.op("LSTM", [flat, *weights], hidden_size=C, outputs=1)[0]
    return g.op("Reshape", [y, g.constant([1, C, SIZE, SIZE], np.int64)])


def _pad(g: QonnxGraph, x: str) -> list[str]:
    pads = g.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64)
    return g.op("Pad", [x, pads], mode="reflect")


OPERATORS: dict[str, Make] = {
    "Softmax": _shaped("Softmax", axis=1),
    "LogSoftmax": _shaped("LogSoftmax", axis=1),
    "Hardmax": _shaped("Hardmax", axis=1),
    "LpNormalization": _shaped("LpNormalization", axis=1),
    "LRN": _shaped("LRN", size=3),
    "InstanceNormalization": lambda g, x: g.op(
        "InstanceNormalization", [x, g.constant(np.ones(C)), g.constant(np.zeros(C))]
    ),
    "LayerNormalization": lambda g, x: g.op("LayerNormalization", [x, g.constant(np.ones(SIZE))]),
    "CumSum": lambda g, x: g.op("CumSum", [x, g.constant(1, np.int64)]),
    "LpPool": _shaped("LpPool", kernel_shape=[3, 3]),
    "GlobalLpPool": _shaped("GlobalLpPool"),
    "ReduceMax": lambda g, x: g.op("ReduceMax", [x, g.constant([2, 3], np.int64)]),
    "ReduceL2": lambda g, x: g.op("ReduceL2", [x, g.constant([2, 3], np.int64)]),
    "Resize": _resize,
    "Pad": _pad,
    "LSTM": _lstm,
    "Einsum": lambda g, x: g.op("Einsum", [x, x], equation="nchw,nchw->nchw"),
    "Gather": lambda g, x: g.op("Gather", [x, g.constant([2, 0, 3, 3], np.int64)], axis=1),
}


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operator_without_hardware(operator: str, tmp_path: Path, capfd: Capture) -> None:
    g = QonnxGraph()
    x = g.conv(g.quantize(g.input((3, SIZE, SIZE)), 4, 1 / 8), C, (1, 1), 4)
    y = Tensor(OPERATORS[operator](g, x.name)[0], x.shape)
    name = next(node.name for node in g.nodes if node.op_type == operator)
    y = g.conv(g.quantize(y, 4, 1 / 8), 2, (1, 1), 4)
    model = tmp_path / "model.onnx"
    onnx.save(g.model(g.global_average(y), opset=18), model)
    build = ("build", model, "--out", tmp_path / "o", "--until", "passes")
    code, _, errors = run_main(capfd, *build)
    assert code == 2 and errors.count("\n") == 1
    assert operator in errors and name in errors and REWRITES[operator] in errors, errors
    code, output, _ = run_main(capfd, "why", model)
    line = next(line for line in output.splitlines() if line.startswith(name))
    assert code == 1 and line.endswith(REWRITES[operator])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("net.pt", "package.module:factory"),
        ("net.pth", "--input-shape"),
        ("net.py", "module:factory"),
        ("net.keras", "tf2onnx"),
        ("net.tflite", "tf2onnx"),
    ],
)
def test_a_file_of_another_kind(name: str, words: str, tmp_path: Path, capfd: Capture) -> None:
    path = tmp_path / name
    path.write_bytes(b"\x80\x02junk")
    code, _, errors = run_main(capfd, "build", path, "--out", tmp_path / "o")
    assert code == 2 and errors.count("\n") == 1
    assert words in errors, errors
