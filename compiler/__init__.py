# SPDX-License-Identifier: Apache-2.0
"""The public API: `build`, `compile`, `verify`.

from qnnc.compiler import build
report = build("model.onnx", board="Pynq-Z1", out="B", fps=100_000)
report.performance.fps
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qnnc.compiler.api import Verdict, build, compile, verify

if __name__ != "qnnc.compiler":  # a second copy, whose classes would be other ones
    raise ImportError("import qnnc.compiler; the top folders are not packages of their own")

__all__ = ["Verdict", "build", "compile", "verify"]


def __getattr__(name: str) -> object:
    # imported when first used: `qnnc --help` needs none of it
    if name in __all__:
        from qnnc.compiler import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
