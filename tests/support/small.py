# SPDX-License-Identifier: Apache-2.0
"""A small network, its samples, and a build of it that several tests look at."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import onnx
from numpy.typing import NDArray
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from benchmarks.networks import MlpSpec, mlp
from tests.support.build import qnnc

SAMPLES = 40
SPEC = MlpSpec((12, 6, 4), 2, 2, "relu", 2, seed=1)


@dataclass(frozen=True)
class SmallBuild:
    """A finished build.

    Attributes:
        model: the network.
        samples: .npy file of inputs.
        labels: .npy file of the classes that QONNX's own executor gives them.
        out: the build's folder.
        output: what the command printed: report.json.
        errors: what it printed on standard error.
        cache: of compiled and synthesised parts.
    """

    model: Path
    samples: Path
    labels: Path
    out: Path
    output: str
    errors: str
    cache: Path

    def copy(self, folder: Path) -> Path:
        """A copy of the build, to be spoilt."""
        return Path(shutil.copytree(self.out, folder))


def write_small(folder: Path) -> tuple[Path, Path, Path]:
    """Model, samples and labels."""
    model, samples, labels = (folder / n for n in ("model.onnx", "samples.npy", "labels.npy"))
    proto = mlp(SPEC)
    onnx.save(proto, model)
    x = np.random.default_rng(0).normal(size=(SAMPLES, 12)).astype(np.float32)
    np.save(samples, x)
    np.save(labels, np.argmax(by_qonnx(proto, x), axis=1))
    return model, samples, labels


def by_qonnx(proto: onnx.ModelProto, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The network's outputs as QONNX's executor computes them, a second opinion."""
    wrapper = ModelWrapper(proto).transform(InferShapes())
    name = proto.graph.output[0].name
    # it makes a model of each node, by default of a newer version than ONNX Runtime may know
    with patch("onnx.IR_VERSION", proto.ir_version):
        return np.concatenate([execute_onnx(wrapper, {"x": row[None]})[name] for row in x])


def make_small_build(folder: Path, cache: Path) -> SmallBuild:
    """Build it in `folder`, unless another test process has done so."""
    out, printed, complaints = (folder / n for n in ("out", "stdout", "stderr"))
    if not printed.exists():
        model, samples, labels = write_small(folder)
        done = qnnc(
            [
                *("build", model, "--out", out, "--board", "Pynq-Z1", "--fps", "1000000"),
                *("--top-k", "1", "--samples", samples, "--labels", labels, "--frames", "16"),
                *("--engine", "cxxrtl", "--cache-dir", cache, "--until", "driver", "--json"),
            ]
        )
        assert done.returncode == 0, done.stderr
        complaints.write_text(done.stderr)
        printed.write_text(done.stdout)
    return SmallBuild(
        folder / "model.onnx",
        folder / "samples.npy",
        folder / "labels.npy",
        out,
        printed.read_text(),
        complaints.read_text(),
        cache,
    )
