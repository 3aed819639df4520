# SPDX-License-Identifier: Apache-2.0
"""Foldings: how a node is spread over hardware and time.

Each node has a class of foldings of its own, made of the parts here and what only it has. Fields
are FINN's attributes by name, with FINN's values. A class lists the part with its first fields
last, since a dataclass takes the fields of its last base first.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, Self

import onnx_ir as ir

from qnnc.compiler.dataflow.attributes import write
from qnnc.compiler.errors import ModelError, quote

RamStyle = Literal["block", "distributed"]
"""Block RAM, or LUTs."""
Arithmetic = Literal["lut", "dsp"]
"""What multiplies."""


@dataclass(frozen=True, kw_only=True)
class Folding:
    """A choice for one node; this class is that of nodes without any."""

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The attributes that it is made of."""
        return tuple(field.name for field in fields(cls))

    @classmethod
    def of(cls, node: ir.Node) -> Self:
        """The folding that a node's attributes give; a missing one has the default.

        Raises:
            ModelError: an attribute is of another type.
        """
        found: dict[str, int | str] = {}
        for field in fields(cls):
            attribute = node.attributes.get(field.name)
            if attribute is None:
                continue
            value = attribute.value
            fits = isinstance(value, type(field.default))
            if not isinstance(value, (int, str)) or not fits:
                raise ModelError(
                    f"{node.op_type} node {quote(node.name)}: {field.name} cannot be {value!r}"
                )
            found[field.name] = value
        return cls(**found)

    def write(self, node: ir.Node) -> None:
        """Write it into a node's attributes."""
        for name in self.names():
            write(node, name, getattr(self, name))


@dataclass(frozen=True, kw_only=True)
class PEFolding(Folding):
    """With processing elements.

    Attributes:
        PE: output channels (or elements) worked on at once.
    """

    PE: int = 1


@dataclass(frozen=True, kw_only=True)
class SIMDFolding(Folding):
    """With several inputs per cycle.

    Attributes:
        SIMD: inputs that a processing element, or a node without such, takes per cycle.
    """

    SIMD: int = 1


@dataclass(frozen=True, kw_only=True)
class MemoryFolding(Folding):
    """With a memory.

    Attributes:
        ram_style: what it is made of.
    """

    ram_style: RamStyle = "distributed"


@dataclass(frozen=True, kw_only=True)
class ArithmeticFolding(Folding):
    """With multipliers.

    Attributes:
        resType: what they are made of.
    """

    resType: Arithmetic = "lut"
