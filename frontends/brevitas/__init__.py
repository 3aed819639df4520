# SPDX-License-Identifier: Apache-2.0
"""Brevitas: networks that are still Python, through Brevitas' own exporters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import onnx_ir as ir

from qnnc.compiler.errors import OptionError
from qnnc.compiler.frontend import Frontend
from qnnc.frontends.brevitas.export import load, torch_and_exports
from qnnc.frontends.brevitas.factory import make_module

SOURCE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
"""package.module:factory"""


class BrevitasFrontend(Frontend):
    """Imports a module of the user's, calls the function that makes the network, exports it."""

    name = "brevitas"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "export": "qonnx (default) or qcdq: which exporter of Brevitas",
        "exporter": "torchscript (default) or dynamo: which exporter of torch",
    }

    def accepts(self, source: str) -> bool:
        return SOURCE.fullmatch(source) is not None and not Path(source).exists()

    def load(self, source: str) -> ir.Model:
        if SOURCE.fullmatch(source) is None:
            raise OptionError(f"{source!r} is not of the form package.module:factory")
        if self.settings.input_shape is None:
            raise OptionError(
                f"{source!r} needs the shape of its input, such as --input-shape 1,1,28,28"
            )
        torch_and_exports()  # before the user's module fails because they are missing
        return self.load_object(make_module(source))

    def accepts_object(self, model: object) -> bool:
        """A torch.nn.Module; torch need not be imported to tell."""
        bases = ((base.__module__.split(".")[0], base.__name__) for base in type(model).__mro__)
        return ("torch", "Module") in bases

    def load_object(self, model: object) -> ir.Model:
        if self.settings.input_shape is None:
            raise OptionError(
                f"a {type(model).__name__} needs the shape of its input, such as "
                "input_shape=(1, 1, 28, 28)"
            )
        return load(model, self.settings.input_shape, **self.settings.options)


__all__ = ["BrevitasFrontend", "load"]
