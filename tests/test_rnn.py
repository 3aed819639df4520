# SPDX-License-Identifier: Apache-2.0
"""QuantRNN of Brevitas: a recurrence with one state, against Brevitas' forward and a definition in
numpy, and as hardware."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qnnc.backends.simulation.simulate import Pressure
from qnnc.compiler.errors import ModelError, OptionError
from qnnc.compiler.reference import BatchRunner
from qnnc.frontends.qonnx import from_proto
from tests.support.build import compile_model, compile_proto
from tests.support.graph_check import simulated_failure
from tests.support.recurrent import hidden_states
from tests.support.rnn import Rnn


@pytest.mark.parametrize("function", ["tanh", "relu"])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_cell_is_what_numpy_computes(function: str, reverse: bool) -> None:
    rnn = Rnn(function=function, reverse=reverse, seed=2)
    model, outcome, _ = compile_proto(rnn.model(), samples=8, each=False)
    assert outcome.mismatches == 0
    x = np.random.default_rng(1).normal(size=(32, 3, 5)).astype(np.float32)
    results = BatchRunner(model).run({"x": x})
    for i, sample in enumerate(x):
        for mine, theirs in zip(results.values(), rnn.forward(sample), strict=True):
            assert np.array_equal(mine[i].reshape(theirs.shape), theirs)


def test_hardware_is_exact_under_back_pressure(cache: Path) -> None:
    proto = Rnn(3, 4, 4, reverse=True, seed=3).model()
    assert simulated_failure(proto, cache, Pressure(source=60, sink=40, seed=3)) is None


def module_of(steps_first: bool = False, **options: Any) -> Any:
    """A network with a QuantRNN, its scales settled on random sequences of six steps."""
    module = hidden_states("QuantRNN", 5, 4, batch_first=not steps_first, **options)
    torch = pytest.importorskip("torch")
    with torch.no_grad():
        module.train()(torch.randn((6, 16, 5) if steps_first else (16, 6, 5)))
    return module.eval()


@pytest.mark.parametrize(
    ("steps_first", "options"),
    [
        (True, {}),
        (False, {"nonlinearity": "relu", "bidirectional": True}),
        (False, {"num_layers": 2, "weight_bit_width": 4, "io_bit_width": 4, "bias": False}),
    ],
    ids=["steps first", "both ways", "two layers"],
)
def test_brevitas_own_forward(steps_first: bool, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    from qnnc.frontends.brevitas import load

    module = module_of(steps_first, **options)
    shape = (6, 1, 5) if steps_first else (1, 6, 5)
    model, outcome, _ = compile_model(load(module, shape), samples=4, each=False)
    assert outcome.mismatches == 0
    x = torch.randn(32, *shape)
    with torch.no_grad():
        expected = np.stack([module(sample).numpy() for sample in x])
    fed = x.numpy() if steps_first else x.numpy()[:, 0]
    found = next(iter(BatchRunner(model).run({str(model.graph.inputs[0].name): fed}).values()))
    assert np.array_equal(found.reshape(expected.shape), expected)
    layers = [m for m in module.modules() if hasattr(m, "gate_params")]
    assert not any("forward" in vars(m) or m.export_handler is not None for m in layers)


def test_what_is_refused() -> None:
    from qnnc.frontends.brevitas import load

    with pytest.raises(OptionError, match="leave exporter as it is"):
        load(module_of(), (1, 6, 5), exporter="dynamo")
    with pytest.raises(OptionError, match="leave export as it is"):
        load(module_of(), (1, 6, 5), export="qcdq")
    with pytest.raises(ModelError, match="give it gate_acc_quant"):
        load(module_of(gate_acc_quant=None), (1, 6, 5))


def test_an_unknown_function_is_refused() -> None:
    with pytest.raises(ModelError, match="'elu' is not one of its functions, tanh and relu"):
        from_proto(Rnn(function="elu").model())
