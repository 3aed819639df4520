# SPDX-License-Identifier: Apache-2.0
"""torch and Brevitas, imported when first needed."""

from __future__ import annotations

import importlib
import logging
import warnings
from typing import Any

from qnnc.compiler.errors import ToolError


def module(name: str) -> Any:
    """A module of torch or Brevitas.

    Raises:
        ToolError: it is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except ImportError as error:
        raise ToolError(
            f"to train networks, torch and brevitas are needed ({error}): "
            "pip install 'qnnc[train,explore]'"
        ) from error


def quiet() -> None:
    """Keep exporters from printing and warning about their internals in a process of ours."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
