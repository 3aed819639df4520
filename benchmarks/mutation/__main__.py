# SPDX-License-Identifier: Apache-2.0
"""Run a sample of mutants; see the package."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import benchmarks.mutation as package_text
from benchmarks.mutation.isolated import in_child
from benchmarks.mutation.mutants import Mutant, sample
from benchmarks.mutation.nearest import Test, named, nearest, tests_of
from benchmarks.resumable import Ledger, fingerprint

ROOT = Path(__file__).parents[2]
PACKAGES = ("integer", "tails", "folding", "verification", "buffering")
PRELOADED = ("numpy", "onnx", "onnx_ir", "onnx_ir.passes.common", "onnxruntime", "scipy.optimize",
             "networkx", "pytest", "hypothesis", "qonnx.core.datatype", "jinja2",
             "pydantic")  # fmt: skip


def copied(root: Path) -> Path:
    """A copy of the project without what builds leave in it."""
    place = Path(tempfile.mkdtemp(prefix="qnnc-mutation-"))
    left = shutil.ignore_patterns(".git", "build", ".pytest_cache", "__pycache__", ".mypy_cache",
                                  ".ruff_cache", "*.egg-info", ".hypothesis")  # fmt: skip
    shutil.copytree(root, place / "project", symlinks=True, ignore=left)
    shared = root.parent / "shared"
    if shared.exists():
        (place / "shared").symlink_to(shared.resolve())
    return place / "project"


def tested(project: Path, mutant: Mutant, tests: Sequence[Test]) -> dict[str, Any]:
    """What some tests say of a mutant."""
    if not tests:
        return {"kind": "survived", "why": "no test executes it", "seconds": 0.0}

    def job() -> str:
        names = [test.name for test in tests]
        options = ["-x", "-q", "-rfE", "-p", "no:xdist", "--hypothesis-seed=0"]
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            code = pytest.main([*options, *names])
        return "passed" if code == 0 else named(text.getvalue()) or f"pytest ended with {code}"

    path = project / mutant.file
    whole = path.read_bytes()
    path.write_bytes(whole[: mutant.start] + mutant.new.encode() + whole[mutant.end :])
    try:
        limit = sum(test.seconds for test in tests) * 5 + 20
        found = in_child(project, job, limit)
    finally:
        path.write_bytes(whole)
    if found.crashed:
        why = "time or memory ran out, or it crashed"
        return {"kind": "killed", "why": why, "seconds": round(found.seconds, 1)}
    kind = "survived" if found.said == "passed" else "killed"
    why = "" if kind == "survived" else found.said
    return {"kind": kind, "why": why, "tests": len(tests), "seconds": round(found.seconds, 1)}


def work(chosen: argparse.Namespace, ledger: Ledger, todo: list[Mutant]) -> None:
    """Test mutants until there are none left."""
    for name in PRELOADED:
        importlib.import_module(name)
    project = copied(chosen.root)
    try:
        tests = tests_of(project, chosen.packages, chosen.map, chosen.tests)
        while taken := ledger.claim("mutant", range(len(todo)), 1):
            mutant = todo[taken[0]]
            near = nearest(tests, mutant, chosen.budget)
            start = time.time()
            result = tested(project, mutant, near)
            result |= {"package": mutant.package, "mutant": str(mutant)}
            ledger.add("mutant", taken[0], result)
            print(f"{result['kind']:8} {time.time() - start:4.0f} s {mutant}", flush=True)
    finally:
        shutil.rmtree(project.parent)


def summary(ledger: Ledger, count: int) -> None:
    """Print the score of each package, and who survived."""
    results: list[dict[str, Any]] = [r for n, r in ledger.results("mutant").items() if n < count]
    for package in [*PACKAGES, ""]:
        some = [r for r in results if r["package"] == package or not package]
        kinds = Counter(r["kind"] for r in some)
        share = kinds["killed"] / max(1, len(some))
        print(f"{package or 'all':14} {kinds['killed']:4} of {len(some):4} killed, {share:.0%}")
    print(f"{sum(r['seconds'] for r in results):.0f} s of CPU")
    for result in results:
        if result["kind"] == "survived":
            print(f"survived {result['mutant']}")


def main() -> None:
    """Test a sample of mutants."""
    parser = argparse.ArgumentParser(
        description=package_text.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", type=Path, default=Path("build/mutation.jsonl"))
    parser.add_argument("--map", type=Path, help="what tests execute; beside the results")
    parser.add_argument("--root", type=Path, default=ROOT, help="the project to be mutated")
    parser.add_argument("--packages", nargs="+", default=PACKAGES, choices=PACKAGES)
    parser.add_argument("--tests", nargs="*", default=(), help="more files of tests, by name")
    parser.add_argument("--budget", type=float, default=25, help="seconds of tests for a mutant")
    parser.add_argument("--survivors", action="store_true", help="test those again")
    chosen = parser.parse_args()
    chosen.root = chosen.root.resolve()
    chosen.resume = chosen.resume.resolve()
    chosen.map = (chosen.map or chosen.resume.with_suffix(".map.json")).resolve()
    todo = sample(chosen.root, chosen.count, chosen.seed, chosen.packages)
    sources = [f"compiler/{package}" for package in chosen.packages]
    version = f"{fingerprint(chosen.root, sources)} {chosen.seed} {chosen.count}"
    ledger = Ledger(chosen.resume, version)
    if chosen.survivors:
        ledger.forget("mutant", lambda result: result["kind"] == "survived")
    work(chosen, ledger, todo)
    summary(ledger, len(todo))


if __name__ == "__main__":
    sys.exit(main())
