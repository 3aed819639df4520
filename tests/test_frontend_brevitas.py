# SPDX-License-Identifier: Apache-2.0
"""Brevitas networks: exported both ways to the same integers, from Python and from the command
line; what is said when something is wrong."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from numpy.typing import NDArray

from qnnc.compiler.api import build
from qnnc.compiler.dataflow import is_dataflow
from qnnc.compiler.errors import ModelError, OptionError
from qnnc.compiler.frontend import find_frontend, witness_of
from qnnc.compiler.ir.edit import constant
from qnnc.compiler.reference import Session, expand
from qnnc.frontends.brevitas import load
from tests.support.build import compile_model, qnnc

NETWORK = """
import brevitas.nn as qnn
import torch
from brevitas.quant import Int8AccumulatorAwareWeightQuant
from torch import nn

def mlp(weight_bits=4, bits=4, per_channel=False, batch_norm=True, bias=True, seed=0):
    torch.manual_seed(seed)
    options = dict(
        weight_bit_width=weight_bits,
        weight_scaling_per_output_channel=per_channel,
        bias=bias,
    )
    layers = [qnn.QuantIdentity(bit_width=8), nn.Flatten()]
    for k, m in ((36, 16), (16, 12)):
        layers.append(qnn.QuantLinear(k, m, **options))
        layers += [nn.BatchNorm1d(m)] if batch_norm else []
        layers.append(qnn.QuantReLU(bit_width=bits))
    layers.append(qnn.QuantLinear(12, 5, **options))
    return settled(nn.Sequential(*layers))

def cnn():
    torch.manual_seed(1)
    options = dict(weight_bit_width=4, weight_scaling_per_output_channel=True, padding=1)
    layers = [
        qnn.QuantIdentity(bit_width=8),
        qnn.QuantConv2d(1, 6, 3, **options), nn.BatchNorm2d(6), qnn.QuantReLU(bit_width=4),
        nn.MaxPool2d(2),
        qnn.QuantConv2d(6, 6, 3, groups=6, **options), qnn.QuantReLU(bit_width=3),
        nn.Flatten(),
        qnn.QuantLinear(54, 5, bias=False, weight_bit_width=4),
    ]
    return settled(nn.Sequential(*layers))

def settled(net):
    net.train()
    for _ in range(3):
        net(torch.randn(16, 1, 6, 6))
    return net.eval()

def a2q():
    torch.manual_seed(0)
    layers = [
        nn.Flatten(), qnn.QuantIdentity(bit_width=8, return_quant_tensor=True),
        qnn.QuantLinear(36, 16, bias=True, weight_quant=Int8AccumulatorAwareWeightQuant,
                        weight_accumulator_bit_width=12),
        qnn.QuantReLU(bit_width=4), qnn.QuantLinear(16, 5, bias=True, weight_bit_width=4),
    ]
    return settled(nn.Sequential(*layers))

def broken():
    raise RuntimeError("no weights")

number = 3
"""
SHAPE = (1, 1, 6, 6)


@pytest.fixture(scope="module")
def networks() -> dict[str, Any]:
    """The functions of the module above; skips without torch and brevitas."""
    pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("brevitas", reason="brevitas is not installed")
    names: dict[str, Any] = {}
    exec(compile(NETWORK, "networks", "exec"), names)
    return names


@pytest.fixture
def module_folder(networks: dict[str, Any], tmp_path: Path) -> Path:
    """A folder with the module above as networks_of_mine.py."""
    (tmp_path / "networks_of_mine.py").write_text(NETWORK, encoding="utf-8")
    return tmp_path


Layer = tuple[str, dict[str, Any], list[NDArray[Any]]]


def integer_graph(model: ir.Model) -> list[Layer]:
    """Operator, attributes and constants (weights, thresholds) of every dataflow node."""
    layers = []
    for node in model.graph:
        if is_dataflow(node):
            arrays = [constant(value) for value in node.inputs[1:]]
            layers.append(
                (
                    node.op_type,
                    {name: a.value for name, a in node.attributes.items()},
                    [array for array in arrays if array is not None],
                )
            )
    return layers


def assert_same(one: list[Layer], other: list[Layer]) -> None:
    assert [layer[0] for layer in one] == [layer[0] for layer in other]
    for (_, a, x), (_, b, y) in zip(one, other, strict=True):
        assert a == b
        assert all(np.array_equal(p, q) for p, q in zip(x, y, strict=True))


@pytest.mark.parametrize("exporter", ["torchscript", "dynamo"])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mlp", {}),
        ("mlp", {"weight_bits": 8, "bits": 8, "per_channel": True}),
        ("mlp", {"weight_bits": 2, "bits": 3, "batch_norm": False, "seed": 3}),
        ("mlp", {"weight_bits": 5, "bits": 2, "bias": False, "seed": 4}),
        ("cnn", {}),
    ],
)
def test_both_exports_compile_to_the_same_integers(
    networks: dict[str, Any], name: str, options: dict[str, Any], exporter: str
) -> None:
    net = networks[name](**options)
    compiled = []
    for export in ("qonnx", "qcdq"):
        model, outcome, _ = compile_model(load(net, SHAPE, export=export, exporter=exporter))
        assert outcome.mismatches == 0
        compiled.append(integer_graph(model))
    assert len(compiled[0]) >= 5
    assert_same(*compiled)


@pytest.mark.parametrize("export", ["qonnx", "qcdq"])
@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_the_golden_graph_is_the_network(networks: dict[str, Any], name: str, export: str) -> None:
    import torch

    net, generator = networks[name](), torch.Generator().manual_seed(2)
    x = torch.randn((40, *SHAPE[1:]), generator=generator)
    model = load(net, x, export=export)
    session, name_of_input = Session(expand(model)), str(model.graph.inputs[0].name)
    with torch.no_grad():
        wanted = net(x)
    wanted = getattr(wanted, "value", wanted).numpy()
    for i in range(len(x)):
        (found,) = session.run({name_of_input: x[i : i + 1].numpy()}).values()
        # float32 sums are in another order: an activation may fall on the other side of a step
        assert np.abs(found - wanted[i]).max() <= 0.05 * np.abs(wanted).max()
        assert np.median(np.abs(found - wanted[i])) <= 1e-5 * np.abs(wanted).max()


def test_a_module_is_left_as_it_was(networks: dict[str, Any]) -> None:
    """Loading it and running it as a witness: modes of its parts, weights, torch's numbers."""
    import torch

    net = networks["mlp"]().train()
    net[3].eval()  # a frozen batch norm
    modes = [part.training for part in net.modules()]
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = torch.random.get_rng_state()
    witness = witness_of(load(net, SHAPE))
    assert witness is not None
    x = np.random.default_rng(0).normal(size=(20, *SHAPE[1:])).astype(np.float32)
    layers = witness(x)
    assert layers[-1][0] == "" and layers[-1][1].shape == (20, 5)
    assert [part.training for part in net.modules()] == modes
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(net.state_dict()[name], value) for name, value in before.items())
    assert not any(part._forward_hooks for part in net.modules())


@pytest.mark.parametrize("extra", [{}, {"input_type": "int8", "input_scale": "1/32", "top_k": 1}])
def test_a_module_s_own_forward_is_a_witness(
    module_folder: Path, monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any]
) -> None:
    """Brevitas exports an accumulator-aware layer otherwise than it computes it."""
    monkeypatch.chdir(module_folder)
    monkeypatch.delitem(sys.modules, "networks_of_mine", raising=False)
    found = {}
    for name in ("mlp", "a2q"):
        source, out = f"networks_of_mine:{name}", module_folder / name
        report = build(source, out=out, input_shape="1,1,6,6", until="passes", **extra)
        assert report.verification.mismatches == 0
        found[name] = report
    right, wrong = found["mlp"].verification.witness, found["a2q"].verification.witness
    assert right is not None and wrong is not None
    assert (right.elements, wrong.elements) == (320, 320)
    assert right.differ <= 16 and wrong.differ > 64  # where float32 rounds across a step, and more
    assert (wrong.layer, right.layer) == ("2", "")
    (warning,) = (w for w in found["a2q"].warnings if "not quite the module" in w)
    assert f"{wrong.differ} of 320 outputs differ" in warning and "from layer '2' on" in warning
    page = (module_folder / "a2q" / "report.html").read_text()
    assert "is not quite the module" in page


@pytest.mark.parametrize("extra", [[], ["--frontend-option", "export=qcdq"]])
def test_build_from_the_command_line(module_folder: Path, extra: list[str]) -> None:
    arguments = ["build", "networks_of_mine:mlp", "--input-shape", "1,1,6,6", "--out", "o"]
    done = qnnc([*arguments, "--until", "estimate", "--json", *extra], cwd=module_folder)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["verification"]["mismatches"] == 0
    assert [layer["op"] for layer in report["layers"]].count("MVAU") == 3


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["networks_of_mine:mlp"], ["networks_of_mine:mlp", "--input-shape 1,1,28,28"]),
        (["networks_of_mine:mpl", "--input-shape", "1,1,6,6"], ["'mpl'", "did you mean mlp"]),
        (["networks_of_yours:mlp", "--input-shape", "1,1,6,6"], ["'networks_of_yours'"]),
        (["networks_of_mine:broken", "--input-shape", "1,1,6,6"], ["RuntimeError: no weights"]),
        (["networks_of_mine:number", "--input-shape", "1,1,6,6"], ["torch.nn.Module"]),
        (["networks_of_mine:mlp", "--input-shape", "1,1,7,7"], ["qonnx export", "RuntimeError"]),
        (["networks_of_mine:mlp", "--input-shape", "1x1xa"], ["--input-shape", "'1x1xa'"]),
        (
            ["networks_of_mine:mlp", "--input-shape", "1,1,6,6", "--frontend-option", "exprt=qcdq"],
            ["'exprt'", "did you mean export"],
        ),
        (
            [
                "networks_of_mine:mlp",
                "--input-shape",
                "1,1,6,6",
                "--frontend-option",
                "export=qcqd",
            ],
            ["'qcqd'", "did you mean qcdq"],
        ),
        (
            ["networks_of_mine:mlp", "--input-shape", "1,1,6,6", "--frontend-option", "export"],
            ["name=value", "'export'"],
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    module_folder: Path, arguments: list[str], names: list[str]
) -> None:
    done = qnnc(["build", *arguments, "--out", "o"], cwd=module_folder)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    for name in names:
        assert name in done.stderr


def test_wrong_choices_in_python(networks: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="did you mean qonnx"):
        load(networks["mlp"](), SHAPE, export="qonx")
    with pytest.raises(OptionError, match=r"not a torch\.nn\.Module"):
        load(3, SHAPE)
    with pytest.raises(OptionError, match="tensor or a shape"):
        load(networks["mlp"](), 3)
    with pytest.raises(ModelError, match="qcdq export"):
        load(networks["mlp"](), (1, 5), export="qcdq")


def test_without_torch(tmp_path: Path) -> None:
    """Where torch is installed, one that cannot be imported is put before it."""
    (tmp_path / "torch.py").write_text("raise ImportError('no torch here')", encoding="utf-8")
    (tmp_path / "mine.py").write_text("def net(): pass", encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = qnnc(
        ["build", "mine:net", "--input-shape", "1,4", "--out", "o"],
        cwd=tmp_path,
        env={"PYTHONPATH": path},
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and "pip install 'qnnc[train]'" in done.stderr


def test_the_frontend_knows_its_sources(tmp_path: Path) -> None:
    assert find_frontend("package.module:factory").name == "brevitas"
    for other in ("model.onnx", "C:\\models\\net.onnx", "a:b:c", "x y:z"):
        try:
            assert find_frontend(other).name != "brevitas"
        except OptionError as error:
            assert "no frontend" in str(error)


def test_a_network_is_built_as_it_stands(networks: dict[str, Any], tmp_path: Path) -> None:
    """The object itself, its own forward heard; the same accelerator as by its name."""
    found = {}
    for name in ("mlp", "a2q"):
        net = networks[name]()
        weights = {key: value.clone() for key, value in net.state_dict().items()}
        found[name] = build(net, input_shape=SHAPE, out=tmp_path / name, until="estimate")
        assert all((net.state_dict()[key] == value).all() for key, value in weights.items())
        assert found[name].model.endswith("Sequential object")
        assert found[name].verification.mismatches == 0
    right, wrong = (found[name].verification.witness for name in ("mlp", "a2q"))
    assert right is not None and right.differ <= 16 and right.layer == ""
    assert wrong is not None and wrong.differ > 64 and wrong.layer == "2"
    again = build(networks["mlp"](), input_shape="1,1,6,6", out=tmp_path / "b", until="estimate")
    assert again.layers == found["mlp"].layers
    quiet = build(
        networks["mlp"](), input_shape=SHAPE, out=tmp_path / "c", until="estimate", verify="none"
    )
    assert quiet.verification.witness is None


def test_what_is_no_network_is_refused(networks: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"a dict is not a model; give a torch\.nn\.Module"):
        build({}, out=tmp_path / "a")
    with pytest.raises(OptionError, match=r"a Sequential needs .* input_shape=\(1, 1, 28, 28\)"):
        build(networks["mlp"](), out=tmp_path / "a")
    with pytest.raises(OptionError, match="qonnx does not read a Sequential; leave the"):
        build(networks["mlp"](), out=tmp_path / "a", input_shape=SHAPE, frontend="qonnx")


def test_a_network_that_is_gone_is_asked_for_again(
    networks: dict[str, Any], tmp_path: Path
) -> None:
    build(networks["mlp"](), input_shape=SHAPE, out=tmp_path / "a", until="rtl")
    done = qnnc(["simulate", tmp_path / "a"])
    assert done.returncode == 2
    assert "was a Python object" in done.stderr and "build it again from Python" in done.stderr
    assert "\n" not in done.stderr.strip()
