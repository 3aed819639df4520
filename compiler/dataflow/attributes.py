# SPDX-License-Identifier: Apache-2.0
"""A node's attributes as typed fields of its declaration.

    class LabelSelect(DataflowNode[PEFolding]):
        labels: int = attributes.integer("Labels")

A declaration reads all of its fields when it is put around a node; assigning to a field writes the
attribute. As with `dataclasses.field`, what these functions return is described by the type of the
field that it becomes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import onnx_ir as ir
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.datatypes import datatype
from qnnc.compiler.errors import ModelError, quote

T = TypeVar("T")

Attribute = int | str | Sequence[int] | Sequence[str]
"""Values that an attribute can have."""


@dataclass(frozen=True)
class Field(Generic[T]):
    """An attribute of a node as a field.

    Attributes:
        name: of the attribute, which is FINN's.
        kind: what it must be, for the user.
        read: its value for the field.
        written: the field's value for it.
        default: of the field, where the attribute may be missing.
    """

    name: str
    kind: str
    read: Callable[[ir.Attr], T]
    written: Callable[[T], Attribute]
    default: T | None = None

    def of(self, node: ir.Node) -> T:
        """The field's value for a node.

        Raises:
            ModelError: the attribute is missing, or of another kind.
        """
        found = node.attributes.get(self.name)
        if found is None:
            if self.default is None:
                raise ModelError(f"{_called(node)} lacks attribute {self.name}")
            return self.default
        try:
            return self.read(found)
        except (TypeError, ValueError) as error:
            message = f"{_called(node)}: attribute {self.name} must be {self.kind}"
            raise ModelError(message) from error

    def write(self, node: ir.Node, value: T) -> None:
        """Give a node's attribute the field's value."""
        write(node, self.name, self.written(value))


def write(node: ir.Node, name: str, value: Attribute) -> None:
    """Set an attribute."""
    node.attributes[name] = ir.convenience.convert_attribute(name, value)


def integer(name: str, default: int | None = None) -> int:
    """An integer."""
    return cast(int, Field(name, "an integer", ir.Attr.as_int, _same, default))


def flag(name: str, default: bool | None = None) -> bool:
    """An integer that is 0 or 1."""
    return cast(bool, Field(name, "0 or 1", lambda a: bool(a.as_int()), int, default))


def integers(name: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
    """A list of integers."""
    found = Field(name, "a list of integers", lambda a: tuple(a.as_ints()), list, default)
    return cast(tuple[int, ...], found)


def pair(name: str) -> tuple[int, int]:
    """Two integers, for height and width."""
    return cast(tuple[int, int], Field(name, "a list of two integers", _pair, list))


def text(name: str, default: str | None = None) -> str:
    """A string."""
    return cast(str, Field(name, "a string", ir.Attr.as_string, _same, default))


def integer_type(name: str, default: str | None = None) -> BaseDataType:
    """The name of an integer type."""
    missing = None if default is None else datatype(default)
    found = Field(name, "the name of a type", lambda a: datatype(a.as_string()), _named, missing)
    return cast(BaseDataType, found)


def integer_types(name: str) -> tuple[BaseDataType, ...]:
    """The names of integer types."""
    found = Field(name, "a list of names of types", _types, lambda types: [t.name for t in types])
    return cast(tuple[BaseDataType, ...], found)


def fields_of(declaration: type) -> dict[str, Field[Any]]:
    """The fields of a class and those above it, by their names in it."""
    found: dict[str, object] = {}
    for base in reversed(declaration.__mro__):
        found.update(vars(base))
    return {name: value for name, value in found.items() if isinstance(value, Field)}


def _called(node: ir.Node) -> str:
    """A node in an error."""
    return f"{node.op_type} node {quote(node.name)}"


def _same(value: T) -> T:
    return value


def _pair(attribute: ir.Attr) -> tuple[int, int]:
    first, second = attribute.as_ints()
    return first, second


def _types(attribute: ir.Attr) -> tuple[BaseDataType, ...]:
    return tuple(datatype(name) for name in attribute.as_strings())


def _named(kind: BaseDataType) -> str:
    return str(kind.name)
