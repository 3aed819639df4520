# SPDX-License-Identifier: Apache-2.0
"""MLPs that ONNX Runtime quantized, as verified RTL; and what becomes of quantizers in a row."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from qnnc.compiler.errors import ModelError
from qnnc.frontends.qdq import from_proto
from tests.support.build import compile_model, operators, run_main
from tests.support.quantized import depthwise, mlp, resnet, samples, static_quantized


@pytest.mark.parametrize("qoperator", [False, True])
def test_mlp_with_zero_points_as_rtl(
    qoperator: bool, tmp_path: Path, cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    proto = static_quantized(mlp(), tmp_path, qoperator, per_channel=True, reduce_range=qoperator)
    onnx.save(proto, tmp_path / "mlp.onnx")
    inputs = np.concatenate([sample["x"] for sample in samples(proto, 24)])
    np.save(tmp_path / "x.npy", inputs)
    code, output, errors = run_main(
        capfd,
        "build",
        tmp_path / "mlp.onnx",
        "--out",
        tmp_path / "out",
        "--until",
        "simulate",
        "--fps",
        "10000",
        "--samples",
        tmp_path / "x.npy",
        "--cache-dir",
        cache,
        "--json",
    )
    assert code == 0, errors
    report = json.loads(output)
    levels = {level["level"]: level for level in report["verification"]["levels"]}
    assert levels["rtl"]["mismatches"] == levels["dataflow"]["mismatches"] == 0
    assert levels["rtl"]["samples"] > 0
    layers = [layer for layer in report["layers"] if layer["op"] in ("MVAU", "Thresholding")]
    assert layers[0]["input_type"] == "UINT8"  # its zero point is in the thresholds
    assert layers[-1]["output_type"] == "UINT8"


def test_a_quantizer_behind_a_quantizer_needs_no_table(tmp_path: Path) -> None:
    """Symmetric activations: quantize, Relu, quantize."""
    from onnxruntime.quantization import QuantType

    proto = static_quantized(
        mlp(),
        tmp_path,
        activation_type=QuantType.QInt8,
        extra_options={"ActivationSymmetric": True},
    )
    assert sum(node.op_type == "Relu" for node in proto.graph.node) == 2
    model, outcome, runs = compile_model(from_proto(proto))
    assert outcome.mismatches == 0
    assert operators(model).count("Thresholding") == operators(model).count("MVAU") == 3
    merge = next(run for run in runs if run.name == "merge-thresholds")
    assert merge.changed and merge.verified


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("qoperator", [False, True])
def test_depthwise_cnn_lowers(qoperator: bool, symmetric: bool, tmp_path: Path) -> None:
    model, mismatches = lowered(depthwise(), tmp_path, qoperator, symmetric)
    assert mismatches == 0
    assert operators(model).count("VVAU") == 2


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("qoperator", [False, True])
def test_residual_cnn_lowers(qoperator: bool, symmetric: bool, tmp_path: Path) -> None:
    """Both branches of its additions have scales of their own."""
    model, mismatches = lowered(resnet(), tmp_path, qoperator, symmetric)
    assert mismatches == 0
    assert operators(model).count("ElementwiseAdd") == 2


def lowered(
    proto: onnx.ModelProto, folder: Path, qoperator: bool, symmetric: bool
) -> tuple[ir.Model, int]:
    """The dataflow graph of a network quantized to 8 bits. Symmetric activations are int8 with a
    zero point of 0, so that a Relu of integers stays a Relu, which layers read as it is."""
    from onnxruntime.quantization import QuantType

    quantized = static_quantized(
        proto,
        folder,
        qoperator,
        reduce_range=qoperator,
        activation_type=QuantType.QInt8 if symmetric else QuantType.QUInt8,
        extra_options={"ActivationSymmetric": symmetric},
    )
    assert any(node.op_type == "Relu" for node in quantized.graph.node) == symmetric
    model, outcome, _ = compile_model(from_proto(quantized), samples=4)
    return model, outcome.mismatches


@pytest.mark.parametrize("kind", ["QInt16", "QUInt16"])
def test_activations_of_16_bits_are_refused_in_one_sentence(kind: str, tmp_path: Path) -> None:
    from onnxruntime.quantization import QuantType

    proto = static_quantized(
        mlp(),
        tmp_path,
        activation_type=QuantType[kind],
        extra_options={"UseQDQContribOps": True},
    )
    with pytest.raises(
        ModelError, match=r"relu_1_QuantizeLinear.*needs 65535 thresholds.*12 bits or fewer"
    ):
        compile_model(from_proto(proto), samples=4)
