# SPDX-License-Identifier: Apache-2.0
"""Swish, HardSwish, Mish, GELU and Softplus in several operators, as exporters write them: where
they turn round, how far float32 takes them back, and their tables by bisection."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.reference import Session, expand
from qnnc.compiler.tails.collect import collect
from qnnc.compiler.tails.curves import ROUNDING
from qnnc.compiler.tails.evaluate import evaluate
from qnnc.compiler.tails.gated import ROUNDED, gated
from tests.test_tables import assert_same, ended, graph_of

Nodes = list[tuple[str, list[str], str, dict[str, Any]]]
NUMBERS = {
    "half": 0.5, "one": 1.0, "three": 3.0, "six": 6.0, "zero": 0.0, "root": np.sqrt(2.0),
    "part": np.sqrt(0.5), "steep": 1.702, "sixth": 1 / 6, "pi": np.sqrt(2 / np.pi),
    "cubic": 0.044715, "less": -1.0, "five": 5.0, "flat": 0.7,
}  # fmt: skip


def op(kind: str, *inputs: str, to: str, **attributes: Any) -> Nodes:
    return [(kind, list(inputs), to, attributes)]


GATE_6 = op("Add", "v", "three", to="g1") + op("Clip", "g1", "zero", "six", to="g2")
ERF = op("Div", "v", "root", to="g1") + op("Erf", "g1", to="g2") + op("Add", "g2", "one", to="g3")
SUM = op("Mul", "c3", "cubic", to="c4") + op("Add", "v", "c4", to="c5")
CUBE = op("Pow", "v", "three", to="c3")
MULS = op("Mul", "v", "v", to="c2") + op("Mul", "c2", "v", to="c3")
TANH = op("Mul", "c5", "pi", to="g1") + op("Tanh", "g1", to="g2") + op("Add", "one", "g2", to="g3")
EXP = op("Exp", "v", to="g1") + op("Add", "g1", "one", to="g2")
FORMS: dict[str, Nodes] = {
    "swish": op("Sigmoid", "v", to="g") + op("Mul", "v", "g", to="w"),
    "swish, steeper": op("Mul", "v", "steep", to="g1")
    + op("Sigmoid", "g1", to="g")
    + op("Mul", "g", "v", to="w"),
    "hardswish": op("HardSigmoid", "v", to="g", alpha=1 / 6, beta=0.5)
    + op("Mul", "v", "g", to="w"),
    "hardswish, clipped": GATE_6 + op("Div", "g2", "six", to="g3") + op("Mul", "v", "g3", to="w"),
    "hardswish, clipped at the end": GATE_6
    + op("Mul", "v", "g2", to="w1")
    + op("Div", "w1", "six", to="w"),
    "mish": op("Softplus", "v", to="g1") + op("Tanh", "g1", to="g") + op("Mul", "v", "g", to="w"),
    "gelu": ERF + op("Mul", "v", "g3", to="w1") + op("Mul", "w1", "half", to="w"),
    "gelu, half of v": ERF + op("Mul", "half", "v", to="h") + op("Mul", "h", "g3", to="w"),
    "gelu, half of the gate": ERF + op("Mul", "g3", "half", to="g4") + op("Mul", "v", "g4", to="w"),
    "gelu, tanh": CUBE
    + SUM
    + TANH
    + op("Mul", "v", "g3", to="w1")
    + op("Mul", "w1", "half", to="w"),
    "gelu, tanh, products": MULS
    + SUM
    + TANH
    + op("Mul", "v", "half", to="h")
    + op("Mul", "h", "g3", to="w"),
    "softplus": EXP + op("Log", "g2", to="w"),
}
REFUSED: dict[str, Nodes] = {
    "gate falls": op("Mul", "v", "less", to="g1")
    + op("Sigmoid", "g1", to="g")
    + op("Mul", "v", "g", to="w"),
    "clipped elsewhere": op("Add", "v", "three", to="g1")
    + op("Clip", "g1", "zero", "five", to="g2")
    + op("Mul", "v", "g2", to="w"),
    "other shift": op("Add", "v", "one", to="g1")
    + op("Clip", "g1", "zero", "six", to="g2")
    + op("Mul", "v", "g2", to="w"),
    "other width": op("Mul", "v", "flat", to="g1")
    + op("Erf", "g1", to="g2")
    + op("Add", "g2", "one", to="g3")
    + op("Mul", "v", "g3", to="w"),
    "other sum": op("Mul", "v", "part", to="g1")
    + op("Erf", "g1", to="g2")
    + op("Add", "g2", "three", to="g3")
    + op("Mul", "v", "g3", to="w"),
    "other gate": op("Sigmoid", "v", to="g")
    + op("Tanh", "v", to="h")
    + op("Mul", "h", "g", to="w"),
    "gate used again": FORMS["swish"][:-1]
    + op("Mul", "v", "g", to="w1")
    + op("Add", "w1", "g", to="w"),
    "gate of what is gated": op("Sigmoid", "v", to="g")
    + op("Mul", "v", "g", to="w1")
    + op("Mul", "w1", "g", to="w"),
    "square": op("Mul", "v", "v", to="w"),
    "shifted": op("Add", "v", "one", to="h")
    + op("Sigmoid", "v", to="g")
    + op("Mul", "h", "g", to="w"),
    "negative": op("Mul", "v", "less", to="h")
    + op("Sigmoid", "v", to="g")
    + op("Mul", "h", "g", to="w"),
    "logarithm": op("Add", "v", "one", to="g2") + op("Log", "g2", to="w"),
    "hard gate": op("HardSigmoid", "v", to="g", alpha=0.2, beta=0.5) + op("Mul", "v", "g", to="w"),
    "no cubic": CUBE
    + op("Mul", "c3", "half", to="c4")
    + op("Add", "v", "c4", to="c5")
    + TANH
    + op("Mul", "v", "g3", to="w"),
}


def model_of(
    form: Nodes, scale: Any, steps: float, low: int, high: int, codes: str = "Floor"
) -> Any:
    """x times a scale, the function, times something, to codes."""
    nodes = [*op("Mul", "x", "s", to="v"), *form, *op("Mul", "w", "t", to="z")]
    used = {name for _, inputs, _, _ in form for name in inputs}
    constants = {n: number for n, number in NUMBERS.items() if n in used}
    constants |= {"s": scale, "t": steps}
    anchors = {"x": ((1, 3), low, high)}
    return graph_of([*nodes, *op(codes, "z", to="y")], constants, anchors, "y")


@pytest.mark.parametrize("name", FORMS)
def test_they_turn_round_where_it_is_said(name: str) -> None:
    """Float32 takes them back by no more than half of what is allowed for; all around the turning
    point, and far out on both sides."""
    for reach in (3.0, 30.0, 3000.0, 1e5):
        model = model_of(FORMS[name], 1.0, 1.0, -9, 9)
        found = gated(list(model.graph))
        (node, curve), *more = found.curves.items()
        assert not more and curve.reads is not None and curve.reads.name == "v"
        rng = np.random.default_rng(int(reach))
        v = rng.uniform(-reach, reach, 40_000)
        if curve.cuts:
            near = curve.cuts[0] + np.arange(-2000, 2000) * 1e-7
            v = np.concatenate([v, near, near * 1.001])
        v = np.sort(v.astype(np.float32))
        plain = expand(model, outputs=[node.outputs[0]], any_batch=True)
        y = Session(plain).run({"x": np.repeat(v[:, None], 3, axis=1)})[str(node.outputs[0].name)]
        piece = np.searchsorted(np.array(curve.cuts), v, "right")
        for number, sign in enumerate(curve.signs):
            own = y[piece == number, 0].astype(np.float64) * int(sign)
            own = own[np.isfinite(own)]
            highest = np.maximum.accumulate(own) if own.size else own
            allowed = ROUNDED * ROUNDING / 2 * max(1.0, reach) * np.maximum(np.abs(highest), 1)
            assert np.all(highest - own <= allowed), (reach, (highest - own).max())


@pytest.mark.parametrize("name", FORMS)
def test_their_tables_by_bisection_are_those_of_every_integer(name: str) -> None:
    for scale, steps, low, high in (
        ([0.01, -0.01, 0.004], 40.0, -900, 700),
        ([0.03, 0.02, -0.04], -9.0, -2000, 300),
        ([0.001, 0.002, 0.003], 700.0, 50, 900),
    ):
        results = []
        for limit in (1 << 20, 10):
            model = model_of(FORMS[name], scale, steps, low, high)
            results.append(evaluate(model, collect(ended(model)), limit, 4000))
        assert results[0].exhaustive and not results[1].exhaustive
        assert_same(results[1], results[0])


@pytest.mark.parametrize("name", ["swish", "gelu", "hardswish, clipped", "softplus"])
def test_ranges_of_many_millions(name: str) -> None:
    """Held against the function at every place where its code changes, and one before."""
    model = model_of(FORMS[name], [1.7e-6, -1.7e-6, 9e-7], 8.1, -(1 << 24), 1 << 24, "Round")
    tail = collect(ended(model))
    found = evaluate(model, tail, 1 << 24, 4000)
    session = Session(expand(model, any_batch=True))
    for channel, (at, to) in enumerate(zip(found.at, found.to, strict=True)):
        assert at.size > 20
        before = np.concatenate([[found.first[channel]], to[:-1]])
        for x, code in ((at, to), (at - 1, before)):
            feeds = {"x": np.repeat(x[:, None], 3, axis=1).astype(np.float32)}
            assert session.run(feeds)["y"][:, channel].tolist() == code.tolist()


@pytest.mark.parametrize("name", REFUSED)
def test_what_only_looks_like_them_is_refused(name: str) -> None:
    model = model_of(REFUSED[name], 0.01, 40.0, -300, 300)
    with pytest.raises(Unsupported, match="not known to be monotone"):
        evaluate(model, collect(ended(model)), 10, 4000)


def test_constants_may_be_those_of_float32_and_no_others() -> None:
    for off, known in ((1e-6, True), (1e-4, False)):
        model = model_of(FORMS["gelu"], 0.01, 40.0, -300, 300)
        value = model.graph.initializers["root"]
        value.const_value = ir.tensor(np.float32(np.sqrt(2) * (1 + off)), name="root")
        assert bool(gated(list(model.graph)).curves) == known
