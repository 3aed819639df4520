# SPDX-License-Identifier: Apache-2.0
"""The one family of errors that a user can cause.

Whatever a model, an option or the machine can get wrong ends as a `QnncError`: one line that
names the node or tensor and says what to change. Anything else that escapes is a bug of qnnc.
"""

from __future__ import annotations

import os
from typing import Any

MAX_NAME = 80


def quote(name: str | bytes | None) -> str:
    """A name from a model, made fit for one line of an error: escaped, quoted, shortened."""
    text = "" if name is None else name
    if isinstance(text, bytes):  # what protobuf gives for text that is not UTF-8
        text = text.decode("utf-8", "backslashreplace")
    shown = printable(text)
    if len(shown) > MAX_NAME:
        shown = f"{shown[: MAX_NAME - 20]}…({len(text)} characters)"
    return f"'{shown}'"


def printable(text: str) -> str:
    """Text whose control characters are escaped, so that a terminal does not obey them."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class QnncError(Exception):
    """Something the user can fix. Its text is one line.

    Attributes:
        report: the `Report` of the build that it has ended, as far as that came; else None.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(" ".join(message.split())))
        self.report: Any = None

    def __getattr__(self, name: str) -> Any:
        # a notebook shows one line instead of a traceback, unless QNNC_DEBUG is set
        if name == "_render_traceback_" and not os.environ.get("QNNC_DEBUG"):
            return lambda *_: [f"{type(self).__name__}: {self}"]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


class ModelError(QnncError):
    """The model is not one that qnnc can read or compile."""


class OptionError(QnncError):
    """An option or argument is wrong."""


class TargetError(QnncError):
    """A throughput or resource target cannot be met."""


class ToolError(QnncError):
    """A tool is missing or has failed."""


class WorkspaceError(QnncError):
    """A file or folder cannot be read or written."""


class VerificationError(QnncError):
    """The compiled network does not equal the quantized one."""


class PluginError(QnncError):
    """A plug-in package is broken or clashes with another."""


class Unsupported(Exception):
    """An operator cannot be computed on integers here; the text says why. Passes catch it: the
    operator stays as it is."""
