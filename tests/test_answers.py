# SPDX-License-Identifier: Apache-2.0
"""Answers that differ only because float32 rounds the golden graph's sums."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.qonnx_graph import QonnxGraph, Tensor
from qnnc.compiler.api import build, verify
from qnnc.compiler.building.answers import answers, as_answers, load_model, load_samples, near_ties
from qnnc.compiler.building.workspace import Workspace

TERMS, SAMPLES = 64, 300


def tied_network(folder: Path, classes: int, change: int = 0) -> tuple[Path, Path]:
    """A layer whose classes have the same weights in another order, and samples that are the same
    in every place: all classes have the same integer sum, and float32 rounds each its own way.

    Args:
        change: to the first weight of the first class.
    """
    graph = QonnxGraph(seed=3)
    x = graph.quantize(graph.input((TERMS,)), 8, 1 / 255, signed=False)
    weights = graph.rng.integers(-6, 7, TERMS)
    columns = np.stack([graph.rng.permutation(weights) for _ in range(classes)], axis=1)
    columns[0, 0] += change
    w = graph.quantize(Tensor(graph.constant(columns * 0.0371), columns.shape), 4, 0.0371)
    y = Tensor(graph.op("MatMul", [x.name, w.name])[0], (classes,))
    model, samples = folder / f"tied{classes}{change}.onnx", folder / "samples.npy"
    onnx.save(graph.model(y), model)
    values = np.linspace(0, 1, SAMPLES, dtype=np.float32)
    np.save(samples, np.repeat(values[:, None], TERMS, axis=1))
    return model, samples


@pytest.mark.parametrize(
    ("classes", "options"),
    [(3, {"top_k": 1}), (3, {}), (1, {}), (3, {"stop_after": "scaled-integer"})],
    ids=["labels", "scores", "whole outputs", "half-compiled"],
)
def test_what_float32_rounds_is_told_from_faults(
    tmp_path: Path, classes: int, options: dict[str, object]
) -> None:
    model, samples = tied_network(tmp_path, classes)
    build(model, out=tmp_path / "out", until="passes", **options)
    verdict = verify(tmp_path / "out", samples)
    assert verdict.near > 50 and verdict.same + verdict.near == SAMPLES

    other, _ = tied_network(tmp_path, classes, change=1)
    build(other, out=tmp_path / "other", until="passes", **options)
    shutil.copy(tmp_path / "out" / "model" / "golden.onnx", tmp_path / "other" / "model")
    verdict = verify(tmp_path / "other", samples)
    assert verdict.near == 0 and verdict.same < SAMPLES - 50


def test_the_same_score_is_not_enough(tmp_path: Path) -> None:
    """Answers that are not the compiled graph's are wrong, whatever the golden scores."""
    model, path = tied_network(tmp_path, 3)
    build(model, out=tmp_path / "out", until="passes", top_k=1)
    workspace = Workspace(tmp_path / "out")
    golden, compiled = (load_model(workspace, f"{name}.onnx") for name in ("golden", "compiled"))
    samples = load_samples(golden, path)
    theirs, mine = answers(golden, samples), answers(compiled, samples)
    assert near_ties(workspace, samples, mine, theirs).any()
    assert not near_ties(workspace, samples, theirs, theirs).any()
    third = 3 - mine - theirs  # of three classes, where those are two
    elsewhere = np.where(mine == theirs, mine, third)
    assert not near_ties(workspace, samples, elsewhere, theirs).any()


def test_images_are_no_scores() -> None:
    image = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)
    assert as_answers({"y": image}, False).shape == (2, 12)
    assert as_answers({"y": image[:, :, :1, :1]}, False).tolist() == [[2], [2]]
