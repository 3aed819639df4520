# SPDX-License-Identifier: Apache-2.0
"""Cutting the part out of a model that makes a tensor wrong: from the nearest tensors that are
right to the wrong one, with the values that show it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.dataflow import Role, role_of
from qnnc.compiler.folders import owned_folder
from qnnc.compiler.ir.edit import constant
from qnnc.compiler.ir.facts import sources
from qnnc.compiler.ir.text import node_text
from qnnc.compiler.reference import BatchRunner, expand
from qnnc.compiler.verification import Verifier
from qnnc.compiler.verification.compare import Difference
from qnnc.compiler.verification.verifier import watched

PRODUCTS = frozenset({"MatMul", "XnorPopcountMatMul"})
SHOWN = 64
"""Numbers of an operand that are shown."""


@dataclass(frozen=True)
class Operand:
    """What an input of a node contributes to one element of its output.

    Attributes:
        name: of the tensor.
        values: those that the element is computed from, or all where that is not known.
        whole: all are shown.
    """

    name: str
    values: NDArray[Any]
    whole: bool


@dataclass(frozen=True)
class Region:
    """What reproduces a difference.

    Attributes:
        folder: holds region.onnx, inputs.npz and expected.npy.
        difference: the first element that differs.
        node: the node that computes it, as text.
        sources: nodes of the user's model that it comes from.
        nodes: how many nodes the region has.
        operands: of the first differing element.
    """

    folder: Path
    difference: Difference
    node: str
    sources: tuple[str, ...]
    nodes: int
    operands: tuple[Operand, ...]


def cut(
    model: ir.Model, verifier: Verifier, first: Difference, folder: Path, *, force: bool = False
) -> Region | None:
    """Write the region of the first difference; None where the tensor is an input.

    Args:
        force: replace what is not qnnc's in the folder, too, where it is in the way.

    Raises:
        WorkspaceError: the folder cannot be written.
    """
    wrong = _value(model, first.tensor)
    producer = None if wrong is None else wrong.producer()
    if wrong is None or producer is None:
        return None
    # tensors are compared in the graph's order, so that those before the first wrong one are right
    right = {v for v in watched(model, verifier.golden) if v is not wrong}
    nodes, starts = _between(wrong, right)
    inputs = {n: a[first.sample : first.sample + 1] for n, a in verifier.inputs.items()}
    shown = [v for v in producer.inputs if v is not None and v.const_value is None]
    asked = [v for v in dict.fromkeys([wrong, *starts, *shown]) if not v.is_graph_input()]
    found = {**BatchRunner(model, asked).run(inputs), **inputs}
    order = [node for node in model.graph if node in nodes]
    region = expand(model, inputs=starts, outputs=[wrong], nodes=order)
    expected = np.array(found[first.tensor], copy=True)
    expected.reshape(-1)[first.element] = first.expected
    with owned_folder(folder, force=force) as out:
        ir.save(region, out / "region.onnx")
        names = {f"{i}": np.asarray(found[str(v.name)]) for i, v in enumerate(starts)}
        np.savez(out / "inputs.npz", **names)  # type: ignore[arg-type]
        np.save(out / "expected.npy", expected)
    operands = tuple(_operands(producer, first.element, found, found[first.tensor].shape))
    return Region(folder, first, node_text(producer), sources(producer), len(order), operands)


def _value(model: ir.Model, name: str) -> ir.Value | None:
    return next((v for n in model.graph for v in n.outputs if v.name == name), None)


def _between(wrong: ir.Value, right: set[ir.Value]) -> tuple[set[ir.Node], list[ir.Value]]:
    """The nodes from tensors that are right to the wrong one, and those tensors."""
    nodes: set[ir.Node] = set()
    starts: dict[ir.Value, None] = {}
    stack = [wrong]
    while stack:
        value = stack.pop()
        producer = value.producer()
        if producer is None or (value is not wrong and value in right):
            starts[value] = None
            continue
        if producer in nodes:
            continue
        nodes.add(producer)
        stack += [v for v in producer.inputs if v is not None and v.const_value is None]
    return nodes, list(starts)


def _operands(
    node: ir.Node, element: int, found: dict[str, NDArray[Any]], shape: tuple[int, ...]
) -> list[Operand]:
    index = np.unravel_index(element, shape)
    operands = []
    for position, value in enumerate(node.inputs):
        if value is None:
            continue
        array = constant(value)
        array = np.asarray(found[str(value.name)] if array is None else array)
        part = _part(node, position, array, index, shape)
        whole = part is None
        operands.append(Operand(str(value.name), (array if part is None else part), whole))
    return operands


def _part(
    node: ir.Node,
    position: int,
    array: NDArray[Any],
    index: tuple[Any, ...],
    shape: tuple[int, ...],
) -> NDArray[Any] | None:
    """The numbers of an operand that one element of the result depends on, where that is plain."""
    role = role_of(node)
    if role is Role.DYNAMIC_PRODUCT:
        return np.asarray(array[index[:-1]]) if position == 0 and array.ndim == len(shape) else None
    if node.op_type in PRODUCTS or role is Role.PRODUCT:
        if position == 0 and array.ndim == len(shape):
            return np.asarray(array[index[:-1]])
        return np.asarray(array[..., index[-1]]) if position == 1 and array.ndim == 2 else None
    if node.op_type == "MultiThreshold" or role is Role.THRESHOLDS:
        if position == 0 and array.shape == shape:
            return np.asarray(array[index])
        axis = -1 if role is Role.THRESHOLDS else node.attributes["axis"].as_int()
        row = index[axis] if len(array) == shape[axis] else 0
        return np.asarray(array[row]) if array.ndim == 2 else None
    if node.op_type in ("Add", "Sub", "Mul", "Div", "Dequantize") or role is Role.SUM:
        try:
            return np.asarray(np.broadcast_to(array, shape)[index])
        except ValueError:
            return None
    return None
