# SPDX-License-Identifier: Apache-2.0
"""A node of a model as the oracle reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import onnx

from tests.oracle.spans import Span


class Unknown(Exception):
    """The oracle has no opinion on an operator; the text names it."""


@dataclass(frozen=True)
class Node:
    """An operator.

    Attributes:
        op: its type.
        domain: "" for ONNX's own.
        opset: version of ONNX's own operators in the model.
        inputs: names, "" where one is left out.
        outputs: names.
        attributes: by name; text as str.
    """

    op: str
    domain: str
    opset: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]

    @classmethod
    def of(cls, proto: onnx.NodeProto, opset: int) -> Node:
        """From a file's node."""
        attributes = {}
        for attribute in proto.attribute:
            value = onnx.helper.get_attribute_value(attribute)
            attributes[attribute.name] = value.decode() if isinstance(value, bytes) else value
        domain = "" if proto.domain == "ai.onnx" else proto.domain
        return cls(
            proto.op_type, domain, opset, tuple(proto.input), tuple(proto.output), attributes
        )

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute."""
        return self.attributes.get(name, default)


Operands = Sequence[Span | None]
Handler = Callable[[Node, Operands], list[Span]]


def given(x: Operands, index: int) -> Span | None:
    """An operand that may be left out."""
    return x[index] if index < len(x) else None


def need(x: Operands, index: int) -> Span:
    """An operand that must be there."""
    found = given(x, index)
    if found is None:
        raise Unknown(f"operand {index} is missing")
    return found
