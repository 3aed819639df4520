# SPDX-License-Identifier: Apache-2.0
"""Products of two computed tensors, and softmax, against the oracle, as hardware, and refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from qnnc.backends.simulation.simulate import Pressure
from qnnc.compiler.errors import QnncError, VerificationError
from qnnc.compiler.frontend import witness_of
from qnnc.compiler.ir.operators.integer_softmax import Exponents
from qnnc.compiler.verification.golden import Golden
from qnnc.compiler.verification.witness import hear
from qnnc.frontends.brevitas import load
from tests.generator import Case
from tests.generator.writer import QONNX, Writer
from tests.oracle import Oracle
from tests.support import second_opinion as opinion
from tests.support.build import compile_model, compile_proto

SAMPLES = 12
Shape = tuple[int, ...]


class Graph(Writer):
    """Quantizers and weights as these tests want them."""

    def quant(self, x: str, scale: float = 0.25, bits: int = 4, signed: int = 1) -> str:
        """A quantizer to nearest."""
        parts = [self.constant(v) for v in (scale, 0.0, float(bits))]
        flags = {"signed": signed, "narrow": 0, "rounding_mode": "ROUND"}
        return self.op("Quant", x, *parts, domain=QONNX, **flags)[0]

    def linear(self, x: str, inputs: int, outputs: int, seed: int) -> str:
        """A product with weights, quantized afterwards."""
        rng = np.random.default_rng(seed)
        weights = self.quant(self.constant(rng.normal(size=(inputs, outputs)) * 0.4), 0.1)
        return self.quant(self.op("MatMul", x, weights)[0], 0.5)

    def done(self, y: str, shape: Shape) -> onnx.ModelProto:
        """The whole model, one output without its batch dimension."""
        return self.model([(y, shape, TensorProto.FLOAT)])


@dataclass(frozen=True)
class Product:
    """A product of two inputs, or of one with itself.

    Attributes:
        left: shape without the batch.
        right: the same.
        perm: transposes the right one.
        bits: of both.
        signed: of both.
        bipolar: the right one is -1 and +1.
        double: the right one is the left one.
    """

    left: Shape
    right: Shape
    perm: Sequence[int] = ()
    bits: tuple[int, int] = (4, 4)
    signed: tuple[int, int] = (1, 1)
    bipolar: bool = False
    double: bool = False

    def model(self) -> onnx.ModelProto:
        g = Graph(17)
        a = g.quant(g.input("a", self.left), 0.25, self.bits[0], self.signed[0])
        if self.double:
            b = a
        elif self.bipolar:
            b = g.op("BipolarQuant", g.input("b", self.right), g.constant(0.5), domain=QONNX)[0]
        else:
            b = g.quant(g.input("b", self.right), 0.125, self.bits[1], self.signed[1])
        if self.perm:
            b = g.op("Transpose", b, perm=list(self.perm))[0]
        y = g.quant(g.op("MatMul", a, b)[0], 0.5, 6)
        shape = [self.right[p - 1] for p in self.perm[1:]] if self.perm else self.right
        return g.done(y, (*self.left[:-1], shape[-1]))


PRODUCTS = {
    "plain": Product((5, 4), (4, 3)),
    "transposed": Product((5, 4), (3, 4), (0, 2, 1)),
    "heads": Product((2, 5, 4), (2, 4, 3)),
    "heads in the middle": Product((2, 3, 4), (5, 2, 4), (0, 2, 3, 1)),
    "one matrix for all": Product((2, 5, 4), (1, 4, 3)),
    "dimensions of one": Product((1, 1, 4), (1, 4, 1)),
    "unsigned": Product((3, 4), (4, 3), bits=(8, 8), signed=(0, 1)),
    "single bits": Product((3, 4), (4, 3), bits=(1, 2), signed=(0, 0)),
    "bipolar": Product((3, 4), (4, 3), bipolar=True),
    "with itself": Product((3, 4), (3, 4), (0, 2, 1), double=True),
}


def encoder(tokens: int = 4, width: int = 6, heads: int = 2) -> onnx.ModelProto:
    """Attention with heads and a softmax, and the sum with what it read."""
    g, size = Graph(17), width // heads
    x = g.quant(g.input("x", (tokens, width)))
    split = g.indices(1, tokens, heads, size)

    def projected(seed: int, perm: Sequence[int]) -> str:
        y = g.op("Reshape", g.linear(x, width, width, seed), split)[0]
        return g.op("Transpose", y, perm=list(perm))[0]

    scores = g.op("MatMul", projected(0, (0, 2, 1, 3)), projected(1, (0, 2, 3, 1)))[0]
    scores = g.quant(g.op("Mul", scores, g.constant(size**-0.5))[0], 0.25)
    p = g.quant(g.op("Softmax", scores, axis=3)[0], 1 / 15, 4, 0)
    y = g.op("Transpose", g.op("MatMul", p, projected(2, (0, 2, 1, 3)))[0], perm=[0, 2, 1, 3])[0]
    y = g.quant(g.op("Reshape", y, g.indices(1, tokens, width))[0])
    return g.done(g.quant(g.op("Add", x, y)[0], 0.25, 5), (tokens, width))


def case_of(proto: onnx.ModelProto) -> Case:
    """Random samples, and all ends of the ranges."""
    rng, feeds = np.random.default_rng(1), {}
    for value in proto.graph.input:
        shape = [d.dim_value for d in value.type.tensor_type.shape.dim][1:]
        x = rng.normal(size=(SAMPLES, *shape)) * 1.2
        x[0], x[1] = 9, -9
        x[2] = np.sign(x[2]) * 9
        feeds[value.name] = x.astype(np.float32)
    return Case(0, "qonnx", proto, feeds)


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_is_what_the_oracle_says(name: str) -> None:
    proto = PRODUCTS[name].model()
    model, outcome, _ = compile_proto(proto, samples=SAMPLES)
    assert outcome.mismatches == 0
    assert [n.op_type for n in model.graph].count("DynamicMVAU") == 1
    case = case_of(proto)
    oracle = Oracle(proto)
    compiled = opinion.compile_case(case)
    observed = opinion.observe(compiled, case.feeds, oracle.run(case.feeds))
    assert opinion.judge(case, oracle, observed).faults == []


def test_attention_with_heads_runs_as_hardware(cache: Path) -> None:
    """Under back-pressure, all streams compared."""
    case = case_of(encoder())
    oracle = Oracle(case.proto)
    model = opinion.compile_case(case)
    also = opinion.streams(model)
    observed = opinion.observe(model, case.feeds, oracle.run(case.feeds), also)
    assert opinion.judge(case, oracle, observed).faults == []
    assert opinion.simulate(model, observed, cache, Pressure(50, 50, 3), frames=3) is None


def test_a_transposed_operand_takes_no_shuffle() -> None:
    for name in ("plain", "transposed", "heads"):
        model = opinion.compile_case(case_of(PRODUCTS[name].model()))
        assert "Shuffle" not in {node.op_type for node in model.graph}


def left_constant() -> onnx.ModelProto:
    g = Graph(17)
    x = g.quant(g.input("x", (4, 3)))
    w = g.quant(g.constant(np.ones((2, 4))))
    return g.done(g.quant(g.op("MatMul", w, x)[0]), (2, 3))


def repeated() -> onnx.ModelProto:
    return Product((1, 5, 4), (2, 4, 3)).model()


def rows_of_scales() -> onnx.ModelProto:
    g = Graph(17)
    x = g.quant(g.input("x", (3, 4)))
    scales = g.constant(np.array([0.1, 0.2, 0.3, 0.4]).reshape(1, 4, 1))
    parts = [scales, g.constant(0.0), g.constant(4.0)]
    flags = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
    y = g.op("Quant", g.input("y", (4, 2)), *parts, domain=QONNX, **flags)[0]
    return g.done(g.quant(g.op("MatMul", x, y)[0]), (3, 2))


def softmax(
    axis: int = 2, before: bool = True, after: bool = True, factor: float = 1
) -> onnx.ModelProto:
    """Between two layers, with or without its quantizers, the codes before it times a factor."""
    g = Graph(17)
    x = g.quant(g.input("x", (3, 4)))
    weights = g.quant(g.constant(np.eye(4) * 0.5))
    y = g.op("MatMul", x, weights)[0]
    y = g.quant(y) if before else y
    y = g.op("Mul", y, g.constant(factor))[0] if factor != 1 else y
    y = g.op("Softmax", y, axis=axis)[0]
    y = g.quant(y, 1 / 15, 4, 0) if after else y
    return g.done(g.quant(g.op("MatMul", y, weights)[0]), (3, 4))


REFUSED = {
    "a constant on the left": (left_constant(), ("weights on the left", "transpose both")),
    "matrices to repeat": (repeated(), ("[1, 1, 5, 4]", "[1, 2, 4, 3]", "let both have the same")),
    "scales along the sum": (rows_of_scales(), ("summed axis", "quantize it per tensor")),
    "softmax of another axis": (softmax(axis=1), ("another axis than the last", "transpose")),
    "softmax of a sum": (softmax(before=False), ("Softmax", "put a quantizer")),
    "softmax that falls": (softmax(factor=-7), ("put the negative factor before the quantizer",)),
    "softmax that falls steeply": (softmax(factor=-200), ("put the negative factor before",)),
    "softmax without a quantizer": (softmax(after=False), ("Softmax", "put a quantizer")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_names_what_helps(name: str) -> None:
    proto, words = REFUSED[name]
    with pytest.raises(QnncError) as refusal:
        compile_proto(proto)
    text = str(refusal.value)
    assert "\n" not in text
    for word in words:
        assert word in text, text


@pytest.mark.parametrize("planted", ["term", "sum"])
def test_a_wrong_softmax_is_found(planted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that is off by a hundredth is more than float32's rounding."""
    right = Exponents.tabulate

    def wrong(distances: int, **given: float) -> Exponents:
        found = right(distances, **given)  # type: ignore[arg-type]
        row = 0 if planted == "sum" else 1
        found.tables[row] = found.tables[row] * 101 // 100
        return found

    _, outcome, _ = compile_proto(softmax(), samples=200)
    assert outcome.mismatches == 0
    monkeypatch.setattr(Exponents, "tabulate", wrong)
    with pytest.raises(VerificationError, match="scaled-integer"):
        compile_proto(softmax(), samples=200)


def test_float32_gives_what_the_bound_allows() -> None:
    """ONNX Runtime's softmax of random codes, wide and narrow, and of codes that are all alike."""
    from onnxruntime import InferenceSession

    rng, checked = np.random.default_rng(3), 0
    for scale, offset, step, n in (
        (0.1, 0.0, 1 / 255, 7),
        (1.0, 0.3, 1 / 15, 33),
        (0.02, 2.0, 0.004, 64),
    ):
        g = Graph(17)
        y = g.op("Softmax", g.input("x", (n,)), axis=1)[0]
        proto = g.done(g.op("Round", g.op("Div", y, g.constant(step))[0])[0], (n,))
        proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
        codes = rng.integers(-128, 128, (4000, n))
        codes[:100] = codes[:100, :1]
        x = codes.astype(np.float32) * np.float32(scale) + np.float32(offset)
        session = InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
        (given,) = session.run(None, {"x": x})
        step = float(np.float32(step))
        found = Exponents.tabulate(
            256, scale=float(np.float32(scale)), offset=offset, step=step, rounding=1,
            most=round(1 / step), base=0,
        )  # fmt: skip
        low, high = found.between(codes.astype(np.float64))
        assert np.all(low <= given) and np.all(given <= high)
        checked += int((low != high).sum())
        assert np.mean(low != high) < 0.05
    assert checked


@pytest.mark.parametrize("packed", [False, True])
def test_brevitas_attention_is_exact(packed: bool) -> None:
    """QuantMultiheadAttention, tokens in the middle and in front, as its own forward has it: a
    module that is written for one sample."""
    torch = pytest.importorskip("torch")
    qnn = pytest.importorskip("brevitas.nn")
    quant = pytest.importorskip("brevitas.quant")

    class Attention(torch.nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.enter = qnn.QuantIdentity(bit_width=4)
            self.attention = qnn.QuantMultiheadAttention(
                8, 2, batch_first=True, packed_in_proj=packed, bias=False,
                in_proj_input_quant=None, in_proj_weight_bit_width=4, out_proj_weight_bit_width=4,
                softmax_input_quant=quant.Int8ActPerTensorFloat, softmax_input_bit_width=4,
            )  # fmt: skip

        def forward(self, x: Any) -> Any:
            x = self.enter(x.reshape(1, 5, 8))
            return self.attention(x, x, x)[0]

    torch.manual_seed(0)
    module = Attention().train()
    with torch.no_grad():
        for _ in range(4):
            module(torch.rand(1, 5, 8) * 2 - 1)
    model = load(module.eval(), (1, 5, 8))
    forward = witness_of(model)
    assert forward is not None
    x = np.random.default_rng(0).normal(size=(20, 5, 8)).astype(np.float32)
    heard = hear(forward, Golden(model), x)
    assert heard is not None and heard.layer == "" and heard.differ <= 0.01 * heard.elements
    model, outcome, _ = compile_model(model, samples=SAMPLES, each=False)
    assert outcome.mismatches == 0
    assert [node.op_type for node in model.graph].count("DynamicMVAU") == 2
