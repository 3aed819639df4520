# SPDX-License-Identifier: Apache-2.0
"""Networks that are given as objects of Python: as a file that later commands find again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir

from qnnc.compiler.errors import ModelError, OptionError
from qnnc.compiler.files import write_bytes
from qnnc.compiler.frontend import TABLE, Frontend, LoadSettings
from qnnc.compiler.identifiers import identifier

MODELS = "models"
"""In the cache: models by their contents."""


def as_source(model: Any, cache: Path, settings: LoadSettings) -> str:
    """What a frontend reads, for a model of any kind.

    Args:
        model: a path or what else a frontend takes, an onnx.ModelProto, an onnx_ir.Model, or a
            torch.nn.Module of Brevitas layers.
        cache: where models that are not files are kept, by their contents.
        settings: the input's shape, which a module needs.

    Raises:
        OptionError: it is none of these, or a module whose input's shape is not given.
        ModelError: it cannot be written as ONNX.
        ToolError: torch or Brevitas is not installed.
    """
    if isinstance(model, (str, Path)):
        return str(model)
    if isinstance(model, ir.Model):
        model = ir.to_proto(model)
    if isinstance(model, onnx.ModelProto):
        return _kept(model, cache)
    if hasattr(model, "state_dict") and hasattr(model, "forward"):
        return _kept(_exported(model, settings), cache)
    raise OptionError(
        f"a model is a path, an onnx.ModelProto, an onnx_ir.Model or a torch.nn.Module, not a "
        f"{type(model).__name__}"
    )


def _exported(module: Any, settings: LoadSettings) -> onnx.ModelProto:
    shape: Sequence[int] | None = settings.input_shape
    if shape is None:
        raise OptionError('a module needs the shape of its input, such as input_shape="1,1,28,28"')
    frontend = TABLE.make("brevitas", Frontend)
    frontend.settings = settings
    return frontend.export(module)


def _kept(proto: onnx.ModelProto, cache: Path) -> str:
    try:
        data = proto.SerializeToString(deterministic=True)
    except ValueError as error:
        raise ModelError(f"the model cannot be written as ONNX: {error}; give a file") from error
    name = identifier(proto.graph.name or "model")[:60]
    path = cache / MODELS / hashlib.sha256(data).hexdigest()[:16] / f"{name}.onnx"
    if not path.is_file() or path.read_bytes() != data:
        write_bytes(path, data)
    return str(path)
