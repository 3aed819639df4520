# SPDX-License-Identifier: Apache-2.0
"""A network's answers: the models of a build, run on a user's samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.building.workspace import MODEL, STOPPED, Workspace
from qnnc.compiler.errors import WorkspaceError
from qnnc.compiler.ir.facts import integer
from qnnc.compiler.ir.saved import load_ir
from qnnc.compiler.reference import BatchRunner
from qnnc.compiler.samples import load_labels, read_array, shaped
from qnnc.compiler.verification import Golden, Verifier

Inputs = dict[str, NDArray[np.float32]]


def load_model(workspace: Workspace, name: str) -> ir.Model:
    """A model of a build, such as "golden.onnx".

    Raises:
        WorkspaceError: it is not there or cannot be read.
    """
    path = workspace.path(MODEL) / name
    try:
        return ir.from_proto(onnx.load(path))
    except Exception as error:
        raise WorkspaceError(f"{path} is missing or broken; build again") from error


def load_samples(model: ir.Model, path: Path) -> Inputs:
    """A file of samples, shaped for a model's first input; raises WorkspaceError if it does not
    fit."""
    value = model.graph.inputs[0]
    shape = (1, *(int(d) for d in list(value.shape or [])[1:]))  # type: ignore[arg-type]
    return {str(value.name): shaped(read_array(path), shape, path)}


def answers(model: ir.Model, inputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """Run a model; [samples, answers] as `as_answers` gives them."""
    return as_answers(BatchRunner(model, chunk=256).run(inputs), gives_labels(model))


def as_answers(outputs: Mapping[str, NDArray[Any]], labels: bool) -> NDArray[Any]:
    """[samples, answers]: labels, or the best class of scores, or all outputs.

    Args:
        labels: the outputs are labels already.
    """
    first = next(iter(outputs.values()))
    if len(outputs) == 1 and not labels and _are_scores(first):
        best: NDArray[Any] = np.argmax(first.reshape(first.shape[0], -1), axis=1).reshape(-1, 1)
        return best
    return np.concatenate([o.reshape(o.shape[0], -1) for o in outputs.values()], axis=1)


def _are_scores(output: NDArray[Any]) -> bool:
    """One number for each of several classes."""
    return output.ndim > 1 and output.shape[1] > 1 and output[0].size == output.shape[1]


@dataclass(frozen=True)
class Answered:
    """Answers of a build's graphs to a user's samples.

    Attributes:
        golden: of the golden graph, [samples, answers].
        compiled: of the compiled graph.
        near: how many differ by no more than the golden graph's own rounding (`near_ties`).
        wanted: the labels [samples], if given.
    """

    golden: NDArray[Any]
    compiled: NDArray[Any]
    near: int
    wanted: NDArray[Any] | None

    @property
    def same(self) -> int:
        """Samples with the same answer from both."""
        return int(np.all(self.golden == self.compiled, axis=1).sum())

    def correct(self, answers: NDArray[Any]) -> int | None:
        """How many of answers [samples, answers] are the labels; None without labels."""
        return None if self.wanted is None else int((answers[:, 0] == self.wanted).sum())


def answered(workspace: Workspace, samples: Path, labels: Path | None) -> Answered:
    """Run a build's golden and compiled graph on files of samples.

    Raises:
        WorkspaceError: a model of the build is missing, or the files do not fit.
    """
    models = [load_model(workspace, name) for name in ("golden.onnx", "compiled.onnx")]
    inputs = load_samples(models[0], samples)
    golden, compiled = (answers(model, inputs) for model in models)
    wanted = None if labels is None else load_labels(labels, len(compiled))
    near = int(near_ties(workspace, inputs, compiled, golden).sum())
    return Answered(golden, compiled, near, wanted)


def near_ties(
    workspace: Workspace,
    inputs: Mapping[str, NDArray[Any]],
    mine: NDArray[Any],
    theirs: NDArray[Any],
) -> NDArray[np.bool_]:
    """Where answers differ only by the golden graph's own rounding: `Verifier` finds no fault in
    any tensor of the dataflow graph on that sample, and that graph gives the same answer.

    Args:
        mine: [samples, answers].
        theirs: the golden graph's.

    Raises:
        WorkspaceError: a model of the build is missing.
        ModelError: it is damaged.
    """
    near = np.zeros(len(mine), dtype=bool)
    wrong = np.flatnonzero((mine != theirs).any(axis=1))
    if not wrong.size:
        return near
    few = {name: array[wrong] for name, array in inputs.items()}
    path = workspace.path(MODEL)
    finished, stopped = path / "dataflow.onnx", path / STOPPED
    dataflow, _ = load_ir(stopped if stopped.is_file() else finished)
    facts = [integer(value) for node in dataflow.graph for value in node.outputs]
    compared = {fact.golden for fact in facts if fact is not None}
    golden = load_model(workspace, "golden.onnx")
    outcome = Verifier(Golden(golden, also=compared), few).check(dataflow)
    proven = as_answers(BatchRunner(dataflow, chunk=256).run(few), gives_labels(golden))
    near[wrong] = (mine[wrong] == proven).all(axis=1) & ~outcome.faulty
    return near


def gives_labels(model: ir.Model) -> bool:
    """The model ends in a choice of labels."""
    return any(node.op_type in ("TopK", "ArgMax") for node in model.graph)
