# SPDX-License-Identifier: Apache-2.0
"""A threshold table as the staircases of its channels, all of them rising."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from qnnc.compiler.ir.facts import IntArray


@dataclass(frozen=True, eq=False)
class Staircase:
    """The function of each row of a threshold table over the row's range of inputs.

    A row that falls is described from above: its input is taken with the opposite sign, so that
    all rows rise in `y = sign * x`. A row that is not quite monotone (a tanh that turns round by
    a last bit) is described by the staircase with as many inputs at each code.

    Attributes:
        low: least y of each row, [rows].
        high: greatest y of each row, [rows].
        sign: 1, or -1 for rows that fall, [rows].
        steps: [rows, steps]; the first y with a code of base + 1 + i, within low..high + 1.
        base: least code.
        places: [rows, n], inputs x at which the table moves on, ascending in each row.
        values: [rows, n + 1], the codes between them.
    """

    low: IntArray
    high: IntArray
    sign: IntArray
    steps: IntArray
    base: int
    places: IntArray
    values: IntArray

    @property
    def rows(self) -> int:
        """Rows of the table."""
        return len(self.steps)

    def only(self, chosen: NDArray[np.bool_]) -> Staircase:
        """Some of the rows, chosen by flags [rows]."""
        rows = {f.name: getattr(self, f.name)[chosen] for f in fields(self) if f.name != "base"}
        return Staircase(base=self.base, **rows)

    def table_codes(self, row: NDArray[np.intp], x: IntArray) -> IntArray:
        """What the table gives for inputs x of rows `row`, both [n]."""
        order = np.argsort(row, kind="stable")
        found = np.empty(len(x), dtype=np.int64)
        ends = np.searchsorted(row[order], np.arange(self.rows + 1))
        for r in range(self.rows):
            mine = order[ends[r] : ends[r + 1]]
            if mine.size:
                count = np.searchsorted(self.places[r], x[mine], "right")
                found[mine] = self.values[r, count]
        return found


def staircase(
    thresholds: IntArray, values: IntArray | None, base: int, low: IntArray, high: IntArray
) -> Staircase:
    """Read a table as staircases.

    Args:
        thresholds: [rows, n], ascending.
        values: [rows, n + 1], codes by number of thresholds reached, or None for base + number.
        base: code below all thresholds, without `values`.
        low: least input of each row.
        high: greatest input of each row.
    """
    rows, count = thresholds.shape
    if values is None:
        codes = np.broadcast_to(base + np.arange(count + 1), (rows, count + 1))
        steps = np.clip(thresholds, low[:, None], high[:, None] + 1)
        return Staircase(low, high, np.ones(rows, np.int64), steps, base, thresholds, codes)
    edges = np.concatenate([low[:, None], thresholds, high[:, None] + 1], axis=1)
    edges = np.clip(edges, low[:, None], high[:, None] + 1)
    widths = np.diff(edges, axis=1)
    seen = np.where(widths > 0, values, values.max())
    base = int(seen.min())
    top = max(base + 1, int(np.where(widths > 0, values, base).max()))
    # inputs of each row at each code, and from there how many are at a code or above
    inputs = np.zeros((rows, top - base + 1), dtype=np.int64)
    row = np.broadcast_to(np.arange(rows)[:, None], values.shape)
    np.add.at(inputs, (row, np.clip(values, base, top) - base), widths)
    above = inputs[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
    first = np.take_along_axis(values, (widths > 0).argmax(axis=1)[:, None], axis=1)[:, 0]
    last_index = widths.shape[1] - 1 - (widths[:, ::-1] > 0).argmax(axis=1)
    last = np.take_along_axis(values, last_index[:, None], axis=1)[:, 0]
    sign = np.where(last < first, -1, 1).astype(np.int64)
    bottom, upper = np.where(sign > 0, low, -high), np.where(sign > 0, high, -low)
    steps = upper[:, None] + 1 - above
    return Staircase(bottom, upper, sign, steps, base, thresholds, values)
