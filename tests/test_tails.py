# SPDX-License-Identifier: Apache-2.0
"""Tails as thresholds: equal to the float32 function at every integer of the range."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from qnnc.compiler.building.options import BuildOptions
from qnnc.compiler.building.pipeline import declaring_passes, lowering_passes
from qnnc.compiler.ir.facts import name_sources
from qnnc.compiler.passes.absorb_tails import AbsorbTails
from qnnc.compiler.passes.manager import PassManager
from qnnc.compiler.passes.scaled_integer import ScaledInteger
from qnnc.compiler.reference import Session, expand
from qnnc.compiler.tails import bisection
from qnnc.frontends.qonnx import from_proto
from tests.support.build import compile_proto, operators

RANGE = 300
PARAMETERS: dict[str, tuple[str, dict[str, float]]] = {
    "Elu-": ("Elu", {"alpha": -1.5}),
    "LeakyRelu-": ("LeakyRelu", {"alpha": -0.4}),
    "ThresholdedRelu-": ("ThresholdedRelu", {"alpha": -1.1}),
    "ThresholdedRelu+": ("ThresholdedRelu", {"alpha": 0.6}),
    "HardSigmoid-": ("HardSigmoid", {"alpha": -0.3, "beta": 0.4}),
}
"""Activations with parameters, by a name of their own."""
CHANNELS = 7
BITS = 10


def tail_model(
    activation: str, *, seed: int, bits: int, signed: bool, per_channel: bool = True
) -> onnx.ModelProto:
    """integer input -> 1x1 'product' -> batch norm -> activation -> quantizer.

    The product is with the identity, so that every channel sees every integer of the input.
    """
    rng = np.random.default_rng(seed)
    channels = CHANNELS if per_channel else 1
    constants = {
        "eye": np.eye(CHANNELS),
        "one": 1.0,
        "zero": 0.0,
        "wbits": 2.0,
        "xscale": 0.037,
        "xbits": float(BITS),
        "gamma": np.resize(rng.uniform(0.2, 2, channels) * rng.choice([-1, 1], channels), CHANNELS),
        "beta": np.resize(rng.normal(size=channels), CHANNELS),
        "mean": np.resize(rng.normal(size=channels) * 2, CHANNELS),
        "var": np.resize(rng.uniform(0.1, 4, channels), CHANNELS),
        "low": -1.0,
        "high": 1.0,
        "qscale": 1.7 / 2**bits,
        "qbits": float(bits),
    }
    domain = "qonnx.custom_op.general"
    nodes = [
        helper.make_node(
            "Quant",
            ["x", "xscale", "zero", "xbits"],
            ["xq"],
            name="xq",
            domain=domain,
            signed=1,
            narrow=0,
        ),
        helper.make_node(
            "Quant",
            ["eye", "one", "zero", "wbits"],
            ["wq"],
            name="wq",
            domain=domain,
            signed=1,
            narrow=1,
        ),
        helper.make_node("MatMul", ["xq", "wq"], ["sum"], name="product"),
        helper.make_node(
            "BatchNormalization", ["sum", "gamma", "beta", "mean", "var"], ["norm"], name="norm"
        ),
    ]
    y = "norm"
    if activation == "hardtanh":
        nodes.append(helper.make_node("Clip", [y, "low", "high"], ["act"], name="act"))
    elif activation == "silu":
        nodes.append(helper.make_node("Sigmoid", [y], ["gate"], name="gate"))
        nodes.append(helper.make_node("Mul", [y, "gate"], ["act"], name="act"))
    elif activation in PARAMETERS:
        op, attributes = PARAMETERS[activation]
        nodes.append(helper.make_node(op, [y], ["act"], name="act", **attributes))
    elif activation != "none":
        nodes.append(helper.make_node(activation, [y], ["act"], name="act"))
    y = "norm" if activation == "none" else "act"
    nodes.append(
        helper.make_node(
            "Quant",
            [y, "qscale", "zero", "qbits"],
            ["y"],
            name="yq",
            domain=domain,
            signed=int(signed),
            narrow=0,
        )
    )
    tensors = [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in constants.items()]
    shape = [1, CHANNELS]
    graph = helper.make_graph(
        nodes,
        "tail",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        tensors,
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid(domain, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def brute_force_agrees(proto: onnx.ModelProto, *, max_elements: int = 1 << 24) -> int:
    """Compare compiled and golden outputs for every input integer in every channel; returns the
    number of thresholds of a channel."""
    model = from_proto(proto)
    name_sources(model)
    options = BuildOptions(model="", out=Path("unused"))
    PassManager().run(model, declaring_passes(options))
    golden = Session(expand(model, any_batch=True))
    passes = lowering_passes(options)
    for step in passes:
        if isinstance(step, AbsorbTails):
            step.max_elements = max_elements
    PassManager().run(model, passes)
    integers = np.arange(-(2 ** (BITS - 1)), 2 ** (BITS - 1))
    x = np.repeat((integers * 0.037).astype(np.float32)[:, None], CHANNELS, axis=1)
    expected = golden.run({"x": x})["y"]
    found = Session(expand(model, any_batch=True)).run({"x": x})["y"]
    # the product with the identity is exact, so that the tail sees the very same float32 values
    assert np.array_equal(found, expected)
    nodes = [node for node in model.graph if node.op_type == "Thresholding"]
    assert len(nodes) == 1
    return int(nodes[0].attributes["numSteps"].value)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("activation", ["Relu", "Tanh", "Sigmoid", "hardtanh", "none"])
def test_thresholds_equal_brute_force(activation: str, bits: int) -> None:
    for seed in range(4):
        signed = activation not in ("Relu", "Sigmoid")
        brute_force_agrees(tail_model(activation, seed=seed, bits=bits, signed=signed))


@pytest.mark.parametrize("activation", ["silu", "Abs", "HardSwish", "Gelu", "Elu", "LeakyRelu"])
def test_functions_that_turn_round(activation: str) -> None:
    for bits in (2, 5):
        brute_force_agrees(tail_model(activation, seed=1, bits=bits, signed=True))


MONOTONE = ["Relu", "Tanh", "Sigmoid", "hardtanh", "Erf", "Softplus", "Elu", "Floor"]
TURNING = ["Abs", "Gelu", "Mish", "HardSwish", "silu"]


@pytest.mark.parametrize("activation", [*MONOTONE, *TURNING, *PARAMETERS])
def test_bisection_finds_the_same_thresholds(activation: str) -> None:
    signed = activation not in ("Relu", "Sigmoid", "Softplus")
    for seed in range(2):
        proto = tail_model(activation, seed=seed, bits=5, signed=signed)
        full = brute_force_agrees(proto)
        assert brute_force_agrees(proto, max_elements=10) == full


@pytest.mark.parametrize("activation", ["Relu", "Tanh", "Gelu"])
def test_bisection_reads_codes_off_in_slices(
    activation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step may lie between two of them."""
    proto = tail_model(activation, seed=1, bits=5, signed=activation != "Relu")
    whole = brute_force_agrees(proto, max_elements=10)
    for size in (1, 40):
        monkeypatch.setattr(bisection, "CHUNK", size)
        assert brute_force_agrees(proto, max_elements=10) == whole


def test_a_range_too_large_for_a_function_that_turns_round_is_explained() -> None:
    model = from_proto(tail_model("Sin", seed=0, bits=4, signed=True))
    name_sources(model)
    options = BuildOptions(model="", out=Path("unused"))
    PassManager().run(model, declaring_passes(options))
    passes = lowering_passes(options)
    upto = next(i for i, step in enumerate(passes) if isinstance(step, ScaledInteger)) + 1
    PassManager().run(model, passes[:upto])
    absorb = AbsorbTails(max_elements=10)
    absorb(model)
    assert any("not known to be monotone" in reason.text for reason in absorb.reasons)


@settings(max_examples=25, deadline=None)
@given(
    activation=st.sampled_from(["Relu", "Tanh", "Sigmoid", "hardtanh", "none"]),
    seed=st.integers(0, 10**6),
    bits=st.integers(1, 6),
    signed=st.booleans(),
    per_channel=st.booleans(),
)
def test_random_tails(
    activation: str, seed: int, bits: int, signed: bool, per_channel: bool
) -> None:
    brute_force_agrees(
        tail_model(activation, seed=seed, bits=bits, signed=signed, per_channel=per_channel)
    )


def test_falling_channels_flip_their_weights() -> None:
    """Negative batch norm factors end in the weights' signs, not in extra hardware."""
    from benchmarks.networks import MlpSpec, mlp

    for weight_bits, activation_bits in ((1, 1), (2, 2), (4, 3)):
        proto = mlp(MlpSpec((20, 16, 6), weight_bits, activation_bits, "tanh", 2, seed=3))
        model, outcome, _ = compile_proto(proto, samples=64)
        assert outcome.mismatches == 0
        assert operators(model).count("Thresholding") == 1
        node = next(n for n in model.graph if n.op_type == "Thresholding")
        assert len(node.inputs) == 2  # no table of values: every channel rises


def test_a_tanh_that_turns_round_by_a_rounding_error_is_met_exactly() -> None:
    """Wide sums: next to its last steps a float32 tanh moves back and forth by a last bit."""
    from benchmarks.networks import MlpSpec, mlp

    proto = mlp(MlpSpec((784, 48, 10), 8, 8, "tanh", 8, seed=1))
    model, outcome, _ = compile_proto(proto, samples=16)
    assert outcome.mismatches == 0
    assert operators(model).count("Thresholding") == 1
