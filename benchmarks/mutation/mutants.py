# SPDX-License-Identifier: Apache-2.0
"""What may be wrong in a line of Python, and samples of it."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PLANTED = (
    ("compiler/tails/collect.py", '"alpha", 0.01) >= 0', '"alpha", 0.01) >= -9'),
    ("compiler/tails/curves.py", "_bent(_sign(alpha))", "_bent(1)"),
    ("compiler/folding/goal.py", "math.floor(self.clock_mhz", "math.ceil(self.clock_mhz"),
    ("compiler/folding/options.py", "all(a <= b for", "all(a < b for"),
    ("compiler/verification/verifier.py", "(terms + 8)", "1000 * (terms + 8)"),
    ("compiler/verification/bounds.py", "(terms + 8)", "1000 * (terms + 8)"),
)
"""File, text and what takes its place; where the text has moved on, the mutant is left out."""

COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.LShift: ast.RShift,
    ast.Mod: ast.FloorDiv,
}  # fmt: skip
CALLED = {
    "floor": "ceil", "ceil": "floor", "rint": "floor", "min": "max", "max": "min",
    "minimum": "maximum", "maximum": "minimum", "any": "all", "all": "any", "argmin": "argmax",
    "argmax": "argmin",
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A change: file below the root, line, what stands there and what is put there."""

    package: str
    file: str
    line: int
    old: str
    new: str
    start: int
    end: int
    lines: tuple[int, int] | None = None
    """Of the statement that it is in, if that is one of a function."""

    def __str__(self) -> str:
        old, new = (" ".join(text.split())[:70] for text in (self.old, self.new))
        return f"{self.file}:{self.line}: {old} -> {new}"


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """What a node may wrongly be."""
    if isinstance(node, ast.Compare):
        swapped = COMPARED.get(type(node.ops[0]))
        if swapped is not None:
            yield ast.Compare(node.left, [swapped(), *node.ops[1:]], node.comparators)
    elif isinstance(node, ast.BinOp) and type(node.op) in COMPUTED:
        yield ast.BinOp(node.left, COMPUTED[type(node.op)](), node.right)
    elif isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield ast.BoolOp(other, node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield node.operand
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield ast.Constant(node.value + 1)
        if node.value > 1:
            yield ast.Constant(node.value * 1000)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Call):
        name = node.func
        if isinstance(name, ast.Name) and name.id in CALLED:
            yield ast.Call(ast.Name(CALLED[name.id]), node.args, node.keywords)
        elif isinstance(name, ast.Attribute) and name.attr in CALLED:
            function = ast.Attribute(name.value, CALLED[name.attr])
            yield ast.Call(function, node.args, node.keywords)
    elif isinstance(node, ast.Return) and node.value is not None:
        if not (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield ast.Return(ast.Constant(None))
    elif isinstance(node, ast.IfExp):
        yield node.orelse


def mutable(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes of code that does something: no annotations, messages or decorators."""
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, ast.JoinedStr | ast.Raise):
                continue
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            yield child
            yield from mutable(child)


def mutants(root: Path, package: str) -> list[Mutant]:
    """All mutants of a package, in order."""
    found = []
    for path in sorted((root / "compiler" / package).glob("*.py")):
        text = path.read_text(encoding="utf-8")
        starts = [0]
        for line in text.encode().splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        tree = ast.parse(text)
        for node in mutable(tree):
            for variant in variants(node):
                start = starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
                end = starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]
                old = text.encode()[start:end].decode()
                new = ast.unparse(ast.fix_missing_locations(variant))
                if not isinstance(node, ast.Return):
                    new = f"({new})"
                file = path.relative_to(root).as_posix()
                line: int = node.lineno  # type: ignore[attr-defined]
                lines = statement(tree, line)
                found.append(Mutant(package, file, line, old, new, start, end, lines))
    return found


def statement(tree: ast.AST, line: int) -> tuple[int, int] | None:
    """First and last line of the innermost statement of a function that a line is in; of one that
    holds others, its head."""
    inside, found = False, None
    for node in ast.walk(tree):  # outer ones come first
        if not isinstance(node, ast.stmt) or not node.lineno <= line <= (node.end_lineno or 0):
            continue
        if isinstance(node, ast.FunctionDef):
            inside = node.body[0].lineno <= line
            found = None
            continue
        body = getattr(node, "body", None)
        last = body[0].lineno - 1 if body else node.end_lineno or node.lineno
        if inside:
            found = (node.lineno, max(node.lineno, last))
    return found


def planted(root: Path) -> list[Mutant]:
    """The planted ones that still fit."""
    found = []
    for file, old, new in PLANTED:
        path = root / file
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        start = len(text[: text.find(old)].encode())
        if old in text:
            line = text[: text.find(old)].count("\n") + 1
            end, lines = start + len(old.encode()), statement(ast.parse(text), line)
            found.append(Mutant(file.split("/")[1], file, line, old, new, start, end, lines))
    return found


def sample(root: Path, count: int, seed: int, packages: Sequence[str]) -> list[Mutant]:
    """The planted ones, and as many of each package as its share of all."""
    chosen = [mutant for mutant in planted(root) if mutant.package in packages]
    everything = {package: mutants(root, package) for package in packages}
    total = sum(len(found) for found in everything.values())
    for package, found in everything.items():
        share = max(1, round(count * len(found) / total))
        chosen += random.Random(f"{seed} {package}").sample(found, min(share, len(found)))
    return chosen
