# SPDX-License-Identifier: Apache-2.0
"""What qnnc finds through the entry point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import onnx_ir as ir

from qnnc.compiler.errors import OptionError
from qnnc.compiler.frontend import Frontend
from qnnc.frontends.qonnx import from_proto
from qnnc_sklearn.archive import is_archive, read
from qnnc_sklearn.quantize import Bits, quantized


class SklearnFrontend(Frontend):
    """Reads what `qnnc_sklearn.save` has written, and quantizes it."""

    name = "sklearn-mlp"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "weight-bits": "2 to 8, by default 8",
        "activation-bits": "1 to 8, by default 8",
        "input-bits": "1 to 8, by default 8",
    }

    def accepts(self, source: str) -> bool:
        return is_archive(source)

    def load(self, source: str) -> ir.Model:
        bits = Bits(
            self._bits("weight-bits", 2), self._bits("activation-bits"), self._bits("input-bits")
        )
        return from_proto(quantized(read(source), bits))

    def _bits(self, option: str, least: int = 1) -> int:
        text = self.settings.options.get(option, "8")
        if not (text.isdecimal() and least <= int(text) <= 8):
            raise OptionError(f"--frontend-option {option}={text}: not a number from {least} to 8")
        return int(text)
