# SPDX-License-Identifier: Apache-2.0
"""The training step in few operations is the Brevitas model's: numbers, gradients, statistics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qnnc.compiler.errors import WorkspaceError
from qnnc.explore.data import load_images
from qnnc.explore.formats import largest, quantize, step
from qnnc.explore.study import Network, Widths, load_study
from tests.support.study import needs_training, write_images, write_study

pytestmark = needs_training
WIDTHS = range(1, 9)


@pytest.mark.parametrize("bits", WIDTHS)
def test_numbers_are_those_of_the_format_and_of_brevitas(bits: int) -> None:
    import torch

    from qnnc.explore.training.fused import rounded
    from qnnc.explore.training.network import linear, quantizer

    half = step(bits) / 2
    ties = torch.arange(-8 * int(2 / half), 8 * int(2 / half) + 1) * half
    numbers = torch.cat([torch.randn(4000), ties, torch.zeros(1)])
    found = rounded(numbers, bits)
    assert torch.equal(found, torch.tensor(quantize(numbers.numpy(), bits), dtype=torch.float32))
    layer = linear(len(numbers), 1, bits)
    layer.weight.data = numbers[None].clamp(-largest(bits), largest(bits))
    assert torch.equal(rounded(layer.weight.data, bits), layer.quant_weight().value)
    seen = numbers.clamp(-largest(bits), largest(bits))[None]
    assert torch.equal(rounded(seen, bits), torch.as_tensor(quantizer(bits)(seen)))
    assert torch.equal(found.bfloat16().float(), found)


def gradients(model: Any, scores: Any, labels: Any) -> list[Any]:
    import torch

    model.zero_grad()
    torch.nn.functional.cross_entropy(scores, labels).backward()
    return [p.grad.clone() for p in model.parameters()]


@pytest.mark.parametrize("bits", [(1, 1), (2, 2), (3, 1), (1, 3), (4, 5), (8, 8)])
def test_a_step_is_that_of_brevitas(bits: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without dropout and in float32, to the rounding of float32 sums."""
    import torch

    from qnnc.explore.training import fused
    from qnnc.explore.training.network import make_network

    monkeypatch.setattr(fused, "product_type", lambda device: torch.float32)
    network = Network(inputs=40, hidden=(32, 24), classes=5)
    widths = Widths((bits[0],) * 3, (bits[1],) * 3)
    torch.manual_seed(sum(bits))
    model = make_network(network, widths).train()
    images = torch.randint(0, 256, (64, 40), dtype=torch.uint8)
    labels = torch.randint(0, 5, (64,))
    slow = model(images.float() / 255)
    expected = gradients(model, slow, labels)
    statistics = [layer.running_var.clone() for layer in model if hasattr(layer, "running_var")]
    again = make_network(network, widths).train()
    again.load_state_dict(
        {name: value for name, value in model.state_dict().items() if "running" not in name}
        | {name: value for name, value in again.state_dict().items() if "running" in name}
    )
    step_ = fused.FusedNetwork(again, network, widths, "cpu")
    quick = step_.scores(images)
    assert torch.allclose(quick, slow, rtol=1e-4, atol=1e-5)
    for mine, theirs in zip(gradients(again, quick, labels), expected, strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-3, atol=1e-6)
    for norm, variance in zip(step_.norms, statistics, strict=True):
        assert torch.allclose(norm.running_var, variance, rtol=1e-4)


def test_dropout_keeps_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is dropped in the hidden layers is made up for in the sums."""
    import torch

    from qnnc.explore.training.fused import FusedNetwork
    from qnnc.explore.training.network import make_network

    network = Network(inputs=64, hidden=(256,), classes=4, dropout_hidden=0.5)
    widths = Widths((4, 4), (4, 4))
    torch.manual_seed(3)
    model = make_network(network, widths).train()
    step_ = FusedNetwork(model, network, widths, "cpu")
    seen: list[Any] = []
    step_.norms[-1].register_forward_pre_hook(lambda layer, given: seen.append(given[0]))
    images = torch.randint(0, 256, (512, 64), dtype=torch.uint8)
    with torch.no_grad():
        for _ in range(200):
            step_.scores(images)
        dropped = torch.stack(seen).mean(0)
        seen.clear()
        step_.network = network.model_copy(update={"dropout_hidden": 0.0})
        step_.scores(images)
    spread = float((dropped - seen[0]).std() / seen[0].std())
    assert spread < 0.15


def test_validation_images_choose_the_epoch(tmp_path: Path) -> None:
    from qnnc.explore.training.train import Trainer

    path, folder = write_study(tmp_path)
    write_images(folder, "train", 200, seed=2)
    study = load_study(str(path), data={"validation": 50}, training={"epochs": [6]})
    images = load_images(folder, study.data, study.network)
    assert (len(images.train), len(images.validation), len(images.test)) == (150, 50, 160)
    rows = [{tuple(row) for row in part} for part in (images.train, images.validation)]
    assert not rows[0] & rows[1]
    errors: list[float] = []
    widths = Widths((2, 2, 2), (3, 3, 3))
    trainer = Trainer(study, widths, images, tmp_path / "checkpoint.pt", "cpu")
    while trainer.epoch < 6:
        trainer.train_to(trainer.epoch + 1, lambda epoch: None)
        errors.append(error_of(trainer.model, images))
    assert trainer.best is not None
    assert trainer.best.epoch == 1 + errors.index(min(errors))
    assert error_of(trainer.chosen(), images) == trainer.best.error == min(errors)
    loaded = Trainer(study, widths, images, tmp_path / "checkpoint.pt", "cpu")
    assert loaded.best is not None and loaded.best.epoch == trainer.best.epoch
    assert error_of(loaded.chosen(), images) == min(errors)
    with pytest.raises(WorkspaceError, match="too few to keep 200"):
        load_images(folder, study.data.model_copy(update={"validation": 200}), study.network)


def error_of(model: Any, images: Any) -> float:
    import torch

    x = torch.from_numpy(images.validation).float() / 255
    with torch.no_grad():
        wrong = model(x).argmax(1).numpy() != images.validation_labels
    return float(100 * wrong.sum() / len(wrong))
