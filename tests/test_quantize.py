# SPDX-License-Identifier: Apache-2.0
"""qnnc quantize: float networks to ones that compile exactly, and what is said of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from benchmarks.float_kinds import check_kind
from benchmarks.quantizer_settings import Net, residual
from qnnc.cli.show import quantization_text
from qnnc.compiler import api
from qnnc.compiler.errors import ModelError, OptionError, QnncError
from qnnc.quantization import QuantizeOptions, RealInput, quantize
from qnnc.quantization.prepare import prepared, session
from qnnc.quantization.weights import best_scales, rounded
from tests.support.build import run_main


def saved(proto: onnx.ModelProto, folder: Path, name: str = "float.onnx") -> Path:
    onnx.save(proto, folder / name)
    return folder / name


def images(count: int = 40) -> Any:
    return np.random.default_rng(3).integers(0, 256, (count, 3, 8, 8))


def weights_of(path: Path) -> dict[str, Any]:
    found = onnx.load(path).graph.initializer
    return {t.name: numpy_helper.to_array(t) for t in found if t.name.endswith("_quantized")}


def normed() -> onnx.ModelProto:
    """Gemm, batch norm, ReLU, Gemm, Softmax."""
    net = Net(9)
    x = net.gemm("x", 12, 8)
    four = (net.constant(np.abs(net.rng.normal(size=8)) + 0.5) for _ in range(4))
    x = net.op("Relu", net.op("BatchNormalization", x, *four))
    return net.model([1, 12], net.op("Softmax", net.gemm(x, 8, 5), axis=1), [1, 5])


def test_bytes_stay_bytes_and_weights_have_the_bits(tmp_path: Path) -> None:
    labels = np.arange(40) % 4
    report = quantize(
        saved(residual(), tmp_path),
        tmp_path / "q.onnx",
        calibrate=images(),
        labels=labels,
        options=QuantizeOptions(bits=3, method="percentile"),
        real_input=RealInput("uint8", "1/255"),
    )
    codes = [array for array in weights_of(tmp_path / "q.onnx").values() if array.dtype == np.int8]
    assert len(codes) == 7 and {int(np.abs(array).max()) for array in codes} == {3}
    built = api.compile(
        tmp_path / "q.onnx", out=tmp_path / "b", input_type="uint8", input_scale="1/255", fps=1000
    )
    assert built.verification.mismatches == 0
    assert built.layers[0].op != "Thresholding"  # the codes of the input are its bytes
    assert built.layers[0].input_type == "UINT8"
    assert report.float_correct is not None and report.samples == 40
    named = {layer.node: layer for layer in report.layers}
    assert {"n_conv_0", "n_conv_7", "n_add_5", "n_gemm_16"} <= set(named)
    assert 0.05 < (named["n_conv_0"].weight_error or 0) < 0.5
    assert report.output_error > 0


def test_build_quantizes_and_verifies(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(1).normal(size=(30, 12)))
    np.save(tmp_path / "y.npy", np.arange(30) % 5)
    report = api.compile(
        saved(normed(), tmp_path),
        out=tmp_path / "b",
        quantize=tmp_path / "x.npy",
        labels=tmp_path / "y.npy",
        fps=1000,
    )
    found = report.quantization
    assert found is not None and found.weight_bits == 8 and found.samples == 30
    assert report.verification.mismatches == 0 and report.verification.samples > 30
    ops = [node.op_type for node in onnx.load(tmp_path / "b/model/quantized.onnx").graph.node]
    assert "BatchNormalization" not in ops  # it is in the weights
    assert ops[-2:] == ["Gemm", "Softmax"]  # what the host reads is not rounded
    verdict = api.verify(tmp_path / "b", tmp_path / "x.npy", tmp_path / "y.npy")
    assert verdict.golden_correct == found.quantized_correct
    assert verdict.same + verdict.near == 30


def test_a_batch_norm_in_the_weights_changes_nothing(tmp_path: Path) -> None:
    proto = normed()
    ready = prepared(str(saved(proto, tmp_path)), None, tmp_path)
    assert [node.op_type for node in ready.graph.node] == ["Gemm", "Relu", "Gemm", "Softmax"]
    x = np.random.default_rng(2).normal(size=(1, 12)).astype(np.float32)
    both = [session(model).run(None, {"x": x})[0] for model in (proto, ready)]
    np.testing.assert_allclose(both[0], both[1], rtol=1e-5)


@pytest.mark.parametrize("bits", [2, 3, 4, 7])
def test_scales_lose_no_more_than_those_of_the_largest_weight(bits: int) -> None:
    weights = np.random.default_rng(bits).standard_t(3, (6, 40)).astype(np.float32)
    most = 2 ** (bits - 1) - 1
    plain = np.abs(weights).max(axis=1) / most
    errors = [
        np.square(rounded(weights, scales.astype(np.float32), 0, bits) - weights).sum(axis=1)
        for scales in (best_scales(weights, 0, bits), plain)
    ]
    assert np.all(errors[0] <= errors[1] * (1 + 1e-6)) and np.any(errors[0] < 0.9 * errors[1])
    one = np.zeros((1, 3), dtype=np.float32)
    assert best_scales(one, 0, bits) > 0  # a channel without weights has a scale all the same


def test_answers_that_are_not_classes_are_not_counted(tmp_path: Path) -> None:
    net = Net(2)
    path = saved(net.model([1, 12], net.gemm("x", 12, 1), [1, 1]), tmp_path)
    samples = np.random.default_rng(1).normal(size=(8, 12))
    report = quantize(path, tmp_path / "q.onnx", calibrate=samples, labels=np.arange(8))
    assert report.same is None and report.float_correct is not None
    assert "None" not in quantization_text(report)


def test_what_cannot_be_quantized_is_said(tmp_path: Path) -> None:
    path, out = saved(residual(), tmp_path), tmp_path / "q.onnx"
    with pytest.raises(QnncError, match=r"\[100, 5\]; the model's input is \[3, 8, 8\]"):
        quantize(path, out, calibrate=np.zeros((100, 5)))
    for wrong, text in (
        (QuantizeOptions(bits=1), "Brevitas"),
        (QuantizeOptions(bits=9), "from 2 to 8"),
        (QuantizeOptions(method="max"), "minmax"),
        (QuantizeOptions(count=0), "count"),
    ):
        with pytest.raises(OptionError, match=text):
            quantize(path, out, calibrate=images(), options=wrong)
    net = Net(1)
    y = net.op("Einsum", net.gemm("x", 4, 4), net.gemm("x", 4, 4), equation="bi,bi->bi")
    odd = saved(net.model([1, 4], net.gemm(y, 4, 2), [1, 2]), tmp_path, "odd.onnx")
    with pytest.raises(ModelError, match=r"n_einsum_\d.*Einsum"):
        quantize(odd, out, calibrate=np.ones((8, 4)))
    assert not out.exists()
    quantize(saved(normed(), tmp_path), out, calibrate=np.ones((8, 12)))
    with pytest.raises(ModelError, match=r"quantized already.*without --quantize"):
        quantize(out, tmp_path / "again.onnx", calibrate=np.ones((8, 12)))


def test_command_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(1).normal(size=(30, 12)))
    path = saved(normed(), tmp_path)
    code, _, errors = run_main(capfd, "build", path, "--out", tmp_path / "b")
    assert code == 2 and "float network" in errors and "--quantize SAMPLES" in errors
    given = ("quantize", path, "--calibrate", tmp_path / "x.npy", "-o", tmp_path / "q.onnx")
    code, text, errors = run_main(capfd, *given, "--bits", "4")
    assert code == 0, errors
    assert "4-bit weights" in text and "qnnc[train]" in text and "n_gemm_0" in text
    code, text, errors = run_main(capfd, *given, "--json")  # its own file is replaced
    assert code == 0, errors
    assert json.loads(text)["weight_bits"] == 8
    (tmp_path / "q.onnx").write_bytes(b"mine")
    code, _, errors = run_main(capfd, *given)
    assert code == 2 and "--force" in errors
    frontend = ("--frontend", "float", "--out", tmp_path / "b")
    code, _, errors = run_main(capfd, "build", path, *frontend)
    assert code == 2 and "--quantize SAMPLES" in errors


@pytest.mark.parametrize(
    "kind", ["add_pooled", "add_pixels", "linear2", "mean_rows", "mean_cols_squeezed"]
)
def test_kinds_of_operators_are_exact(kind: str, tmp_path: Path) -> None:
    """A sample of `benchmarks.float_kinds`: those that were refused, or differed, before."""
    verdict = check_kind(kind, tmp_path)
    assert verdict.ends == "exact", verdict.text
