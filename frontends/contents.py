# SPDX-License-Identifier: Apache-2.0
"""What protobuf accepts and nothing after it expects: text that is not text, tensors whose
data are not what their shape says."""

from __future__ import annotations

import math

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from onnx import numpy_helper

from qnnc.compiler.errors import ModelError, quote

MOST = 1 << 31
"""Elements of a constant."""


def check_contents(proto: onnx.ModelProto) -> None:
    """Raise ModelError for text that is not UTF-8 and for constants that cannot be read.

    External data must have been loaded.
    """
    todo: list[Message] = [proto]
    while todo:
        message = todo.pop()
        for field, value in message.ListFields():
            if field.type == FieldDescriptor.TYPE_STRING:
                texts = value if _repeated(field) else [value]
                if not all(isinstance(text, str) for text in texts):
                    raise ModelError(
                        "the model is not valid ONNX: it holds a name that is not UTF-8"
                    )
            elif field.type == FieldDescriptor.TYPE_MESSAGE:
                todo.extend(value if _repeated(field) else [value])
        if isinstance(message, onnx.TensorProto):
            _check_tensor(message)


def _repeated(field: FieldDescriptor) -> bool:
    found = getattr(field, "is_repeated", None)
    if found is None:  # an older protobuf
        return bool(getattr(field, "label") == FieldDescriptor.LABEL_REPEATED)  # noqa: B009
    return bool(found)


def _check_tensor(tensor: onnx.TensorProto) -> None:
    name = f"constant {quote(tensor.name)}" if tensor.name else "a constant"
    if any(size < 0 for size in tensor.dims) or math.prod(tensor.dims) > MOST:
        raise ModelError(f"{name} has an impossible shape {list(tensor.dims)[:8]}")
    try:  # floats of 8 bits or fewer are read as well: they are refused by the node that uses them
        array = numpy_helper.to_array(tensor)
        fits = array.shape == tuple(tensor.dims)
    except Exception as error:  # the reader's own, by what the data lack
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise ModelError(f"{name} is damaged: {reason}") from error
    if not fits:
        raise ModelError(f"{name} is damaged: its data are not of shape {list(tensor.dims)[:8]}")
