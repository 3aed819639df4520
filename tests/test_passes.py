# SPDX-License-Identifier: Apache-2.0
"""Graph passes: what they make of whole networks, what they refuse, what they cost."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from benchmarks.networks import MlpSpec, mlp
from qnnc.compiler.errors import ModelError, OptionError, VerificationError
from qnnc.compiler.ir.facts import integer, sources
from qnnc.compiler.passes.base import Pass
from qnnc.compiler.passes.declare_input import parse_scale
from qnnc.compiler.passes.manager import PassManager
from qnnc.compiler.verification import Golden, Verifier
from qnnc.frontends.qonnx import from_proto
from tests.conftest import shared_file
from tests.support.build import compile_proto, operators


def test_tfc_becomes_one_dataflow_chain() -> None:
    proto = onnx.load(shared_file("models/tfc_w2a2.onnx"))
    model, outcome, runs = compile_proto(
        proto, input_type="uint8", input_scale="1/255", top_k=1, fold=True, fps=100_000.0
    )
    assert outcome.mismatches == 0
    dataflow = [op for op in operators(model) if op not in ("Reshape", "Cast")]
    core = [op for op in dataflow if op != "StreamingDataWidthConverter"]
    assert core == ["Thresholding", "MVAU"] * 4 + ["LabelSelect"]
    assert all(run.verified for run in runs if run.changed)


def test_unsw_with_bipolar_input() -> None:
    proto = onnx.load(shared_file("models/unsw_nb15_w2a2.onnx"))
    model, outcome, _ = compile_proto(proto, input_type="bipolar")
    assert outcome.mismatches == 0
    assert operators(model).count("MVAU") == 4
    assert operators(model)[-3:] == ["Mul", "Sub", "Mul"]  # the last scale stays on the host


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    weight_bits=st.integers(1, 8),
    activation_bits=st.integers(1, 8),
    activation=st.sampled_from(["relu", "tanh", "sigmoid", "hardtanh"]),
    input_bits=st.integers(1, 8),
    seed=st.integers(0, 10**6),
    batch_norm=st.booleans(),
    bias=st.booleans(),
    per_channel=st.booleans(),
    top_k=st.integers(0, 3),
    widths=st.lists(st.integers(3, 20), min_size=2, max_size=4),
)
def test_random_mlps(top_k: int, **spec: object) -> None:
    model, outcome, _ = compile_proto(mlp(MlpSpec(**spec)), samples=24, top_k=top_k)  # type: ignore[arg-type]
    assert outcome.mismatches == 0
    assert operators(model).count("MVAU") == len(spec["widths"]) - 1  # type: ignore[arg-type]


def test_bipolar_layers_become_xnor_popcounts() -> None:
    model, outcome, _ = compile_proto(mlp(MlpSpec((16, 12, 4))))
    assert outcome.mismatches == 0
    units = [node for node in model.graph if node.op_type == "MVAU"]
    assert all(node.attributes["binaryXnorMode"].value == 1 for node in units)


def test_provenance_survives() -> None:
    proto = mlp(MlpSpec((16, 12, 4), 2, 2, "relu", 2))
    model, _, _ = compile_proto(proto)
    known = {node.name for node in proto.graph.node}
    named = {name for node in model.graph for name in sources(node)}
    assert named <= known
    thresholds = next(node for node in model.graph if node.op_type == "Thresholding")
    assert {"BatchNormalization_n0", "Relu_a0", "Quant_a0_q"} <= set(sources(thresholds))


def test_widths_are_minimal() -> None:
    """The sum's type holds what the weights can make of the input, and no more."""
    model, _, _ = compile_proto(mlp(MlpSpec((9, 5), 3, 3, "relu", 3, batch_norm=False)))
    node = next(n for n in model.graph if n.op_type == "MVAU")
    fact = integer(node.outputs[0])
    weights = node.inputs[1].const_value.numpy()
    reach = np.abs(weights).sum(axis=0) * 3
    assert fact is not None
    assert np.array_equal(fact.high, reach) and np.array_equal(fact.low, -reach)


def affine_head(scale: np.ndarray, bias: np.ndarray, end: str | None = None) -> onnx.ModelProto:
    """A layer of which the scores are scaled and biased class by class."""
    proto = mlp(MlpSpec((16, 8), 3, 3, "relu", 3, batch_norm=False, seed=4))
    graph, last = proto.graph, proto.graph.output[0].name
    graph.initializer.extend(
        [
            numpy_helper.from_array(scale.astype(np.float32), "head_scale"),
            numpy_helper.from_array(bias.astype(np.float32), "head_bias"),
        ]
    )
    graph.node.append(helper.make_node("Mul", [last, "head_scale"], ["scaled"], name="head_mul"))
    graph.node.append(helper.make_node("Add", ["scaled", "head_bias"], ["scores"], name="head_add"))
    out = "scores"
    if end is not None:
        graph.node.append(helper.make_node(end, ["scores"], ["ended"], name="end"))
        out = "ended"
    graph.output[0].CopyFrom(helper.make_tensor_value_info(out, TensorProto.FLOAT, [1, 8]))
    return proto


@pytest.mark.parametrize("end", [None, "Softmax", "Sigmoid", "Tanh"])
def test_labels_over_scaled_and_biased_scores(end: str | None) -> None:
    rng = np.random.default_rng(1)
    for scale, bias in (
        (np.float32(0.5), rng.normal(size=8)),
        (rng.uniform(0.2, 2, 8), rng.normal(size=8)),
        (rng.uniform(-2, 2, 8), rng.normal(size=8)),
        (np.float32(-1), np.zeros(8)),
        (np.float32(2), np.zeros(8)),
    ):
        model, outcome, _ = compile_proto(
            affine_head(np.asarray(scale), bias, end), samples=200, top_k=2
        )
        assert outcome.mismatches == 0
        assert "LabelSelect" in operators(model)
    assert "ElementwiseMul" not in operators(model)  # a common positive scale needs nothing


def test_input_type_accepts_fractions() -> None:
    assert parse_scale("1/255") == (1.0, 255.0)
    assert parse_scale("0.5") == (0.5, 1.0)
    for wrong in ("", "1/0", "-1", "a", "1/2/3", "nan", "1/inf"):
        with pytest.raises(OptionError, match="scale"):
            parse_scale(wrong)


def test_layers_without_quantizers_may_be_allowed_on_the_host() -> None:
    proto = mlp(MlpSpec((8, 6, 4), 2, 2, "relu", 2))
    product = next(node for node in proto.graph.node if node.op_type == "MatMul")
    product.input[1] = "w0"
    with pytest.raises(ModelError, match="'w0' have no quantizer"):
        compile_proto(proto)
    model, outcome, _ = compile_proto(proto, host_layers=True)
    assert outcome.mismatches == 0
    assert operators(model).count("MVAU") == 1


def test_a_float_operator_between_layers_is_named() -> None:
    proto = mlp(MlpSpec((8, 6, 4), 2, 2, "relu", 2))
    for node in proto.graph.node:
        if node.op_type == "Relu":
            node.op_type = "Softmax"
    why = r"'Relu_a0' .*its input has no quantizer.* put a quantizer"
    with pytest.raises(ModelError, match=why):
        compile_proto(proto)


class Spoil(Pass):
    """Negate the first weights, as a wrong pass might."""

    name = "spoil"

    def run(self, model: object) -> bool:
        import onnx_ir as ir

        assert isinstance(model, ir.Model)
        value = next(v for v in model.graph.initializers.values() if v.name.startswith("w0"))
        value.const_value = ir.tensor(-value.const_value.numpy(), name=value.name)
        return True


def test_a_wrong_pass_is_caught_and_named() -> None:
    model = from_proto(mlp(MlpSpec((8, 6, 4), 2, 2, "relu", 2)))
    golden = Golden(model)
    inputs = {"x": np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32)}
    with pytest.raises(VerificationError, match="after pass spoil, tensor"):
        PassManager(Verifier(golden, inputs)).run(model, [Spoil()])


def calls_of(work: Callable[[], object]) -> int:
    """Python function calls that some work makes: a measure of cost that no clock disturbs."""
    count = 0

    def tracer(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(tracer)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def test_passes_are_linear_in_the_depth() -> None:
    def passes(layers: int) -> int:
        proto = mlp(MlpSpec((16,) * (layers + 1), 2, 2, "relu", 2))
        return calls_of(lambda: compile_proto(proto, samples=2, fold=True, fps=1_000_000.0))

    passes(2)  # caches and imports
    assert passes(32) <= 2.1 * passes(16)
