# SPDX-License-Identifier: Apache-2.0
"""C++ of a Thresholding with an affine map in front: factored or requant."""

from __future__ import annotations

import numpy as np

from qnnc.backends.hls.kernel import Header, Kernel, Table, cpp_type, template
from qnnc.compiler.dataflow.cost import bits_for
from qnnc.compiler.datatypes import datatype, smallest_type
from qnnc.compiler.factoring.hashing import HashTable
from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.thresholding.affine import Affine, signed_bits
from qnnc.nodes.thresholding.node import REQUANT, Thresholding, ThresholdingFolding

HEADER = Header.beside(__name__, "affine.h")


def affine_kernel(node: Thresholding, folding: ThresholdingFolding) -> Kernel:
    """The node under a folding whose style is not the table."""
    affine = node.affine()
    form = affine.form
    rows = affine.folds(folding.PE)
    slope = _parameter("slope", form.slope, rows, folding)
    intercept = _parameter("intercept", form.intercept, rows, folding)
    tables = [slope, intercept]
    if form.style == REQUANT:
        code = f"qnnc::clipped<{form.low_code}, {form.high_code}>"
    else:
        kind = smallest_type(0, int(form.thresholds[-1]))
        code = f"qnnc::searched<{cpp_type(kind)}, {len(form.thresholds)}, {form.low_code}>"
        tables.append(Table("threshold", kind, form.thresholds[:, None], partition=1))
    patch = "qnnc::no_patches"
    if len(form.exceptions):
        patch, more = _patches(affine, folding.PE, rows)
        tables += more
    name = template(
        "affine",
        node.x_type,
        slope.datatype,
        intercept.datatype,
        datatype(f"INT{_full_bits(affine)}"),
        node.out_type,
        code,
        patch,
        node.vectors * (node.channels // folding.PE),
        folding.PE,
        rows,
        form.shift,
        form.even,
    )
    return Kernel(HEADER, name, node.ports(folding), tuple(tables))


def _parameter(word: str, values: IntArray, rows: int, folding: ThresholdingFolding) -> Table:
    if values.size == 1:
        values = np.repeat(values, folding.PE)
    kind = smallest_type(int(values.min()), int(values.max()))
    return Table(word, kind, values.reshape(rows, folding.PE), folding.ram_style)


def _full_bits(affine: Affine) -> int:
    """Bits that hold a x, b and their sum for every x that may come."""
    form = affine.form
    ends = [int(e) * int(a) for e in (affine.x_type.min(), affine.x_type.max()) for a in form.slope]
    low, high = min(0, *ends), max(0, *ends)
    low += min(0, int(form.intercept.min()))
    high += max(0, int(form.intercept.max()))
    return min(64, max(signed_bits(low, high), affine.sum_bits, form.shift + 2))


def _patches(affine: Affine, lanes: int, rows: int) -> tuple[str, list[Table]]:
    """The class that adds exceptions, and its tables."""
    tables = affine.exception_tables(lanes)
    if len(tables) == 1:
        tables = tables * lanes
    first = tables[0]
    # the kernel's keys have the fewest bits that tell the rows apart
    key_bits = max(int(affine.x_type.bitwidth()) + bits_for(rows), first.address_bits + 1)
    name = f"qnnc::patches<{key_bits}, {first.address_bits}, {first.value_bits}, {lanes}>"
    entry_bits = key_bits - first.address_bits + first.value_bits
    masks = np.array([[_mask(m) for way in t.mixing for m in way] for t in tables], dtype=np.int64)
    masks &= (1 << key_bits) - 1
    entries = np.stack([_entries(t) for t in tables])
    return name, [
        Table("mask", datatype(f"UINT{key_bits}"), masks[:, :, None], partition=0),
        Table("entry", datatype(f"UINT{entry_bits}"), entries[:, :, None], partition=1),
    ]


def _mask(bits: tuple[int, ...]) -> int:
    return sum(1 << bit for bit in bits)


def _entries(table: HashTable) -> IntArray:
    return np.asarray(table.entries.reshape(-1), dtype=np.int64)
