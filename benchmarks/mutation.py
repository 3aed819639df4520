# SPDX-License-Identifier: Apache-2.0
"""Mutation testing: does a test fail when a line of the compiler is wrong?

python -m benchmarks.mutation --count 150 --resume build/mutation.jsonl
python -m benchmarks.mutation --survivors --resume build/mutation.jsonl    # those again

Each mutant is one change of one operator, number or call in the packages below. It is put into a
copy of the project, where the tests nearest to it run until one fails. The sample is drawn with a
seed, the same share of each package; the planted ones are always in it. Results are kept, one line
a mutant; a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import io
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.resumable import Ledger, fingerprint

ROOT = Path(__file__).parents[1]
NEAREST = {
    "integer": ("intervals", "hoist_quantizers", "random_graphs", "oracle", "operators"),
    "tails": ("tails", "curves", "merge_thresholds", "random_graphs", "suggestions"),
    "folding": ("folding", "budget", "memory_ports"),
    "verification": ("verification", "debugging", "passes"),
    "buffering": ("buffering", "folding", "random_graphs", "cnn"),
}
"""Test files by package of the compiler, the quickest first."""
CHOSEN = "not hardware and not rtl and not simulat and not synth and not process"
"""Tests that need no simulation."""
PRELOADED = ("numpy", "onnx", "onnx_ir", "onnx_ir.passes.common", "onnxruntime", "scipy.optimize",
             "networkx", "pytest", "hypothesis", "qonnx.core.datatype", "jinja2",
             "pydantic")  # fmt: skip
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
        for node in mutable(ast.parse(text)):
            for variant in variants(node):
                start = starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
                end = starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]
                old = text.encode()[start:end].decode()
                new = ast.unparse(ast.fix_missing_locations(variant))
                if not isinstance(node, ast.Return):
                    new = f"({new})"
                file = path.relative_to(root).as_posix()
                found.append(Mutant(package, file, node.lineno, old, new, start, end))  # type: ignore[attr-defined]
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
            end = start + len(old.encode())
            found.append(Mutant(file.split("/")[1], file, line, old, new, start, end))
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


def copied(root: Path) -> Path:
    """A copy of the project without what builds leave in it; compiled simulators are shared."""
    place = Path(tempfile.mkdtemp(prefix="qnnc-mutation-"))
    left = shutil.ignore_patterns(".git", "build", ".pytest_cache", "__pycache__", ".mypy_cache",
                                  ".ruff_cache", "*.egg-info")  # fmt: skip
    shutil.copytree(root, place / "project", symlinks=True, ignore=left)
    return place / "project"


def tested(project: Path, package: str, limit: float) -> tuple[str, float, str]:
    """Run the nearest tests in a child process; outcome, seconds of CPU, and what failed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        os.close(reader)
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit) + 5))
        code = 70
        with contextlib.suppress(BaseException):
            code = _pytest(project, package, writer)
        os._exit(code)
    os.close(writer)
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(child, signal.SIGKILL))
    signal.alarm(int(limit * 15))
    with os.fdopen(reader, encoding="utf-8", errors="replace") as pipe:
        said = pipe.read()
    _, status, usage = os.wait4(child, 0)
    signal.alarm(0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    seconds = usage.ru_utime + usage.ru_stime
    if os.WIFSIGNALED(status):
        return "killed", seconds, "time ran out"
    lines = [line for line in said.splitlines() if line.startswith(("FAILED", "ERROR"))]
    outcome = "survived" if os.WEXITSTATUS(status) == 0 else "killed"
    return outcome, seconds, lines[0][:160] if lines else ""


def _pytest(project: Path, package: str, writer: int) -> int:
    import pytest

    os.chdir(project)
    sys.path[:0] = [str(project / "src"), str(project)]
    for name in list(sys.modules):
        if name.split(".")[0] in ("qnnc", "tests", "benchmarks"):
            del sys.modules[name]
    os.environ["PYTHONPATH"] = f"{project / 'src'}{os.pathsep}{project}"
    files = [f"tests/test_{name}.py" for name in NEAREST[package]]
    there = [name for name in files if (project / name).exists()]
    captured = io.StringIO()
    with contextlib.redirect_stdout(captured), contextlib.redirect_stderr(io.StringIO()):
        code = pytest.main(["-x", "-q", "-rfE", "-p", "no:xdist", "-k", CHOSEN, *there])
    os.write(writer, captured.getvalue()[-4000:].encode())
    return int(code)


def work(chosen: argparse.Namespace, ledger: Ledger, todo: list[Mutant]) -> None:
    """Test mutants until there are none left."""
    for name in PRELOADED:
        importlib.import_module(name)
    project = copied(chosen.root)
    limits: dict[str, float] = {}
    try:
        while taken := ledger.claim("mutant", range(len(todo)), 1):
            mutant = todo[taken[0]]
            if mutant.package not in limits:
                outcome, seconds, why = tested(project, mutant.package, 900)
                if outcome != "survived":
                    sys.exit(f"the tests of {mutant.package} fail without a mutant: {why}")
                limits[mutant.package] = seconds * 4 + 30
                print(f"{mutant.package}: tests take {seconds:.0f} s of CPU", flush=True)
            path = project / mutant.file
            whole = path.read_bytes()
            path.write_bytes(whole[: mutant.start] + mutant.new.encode() + whole[mutant.end :])
            start = time.time()
            outcome, seconds, why = tested(project, mutant.package, limits[mutant.package])
            path.write_bytes(whole)
            result = {"kind": outcome, "package": mutant.package, "mutant": str(mutant),
                      "why": why, "seconds": round(seconds, 1)}  # fmt: skip
            ledger.add("mutant", taken[0], result)
            print(f"{outcome:8} {time.time() - start:4.0f} s {mutant}", flush=True)
    finally:
        shutil.rmtree(project.parent)


def summary(ledger: Ledger, count: int) -> None:
    """Print the score of each package, and who survived."""
    results: list[dict[str, Any]] = [r for n, r in ledger.results("mutant").items() if n < count]
    for package in [*NEAREST, ""]:
        some = [r for r in results if r["package"] == package or not package]
        kinds = Counter(r["kind"] for r in some)
        share = kinds["killed"] / max(1, len(some))
        print(f"{package or 'all':14} {kinds['killed']:4} of {len(some):4} killed, {share:.0%}")
    for result in results:
        if result["kind"] == "survived":
            print(f"survived {result['mutant']}")


def main() -> None:
    """Test a sample of mutants."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", type=Path, default=Path("build/mutation.jsonl"))
    parser.add_argument("--root", type=Path, default=ROOT, help="the project to be mutated")
    parser.add_argument("--packages", nargs="+", default=list(NEAREST), choices=list(NEAREST))
    parser.add_argument("--survivors", action="store_true", help="test those again that survived")
    chosen = parser.parse_args()
    packages = [f"compiler/{package}" for package in NEAREST]
    drawn = "-".join(map(str, [chosen.seed, chosen.count, *chosen.packages]))
    ledger = Ledger(chosen.resume, f"{fingerprint(chosen.root, packages)}-{drawn}")
    todo = sample(chosen.root, chosen.count, chosen.seed, chosen.packages)
    if chosen.survivors:
        ledger.forget("mutant", lambda result: result["kind"] == "survived")
    work(chosen, ledger, todo)
    summary(ledger, len(todo))


if __name__ == "__main__":
    main()
