# SPDX-License-Identifier: Apache-2.0
"""Networks that are given as objects of Python: as a file that later commands find again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import onnx
import onnx_ir as ir

from qnnc.compiler.errors import ModelError
from qnnc.compiler.files import write_bytes
from qnnc.compiler.identifiers import identifier

MODELS = "models"
"""In the cache: models by their contents."""


def kept_model(model: onnx.ModelProto | ir.Model, cache: Path) -> str:
    """The file of a model.

    Args:
        cache: where such files are kept, by their contents.

    Raises:
        ModelError: it cannot be written as ONNX.
        WorkspaceError: the cache cannot be written.
    """
    proto = ir.to_proto(model) if isinstance(model, ir.Model) else model
    try:
        data = proto.SerializeToString(deterministic=True)
    except ValueError as error:
        raise ModelError(f"the model cannot be written as ONNX: {error}; give a file") from error
    name = identifier(proto.graph.name or "model")[:60]
    path = cache / MODELS / hashlib.sha256(data).hexdigest()[:16] / f"{name}.onnx"
    if not path.is_file() or path.read_bytes() != data:
        write_bytes(path, data)
    return str(path)
