# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog of a compressor tree: a compiler.dataflow.compressor plan with names put in.

A column of a stage is one register vector, and all counters of a column are written as operations
on slices of it, so that text and simulation grow with the number of columns, not of bits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from qnnc.compiler.dataflow.compressor import Addition, Plan

Vector = tuple[str, int]
"""An expression and its width."""
Pieces = defaultdict[int, list[Vector]]


@dataclass
class TreeText:
    """Declarations and clocked statements of a tree, and the expression of its result."""

    declarations: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    result: str = "1'b0"


class TreeWriter:
    """Writes one tree; all its names start with `prefix`."""

    def __init__(self, plan: Plan, prefix: str) -> None:
        self.plan = plan
        self.prefix = prefix
        self.text = TreeText()
        self._nets = 0

    def write(self, pairs: Mapping[int, Vector], bits: Mapping[int, Vector]) -> TreeText:
        """Write the tree over gated pairs and plain bits, a vector a column; the vectors'
        widths must be the plan's."""
        pieces: Pieces = defaultdict(list)
        for column in range(self.plan.width):
            if column in bits:
                pieces[column].append(bits[column])
            if column in pairs:
                self._count_pairs(pieces, column, pairs[column])
        columns = self._registers(pieces, 0)
        for stage, counters in enumerate(self.plan.counter_stages, start=1):
            pieces = defaultdict(list)
            for column, vector in columns.items():
                self._count_sixes(pieces, column, vector, counters[column])
            columns = self._registers(pieces, stage)
        rows = [
            {c: f"{name}[{i}]" for c, (name, height) in columns.items() if height > i}
            for i in range(max((height for _, height in columns.values()), default=0))
        ]
        for stage_plan in self.plan.adder_stages:
            sums = [self._add(addition, rows) for addition in stage_plan.additions]
            rows = sums + [self._pass_row(rows[i]) for i in stage_plan.passed]
        row = rows[0] if rows else {}
        terms = [row.get(c, "1'b0") for c in reversed(range(self.plan.width))]
        self.text.result = "{" + ", ".join(terms) + "}"
        return self.text

    def _wire(self, expression: str, width: int) -> str:
        name = f"{self.prefix}_w{self._nets}"
        self._nets += 1
        self.text.declarations.append(f"wire [{width - 1}:0] {name} = {expression};")
        return name

    def _register(self, name: str, expression: str, width: int) -> str:
        self.text.declarations.append(f"reg [{width - 1}:0] {name};")
        self.text.statements.append(f"{name} <= {expression};")
        return name

    def _registers(self, pieces: Pieces, stage: int) -> dict[int, Vector]:
        """One register (or wire) a column, of all pieces side by side."""
        columns = {}
        for column in sorted(pieces):
            width = sum(piece[1] for piece in pieces[column])
            if column < self.plan.width and width:
                parts = ", ".join(piece[0] for piece in reversed(pieces[column]))
                if stage or self.plan.registered:
                    name = f"{self.prefix}_s{stage}_c{column}"
                    columns[column] = (self._register(name, f"{{{parts}}}", width), width)
                else:
                    columns[column] = (self._wire(f"{{{parts}}}", width), width)
        return columns

    def _count_pairs(self, pieces: Pieces, column: int, pairs: Vector) -> None:
        """Count threes of a vector of gated pairs, then what is left."""
        expression, count = pairs
        name = self._wire(expression, count)
        groups, left = divmod(count, 3)
        if groups:
            a, b, c = (f"{name}[{i * groups}+:{groups}]" for i in range(3))
            pieces[column].append((f"{a} ^ {b} ^ {c}", groups))
            pieces[column + 1].append((f"({a} & {b}) | ({c} & ({a} | {b}))", groups))
        if left == 1:
            pieces[column].append((f"{name}[{count - 1}]", 1))
        elif left == 2:
            a, b = f"{name}[{count - 2}]", f"{name}[{count - 1}]"
            pieces[column].append((f"{a} ^ {b}", 1))
            pieces[column + 1].append((f"{a} & {b}", 1))

    def _count_sixes(self, pieces: Pieces, column: int, vector: Vector, counters: int) -> None:
        """6:3 counters as full adders on three and three, then on their results: three
        functions of six inputs each."""
        name, height = vector
        if counters:
            a, b, c, d, e, f = (f"{name}[{i * counters}+:{counters}]" for i in range(6))
            s0 = self._wire(f"{a} ^ {b} ^ {c}", counters)
            c0 = self._wire(f"({a} & {b}) | ({c} & ({a} | {b}))", counters)
            s1 = self._wire(f"{d} ^ {e} ^ {f}", counters)
            c1 = self._wire(f"({d} & {e}) | ({f} & ({d} | {e}))", counters)
            both = self._wire(f"{s0} & {s1}", counters)
            pieces[column].append((f"{s0} ^ {s1}", counters))
            pieces[column + 1].append((f"{c0} ^ {c1} ^ {both}", counters))
            pieces[column + 2].append((f"({c0} & {c1}) | ({both} & ({c0} | {c1}))", counters))
        left = height - 6 * counters
        if left:
            pieces[column].append((f"{name}[{height - 1}:{height - left}]", left))

    def _place(self) -> str:
        self._nets += 1
        return f"{self.prefix}_a{self._nets - 1}"

    def _add(self, addition: Addition, rows: Sequence[Mapping[int, str]]) -> dict[int, str]:
        left, right = rows[addition.left], rows[addition.right]
        span = range(addition.top, addition.low - 1, -1)
        operands = [
            "{" + ", ".join(row.get(column, "1'b0") for column in span) + "}"
            for row in (left, right)
        ]
        total = self._register(self._place(), " + ".join(operands), len(span))
        result = {addition.low + i: f"{total}[{i}]" for i in range(len(span))}
        below = {c: bit for row in (left, right) for c, bit in row.items() if c < addition.low}
        return {**result, **self._pass_row(below)}

    def _pass_row(self, row: Mapping[int, str]) -> dict[int, str]:
        if not row:
            return {}
        columns = sorted(row)
        parts = ", ".join(row[column] for column in reversed(columns))
        name = self._register(self._place(), f"{{{parts}}}", len(columns))
        return {column: f"{name}[{i}]" for i, column in enumerate(columns)}
