# SPDX-License-Identifier: Apache-2.0
"""Frontends: what turns a user's model into the canonical IR.

The canonical IR is an onnx_ir model at opset 21 whose quantizers are QONNX's (`Quant`,
`BipolarQuant`, `Trunc` in the domain `qonnx.custom_op.general`) or our own `LinearQuant` (domain
`qnnc`), all tensors float, with static shapes, constants as initializers that are not graph
inputs, and every node named. An input of integers is float too, with a fact that says their range.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.errors import OptionError, PluginError
from qnnc.compiler.plugins import Table, close_matches
from qnnc.compiler.report import QuantizationReport
from qnnc.frontends.table import FRONTENDS

_TORCH = (
    "a PyTorch file holds weights without a network, or pickled code; give the function that makes "
    "the quantized (Brevitas) network: package.module:factory with --input-shape 1,3,32,32"
)
_KERAS = (
    "convert it with tf2onnx (python -m tf2onnx.convert --keras model.keras --output float.onnx) "
    "and build that with --quantize SAMPLES"
)
OTHER_FILES = {
    ".pt": _TORCH,
    ".pth": _TORCH,
    ".ckpt": _TORCH,
    ".safetensors": _TORCH,
    ".py": "give the function in it that makes the network: module:factory with --input-shape "
    "1,3,32,32",
    ".keras": _KERAS,
    ".h5": _KERAS,
    ".hdf5": _KERAS,
    ".tflite": "convert it with tf2onnx: python -m tf2onnx.convert --tflite model.tflite --output "
    "model.onnx",
}
"""Files that people have and that no frontend reads, by their ending: what to give instead."""

TABLE = Table("frontend", "qnnc.frontends", FRONTENDS)


_WITNESS = "qnnc.witness"
Witness = Callable[[NDArray[np.float32]], list[tuple[str, NDArray[Any]]]]
"""The network that a model was made of, run on samples: what its layers give, by name, in order,
and last what it gives itself, with an empty name."""


def set_witness(model: ir.Model, witness: Witness) -> None:
    """Let what a model computes be compared with the network that it was made of."""
    model.meta[_WITNESS] = witness


def witness_of(model: ir.Model) -> Witness | None:
    """The network that a model was made of, where a frontend can still run it."""
    found: Witness | None = model.meta.get(_WITNESS)
    return found


_QUANTIZATION = "qnnc.quantization"


@dataclass(frozen=True)
class Quantization:
    """What a float model was quantized to when it was read.

    Attributes:
        model: the quantized ONNX model, serialized.
        report: how it compares with the float one.
    """

    model: bytes
    report: QuantizationReport


def set_quantization(model: ir.Model, found: Quantization) -> None:
    """Keep with a model what was quantized to get it."""
    model.meta[_QUANTIZATION] = found


def quantization_of(model: ir.Model) -> Quantization | None:
    """What a float model was quantized to, where one was given."""
    found: Quantization | None = model.meta.get(_QUANTIZATION)
    return found


FLOAT = "float"
"""The frontend that quantizes."""


@dataclass(frozen=True)
class Calibration:
    """A float model is given, to be quantized as it is read.

    Attributes:
        calibrate: file of samples that ranges are taken from.
        samples: file of those that float and quantized network are compared on, if others.
        labels: file of their labels.
        input_type: what the real input is; empty where samples are what the network wants.
        input_scale: the network wants the real input times this.
    """

    calibrate: Path
    samples: Path | None = None
    labels: Path | None = None
    input_type: str = ""
    input_scale: str = "1"


@dataclass(frozen=True)
class LoadSettings:
    """What a user says about a model besides where it is.

    Attributes:
        input_shape: of its input, batch included, for models that do not say it themselves.
        options: of the frontend, by name.
        calibration: the model is a float one and to be quantized by this.
    """

    input_shape: tuple[int, ...] | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    calibration: Calibration | None = None


class Frontend(ABC):
    """Found through the entry-point group `qnnc.frontends`.

    Attributes:
        OPTIONS: what `--frontend-option` may set, with one line of help each.
        settings: set before `load` is called.
    """

    name: ClassVar[str]
    OPTIONS: ClassVar[Mapping[str, str]] = {}
    settings: LoadSettings = LoadSettings()

    @abstractmethod
    def accepts(self, source: str) -> bool:
        """Whether this frontend is the one for `source`; cheap, and never raises."""

    @abstractmethod
    def load(self, source: str) -> ir.Model:
        """Read the model.

        Raises:
            ModelError: it cannot be read or cannot be brought to canonical form.
        """

    def accepts_object(self, model: object) -> bool:
        """Whether `load_object` takes an object of a Python program; cheap, and never raises."""
        return False

    def load_object(self, model: object) -> ir.Model:
        """The same for an object of a Python program.

        Raises:
            ModelError: as `load` does.
            OptionError: the frontend reads files only.
        """
        raise OptionError(f"frontend {self.name} reads files only")


_OFFERED: ContextVar[tuple[str, object] | None] = ContextVar("offered", default=None)
OBJECT = " object"
"""How the name of an object ends that stands where a file's name does."""


@contextmanager
def offered(model: object) -> Iterator[str]:
    """Let `load_model` take an object of a Python program: gives the name to ask for."""
    name = f"{type(model).__module__}.{type(model).__qualname__}{OBJECT}"
    token = _OFFERED.set((name, model))
    try:
        yield name
    finally:
        _OFFERED.reset(token)


def load_model(
    source: str, name: str | None = None, settings: LoadSettings | None = None
) -> ir.Model:
    """Read a model with the frontend called `name`, or else with the first that accepts it.

    Raises:
        OptionError: there is none, or it has no such option.
        PluginError: see `find_frontend`.
        ModelError: see `Frontend.load`.
    """
    if settings is not None and settings.calibration is not None:
        if name not in (None, FLOAT):
            raise OptionError(
                f"--quantize is for float ONNX models, which the frontend {name} does not read; "
                "leave out --frontend"
            )
        name = FLOAT
    given = _OFFERED.get()
    if given is not None and given[0] != source:
        given = None
    if given is not None and name == FLOAT:
        raise OptionError("quantizing needs a file: save the model with onnx.save")
    frontend = find_frontend(source, name) if given is None else _frontend_of(given[1], name)
    if settings is not None:
        known = list(frontend.OPTIONS)
        for option in settings.options:
            if option not in known:
                raise OptionError(
                    f"frontend {frontend.name} has no option {option!r}"
                    f"{close_matches(option, known)} "
                    f"(it has {', '.join(known) if known else 'none'})"
                )
        frontend.settings = settings
    return frontend.load(source) if given is None else frontend.load_object(given[1])


def _frontend_of(model: object, name: str | None) -> Frontend:
    """The frontend called `name`, or else the first that accepts an object."""
    kind = type(model).__name__
    if name is not None:
        frontend = TABLE.make(name, Frontend)
        if not frontend.accepts_object(model):
            raise OptionError(f"frontend {name} does not read a {kind}; leave the frontend out")
        return frontend
    found = _first(lambda frontend: frontend.accepts_object(model))
    if found is None:
        raise OptionError(
            f"a {kind} is not a model; give a torch.nn.Module with Brevitas layers, or the name of "
            "a file"
        )
    return found


def find_frontend(source: str, name: str | None = None) -> Frontend:
    """The frontend called `name`, or else the first that accepts `source`.

    Raises:
        OptionError: there is none.
        PluginError: the one asked for, or one that might have been it, is broken.
    """
    if name is not None:
        return TABLE.make(name, Frontend)
    found = _first(lambda frontend: frontend.accepts(source))
    if found is not None:
        return found
    if source.endswith(OBJECT):
        raise OptionError(
            f"the model was a Python object, {source!r}, which is gone; build it again from Python"
        )
    hint = OTHER_FILES.get(os.path.splitext(source)[1].lower())
    if hint is not None:
        raise OptionError(f"{source!r} cannot be read as it is: {hint}")
    raise OptionError(
        f"no frontend knows what {source!r} is; choose one with --frontend "
        f"(installed: {', '.join(TABLE.names())})"
    )


def _first(accepts: Callable[[Frontend], bool]) -> Frontend | None:
    """The first frontend that accepts a model.

    Raises:
        PluginError: none does, and one that might have is broken.
    """
    broken: PluginError | None = None
    for candidate in TABLE.names():
        try:
            frontend = TABLE.make(candidate, Frontend)
        except PluginError as error:  # harms only models that no other takes
            broken = broken or error
            continue
        if accepts(frontend):
            return frontend
    if broken is not None:
        raise broken
    return None
