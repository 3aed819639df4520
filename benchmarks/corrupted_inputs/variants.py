# SPDX-License-Identifier: Apache-2.0
"""Variants by number: what is spoilt, and the command that gets it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import onnx

from benchmarks.corrupted_inputs.spoil_model import bytes_spoilt, model_spoilt
from benchmarks.corrupted_inputs.spoil_rest import (
    folder_spoilt,
    labels_spoilt,
    options_spoilt,
    samples_spoilt,
)

UNTIL = ("--until", "estimate")


@dataclass(frozen=True)
class Corpus:
    """What is spoilt.

    Attributes:
        models: good models, and models that are refused; each as bytes.
        good: how many of them are good; they come first.
        saved: good models with IRs that were saved on their way, by pairs of paths.
        build: folder of a finished build with its model and samples beside it.
    """

    models: list[bytes]
    good: int
    saved: list[tuple[Path, Path]]
    build: Path


@dataclass(frozen=True)
class Variant:
    """A command line.

    Attributes:
        kind: what was spoilt.
        arguments: of `qnnc`.
        codes: exit codes that are right.
        report: where report.json says that it was verified, if the exit code is 0.
    """

    kind: str
    arguments: list[str]
    codes: tuple[int, ...] = (0, 2)
    report: Path | None = None
    files: list[Path] = field(default_factory=list)


def variant(seed: int, corpus: Corpus, folder: Path) -> Variant:
    """Write the files of a variant into a folder."""
    rng = random.Random(seed)
    make = rng.choice(KINDS)
    return make(rng, corpus, folder)


def _input_shape(data: bytes) -> tuple[int, ...]:
    dims = onnx.ModelProto.FromString(data).graph.input[0].type.tensor_type.shape.dim
    return tuple(max(1, dim.dim_value) for dim in dims)[1:]


def _put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def _build(kind: str, folder: Path, model: Path, *options: str | Path) -> Variant:
    out = folder / "out"
    arguments = ["build", str(model), "--out", str(out), *UNTIL, *map(str, options)]
    return Variant(kind, arguments, report=out / "report.json")


def _model_bytes(rng: random.Random, corpus: Corpus, folder: Path) -> Variant:
    path = _put(folder, "model.onnx", bytes_spoilt(rng, rng.choice(corpus.models)))
    return _build("bytes of a model", folder, path)


def _model_fields(rng: random.Random, corpus: Corpus, folder: Path) -> Variant:
    path = _put(folder, "model.onnx", model_spoilt(rng, rng.choice(corpus.models)))
    host = ("--host-layers",) if rng.random() < 0.3 else ()
    return _build("fields of a model", folder, path, *host)


def _asked(rng: random.Random, corpus: Corpus, folder: Path) -> Variant:
    """Other commands that read a model."""
    spoil = rng.choice((bytes_spoilt, model_spoilt))
    path = str(_put(folder, "model.onnx", spoil(rng, rng.choice(corpus.models))))
    command = rng.choice(("why", "opt", "import-finn", "bisect"))
    if command == "opt":
        passes = rng.choice(
            ("tidy", "...", "set-folding", "to-dataflow", "absorb-tails,to-dataflow")
        )
        target = rng.choice((folder / "o.onnx", folder, folder / "no" / "o.onnx"))
        return Variant("opt", ["opt", path, "-p", passes, "-o", str(target)])
    if command == "import-finn":
        out = folder / "out"
        arguments = [command, path, "--out", str(out), *UNTIL]
        return Variant(command, arguments, report=out / "report.json")
    extra = ["--out", str(folder / "region")] if command == "bisect" else []
    return Variant(command, [command, path, *extra], (0, 1, 2))


def _options(rng: random.Random, corpus: Corpus, folder: Path) -> Variant:
    path = _put(folder, "model.onnx", rng.choice(corpus.models[: corpus.good]))
    return _build("options", folder, path, *options_spoilt(rng))


def _samples(rng: random.Random, corpus: Corpus, folder: Path) -> Variant:
    data = rng.choice(corpus.models[: corpus.good])
    model = _put(folder, "model.onnx", data)
    samples = _put(folder, *samples_spoilt(rng, _input_shape(data)))
    scale = ("--input-type", rng.choice(("uint8", "int4"))) if rng.random() < 0.3 else ()
    return _build("samples", folder, model, "--samples", samples, *scale)


def _labels(rng: random.Random, corpus: Corpus, folder: Path) -> Variant:
    near = corpus.build.parent
    labels = _put(folder, "labels.npy", labels_spoilt(rng))
    if rng.random() < 0.5:
        rest = ["--samples", str(near / "five.npy"), "--labels", str(labels)]
        return Variant("labels", ["verify", str(corpus.build), *rest], (0, 1, 2))
    rest = ["--samples", str(near / "five.npy"), "--labels", str(labels)]
    return _build("labels", folder, near / "model.onnx", *rest)


def _folder(rng: random.Random, corpus: Corpus, folder: Path) -> Variant:
    """Commands that read a build's folder, and a build into it."""
    out = folder / "out"
    shutil.copytree(corpus.build, out)
    folder_spoilt(rng, out)
    near = corpus.build.parent
    command = rng.choice(("verify", "why", "bisect", "export", "emulate", "build", "simulate"))
    if command == "build":
        return _build("build over a spoilt one", folder, near / "model.onnx")
    extra: list[str] = []
    if command in ("verify", "emulate"):
        extra = ["--samples", str(near / "five.npy")]
    if command == "bisect":
        extra = ["--out", str(folder / "region")]
    if command == "simulate":
        extra = ["--engine", "nothing"]  # the rest takes long, and reads no more of the folder
    return Variant(f"{command} of a spoilt build", [command, str(out), *extra], (0, 1, 2))


def _saved(rng: random.Random, corpus: Corpus, folder: Path) -> Variant:
    model, saved = rng.choice(corpus.saved)
    spoil = rng.choice((bytes_spoilt, model_spoilt, model_spoilt, model_spoilt))
    path = _put(folder, "saved.onnx", spoil(rng, saved.read_bytes()))
    if rng.random() < 0.25:
        passes = rng.choice(("...", "set-folding", "tidy", "insert-fifos"))
        arguments = ["opt", str(path), "-p", passes, "-o", str(folder / "o.onnx")]
        return Variant("opt of a saved IR", arguments)
    return _build("saved IR", folder, model, "--start-from", path)


KINDS: tuple[Callable[[random.Random, Corpus, Path], Variant], ...] = (
    _model_bytes,
    _model_bytes,
    _model_fields,
    _model_fields,
    _model_fields,
    _model_fields,
    _asked,
    _options,
    _options,
    _samples,
    _labels,
    _folder,
    _saved,
    _saved,
)
