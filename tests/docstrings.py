# SPDX-License-Identifier: Apache-2.0
"""What a public docstring must say, checked without importing anything.

Every public module, class, function and method has one; a method that a class above declares may
leave it out. One that raises an error of the `QnncError` family by itself names it. One that takes
or gives arrays says their shape: in brackets, or in words with "shape", "like" or "flat".
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

ARRAYS = {"ArrayLike", "Floats", "IntArray", "NDArray"}
SHAPES = re.compile(
    r"\[[^\]]*\]|\b(shapes?|broadcast|element|flat\b|like\b|scalar|one array\b|tensors? by name)"
)


def errors(folder: Path) -> set[str]:
    """Names of the classes of the family, from `compiler/errors.py`."""
    tree = ast.parse((folder / "compiler" / "errors.py").read_text(encoding="utf-8"))
    classes = [n for n in tree.body if isinstance(n, ast.ClassDef)]
    found = {"QnncError"}
    for node in classes:
        if {base.id for base in node.bases if isinstance(base, ast.Name)} & found:
            found.add(node.name)
    return found


def faults(path: Path, family: set[str], declared: Mapping[str, set[str]]) -> list[str]:
    """What is missing in a file, a line each.

    Args:
        path: of the file.
        family: names of the errors that have to be named.
        declared: for each class of the project its methods.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [] if ast.get_docstring(tree) else [f"{path}:1: module"]
    for node, inherited in _public(tree, declared):
        text = ast.get_docstring(node) or ""
        where = f"{path}:{node.lineno}: {node.name}"
        if not text:
            if not inherited:
                found.append(f"{where} has no docstring")
            continue
        if isinstance(node, ast.ClassDef):
            continue
        missing = sorted(name for name in _raised(node) & family if name not in text)
        if missing:
            found.append(f"{where} raises {', '.join(missing)}")
        if not inherited and _arrays(node) and not SHAPES.search(text):
            found.append(f"{where} says no shape")
    return found


def methods(paths: list[Path]) -> dict[str, set[str]]:
    """Names of the methods of every class, those of the classes above it included."""
    own: dict[str, set[str]] = {}
    above: dict[str, list[str]] = {}
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                own.setdefault(node.name, set()).update(_names(node))
                above.setdefault(node.name, []).extend(_bases(node))

    def reached(name: str, seen: frozenset[str]) -> set[str]:
        if name in seen:
            return set()
        found = set(own.get(name, ()))
        for base in above.get(name, ()):
            found |= reached(base, seen | {name})
        return found

    return {name: reached(name, frozenset()) for name in own}


def _names(node: ast.ClassDef) -> Iterator[str]:
    for part in node.body:
        if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield part.name
        elif isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            yield part.target.id


def _bases(node: ast.ClassDef) -> Iterator[str]:
    for base in node.bases:
        plain = base.value if isinstance(base, ast.Subscript) else base
        if isinstance(plain, ast.Name):
            yield plain.id
        elif isinstance(plain, ast.Attribute):
            yield plain.attr


Documented = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _public(
    tree: ast.Module, declared: Mapping[str, set[str]]
) -> Iterator[tuple[Documented, bool]]:
    """Public classes, functions and methods, and whether a class above declares the method."""
    for node in tree.body:
        if not isinstance(node, Documented) or node.name.startswith("_"):
            continue
        yield node, False
        if isinstance(node, ast.ClassDef):
            inherited = {name for base in _bases(node) for name in declared.get(base, ())}
            foreign = any(base not in declared for base in _bases(node))
            for part in node.body:
                if isinstance(part, Documented) and not part.name.startswith("_"):
                    yield part, part.name in inherited or foreign


def _raised(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Names of the classes that a function raises, those of functions within it left out."""
    found, waiting = set[str](), list[ast.AST](node.body)
    while waiting:
        part = waiting.pop()
        if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            continue
        match part:
            case ast.Raise(exc=ast.Call(func=ast.Name(id=name))):
                found.add(name)
        waiting.extend(ast.iter_child_nodes(part))
    return found


def _arrays(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A function takes or gives arrays, by its annotations."""
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    annotations = [a.annotation for a in arguments if a.annotation is not None]
    if node.returns is not None:
        annotations.append(node.returns)
    names = {n.id for a in annotations for n in ast.walk(a) if isinstance(n, ast.Name)}
    return bool(names & ARRAYS)
