# SPDX-License-Identifier: Apache-2.0
"""A dataflow node in SystemVerilog: module text, memories, and where they go.

A node's facet `rtl` has a function `generate` of type `Generator`, and fills in templates that lie
beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray
from qonnx.core.datatype import BaseDataType

from qnnc.backends.design import BLOCK, LUTS, Memory, NodeRtl
from qnnc.compiler.dataflow import DataflowNode
from qnnc.compiler.dataflow.registry import facet
from qnnc.compiler.errors import PluginError

MODULE = "QNNC_MODULE"
"""Stands for the module's name in its text until the name is made from the text."""

Generator = Callable[[DataflowNode], NodeRtl]


def generate(node: DataflowNode) -> NodeRtl:
    """The SystemVerilog of a node under the folding in its attributes.

    Raises:
        OptionError: no installed package has the operator.
        PluginError: the operator has no SystemVerilog, or its package is broken.
    """
    found = getattr(facet(node.op_type, "rtl"), "generate", None)
    result = found(node) if callable(found) else None
    if not isinstance(result, NodeRtl):
        raise PluginError(
            f"dataflow node {node.op_type!r}: its module `rtl` has no function generate(node) that "
            "returns a NodeRtl"
        )
    return result


def finish(
    node: DataflowNode,
    text: str,
    memories: Mapping[str, Memory] | None = None,
    weights: NDArray[np.uint8] | None = None,
) -> NodeRtl:
    """Name a module after its contents.

    Args:
        node: that it is for.
        text: SystemVerilog, with `MODULE` for the name.
        memories: by the parameter that names their file.
        weights: of a weight stream, [words, bytes].
    """
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    module = f"{node.short_name}_{digest}"
    ports = node.ports(node.folding())
    return NodeRtl(
        module,
        text.replace(MODULE, module),
        dict(memories or {}),
        tuple(stream.bits for stream in ports.inputs),
        tuple(stream.bits for stream in ports.outputs),
        weights,
    )


class Templates:
    """SystemVerilog templates that lie in a folder of a package.

    Args:
        module: `__name__` of a module of that package.
        folder: in the package; by default its own.
    """

    def __init__(self, module: str, folder: str = "") -> None:
        self.package, self.folder = module.rpartition(".")[0], folder

    @cached_property
    def _environment(self) -> Environment:
        return Environment(
            loader=PackageLoader(self.package, self.folder),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            autoescape=False,  # noqa: S701 - SystemVerilog; names are sanitised before
        )

    def render(self, template: str, **values: object) -> str:
        """Fill in a template; `module` in it stands for the name of the module."""
        return self._environment.get_template(template).render(module=MODULE, **values)


def extended(net: str, top: str, bits: int, wanted: int, signed: bool) -> str:
    """A net of `bits` bits made `wanted` bits wide, or as it is if it is wide enough.

    Args:
        top: its highest bit, which fills the rest if it is signed.
    """
    if wanted <= bits:
        return net
    fill = top if signed else "1'b0"
    return f"{{{{{wanted - bits}{{{fill}}}}}, {net}}}"


def extended_lanes(net: str, lanes: int, kind: BaseDataType, wanted: int) -> str:
    """A word of elements of a type, each made `wanted` bits wide."""
    bits = kind.bitwidth()
    if bits == wanted:
        return net
    parts = [
        extended(
            f"{net}[{lane * bits}+:{bits}]",
            f"{net}[{lane * bits + bits - 1}]",
            bits,
            wanted,
            kind.min() < 0,
        )
        for lane in reversed(range(lanes))
    ]
    return "{" + ", ".join(parts) + "}"


def packed(elements: NDArray[np.int64], bits: int) -> list[int]:
    """Rows of elements [rows, n] as integers, element 0 in the low bits, two's complement."""
    mask = (1 << bits) - 1
    words = []
    for row in elements.tolist():
        word = 0
        for element in reversed(row):
            word = (word << bits) | (int(element) & mask)
        words.append(word)
    return words


def ram_style(name: str) -> int:
    """The style of a memory by FINN's `ram_style`, "block" or "distributed"."""
    return BLOCK if name == "block" else LUTS


def codes(values: NDArray[np.int64], bipolar: bool) -> NDArray[np.int64]:
    """Codes of integers of any shape in hardware: 0 and 1 for -1 and +1, all others as they are."""
    return (values + 1) // 2 if bipolar else values
