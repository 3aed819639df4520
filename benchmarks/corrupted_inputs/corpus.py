# SPDX-License-Identifier: Apache-2.0
"""The good files that are spoilt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from benchmarks.corrupted_inputs.variants import Corpus
from benchmarks.networks import MlpSpec, mlp
from qnnc.cli import main  # noqa: F401 (imported once, not by every process that is forked)
from qnnc.compiler import build
from tests.generator import random_case

SHARED = Path(__file__).parents[3] / "shared"
MOST = 100_000
"""Bytes of the largest model."""


def make_corpus(folder: Path, *, graphs: int = 12, shared: bool = True) -> Corpus:
    """Make models, saved IRs and a build.

    Args:
        graphs: how many random graphs.
        shared: take the example models beside the checkout, too, if they are there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    first = mlp(MlpSpec((6, 4, 3), 2, 2, "relu", 2))
    protos = [first, mlp(MlpSpec((8, 5, 4), 1, 1, "sign", 2, seed=3))]
    protos += [random_case(seed).proto for seed in range(graphs)]
    models = [proto.SerializeToString() for proto in protos]
    if shared:
        paths = [*SHARED.glob("cases/*/*.onnx"), *SHARED.glob("models/*.onnx")]
        models += [path.read_bytes() for path in sorted(paths) if path.stat().st_size <= MOST]
    return Corpus(
        models, len(protos), _saved(protos[: 2 + graphs // 2], folder), _built(first, folder)
    )


def _saved(protos: list[onnx.ModelProto], folder: Path) -> list[tuple[Path, Path]]:
    found = []
    for index, proto in enumerate(protos):
        own = folder / f"saved{index}"
        own.mkdir(exist_ok=True)
        model = own / "model.onnx"
        onnx.save(proto, model)
        try:
            build(model, out=own / "out", until="passes", save_ir=own / "ir", verify="none")
        except Exception:  # some are refused; what was saved until then will do
            continue
        found += [(model, path) for path in sorted((own / "ir").glob("*.onnx"))]
    return found


def _built(proto: onnx.ModelProto, folder: Path) -> Path:
    model, out = folder / "model.onnx", folder / "built"
    onnx.save(proto, model)
    np.save(folder / "five.npy", np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32))
    build(model, out=out, until="rtl", cache=folder / "cache")
    return out
