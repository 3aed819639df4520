# SPDX-License-Identifier: Apache-2.0
"""Which tests execute which lines of the compiler, and how long they take."""

from __future__ import annotations

import json
import os
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks.mutation.isolated import in_child
from benchmarks.mutation.mutants import Mutant
from benchmarks.resumable import fingerprint

FILES = (
    "budget", "buffering", "cases", "comparisons", "corners", "curves", "folding",
    "folding_by_hand", "folding_limits", "hoist_quantizers", "integer_forms", "integer_limits",
    "intervals", "layout", "lowering", "memory_ports", "merge_thresholds", "operators", "passes",
    "random_graphs", "range_cases", "residual", "resize", "tables", "tails", "trits",
    "verification", "weight_grids", "witness", "written_functions",
)  # fmt: skip
"""Files of tests of the compiler."""
SLOW = {"cache", "small_build"}
"""Fixtures of tests that simulate or synthesize hardware, which are left out."""
MOST = 600.0
"""Seconds of CPU that one file of tests may take."""


@dataclass(frozen=True)
class Test:
    """A test, its seconds of CPU, and the lines that it executes, by file."""

    name: str
    seconds: float
    lines: dict[str, frozenset[int]]

    @property
    def function(self) -> str:
        """Without parameters."""
        return self.name.partition("[")[0]


class _Recorder:
    """A plugin of pytest: coverage by test."""

    def __init__(self, coverage: Any) -> None:
        self.coverage = coverage
        self.seconds: dict[str, float] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [i for i in items if not SLOW & set(getattr(i, "fixturenames", ()))]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.coverage.switch_context(item.nodeid)
        start = time.process_time()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = time.process_time() - start
            self.coverage.switch_context("")


def record(project: Path, file: str, packages: Sequence[str]) -> list[Test]:
    """Run a file of tests in a child process, where it must pass."""

    def job() -> str:
        from coverage import Coverage

        sources = [str(project / "compiler" / package) for package in packages]
        coverage = Coverage(data_file=None, include=[f"{source}/*" for source in sources])
        recorder = _Recorder(coverage)
        coverage.start()
        code = pytest.main(["-q", "-p", "no:xdist", file], plugins=[recorder])
        coverage.stop()
        if code not in (0, 5):
            raise RuntimeError(f"{file} fails without a mutant")
        lines: defaultdict[str, dict[str, list[int]]] = defaultdict(dict)
        data = coverage.get_data()
        for path in data.measured_files():
            for line, contexts in data.contexts_by_lineno(path).items():
                for test in contexts:
                    of_test = lines[test]
                    of_test.setdefault(os.path.relpath(path, project), []).append(line)
        return json.dumps([[t, s, lines.get(t, {})] for t, s in recorder.seconds.items()])

    found = in_child(project, job, MOST)
    if found.crashed:
        raise RuntimeError(f"{file}: {found.said[-2000:]}")
    return [
        Test(name, seconds, {path: frozenset(own) for path, own in lines.items()})
        for name, seconds, lines in json.loads(found.said)
    ]


def tests_of(
    project: Path, packages: Sequence[str], store: Path, extra: Iterable[str] = ()
) -> list[Test]:
    """All tests with what they execute; what is known of unchanged files is read from `store`."""
    sources = fingerprint(project, [f"compiler/{package}" for package in packages])
    known: dict[str, Any] = json.loads(store.read_text()) if store.exists() else {}
    found = []
    for name in sorted({*FILES, *extra}):
        file = f"tests/test_{name}.py"
        if not (project / file).exists():
            continue
        key = f"{sources} {fingerprint(project, [file])}"
        if known.get(file, {}).get("key") != key:
            start = time.time()
            tests = record(project, file, packages)
            known[file] = {
                "key": key,
                "tests": [
                    [t.name, t.seconds, {p: sorted(own) for p, own in t.lines.items()}]
                    for t in tests
                ],
            }
            store.parent.mkdir(parents=True, exist_ok=True)
            store.write_text(json.dumps(known))
            print(f"{file}: {len(tests)} tests, {time.time() - start:.0f} s", flush=True)
        for name_, seconds, lines in known[file]["tests"]:
            found.append(Test(name_, seconds, {p: frozenset(own) for p, own in lines.items()}))
    return found


def nearest(tests: Sequence[Test], mutant: Mutant, budget: float) -> list[Test]:
    """The quickest of those that execute the mutant's line, within seconds of CPU: one of each
    function of tests first, then another of each."""
    file = mutant.file
    if mutant.lines is None:  # executed on import
        near = [test for test in tests if test.lines.get(file)]
    else:
        wanted = frozenset(range(mutant.lines[0], mutant.lines[1] + 1))
        near = [test for test in tests if wanted & test.lines.get(file, frozenset())]
    turns: defaultdict[str, int] = defaultdict(int)
    order = []
    for test in sorted(near, key=lambda test: test.seconds):
        order.append((turns[test.function], test.seconds, test))
        turns[test.function] += 1
    order.sort(key=lambda entry: entry[:2])
    chosen, spent = [], 0.0
    for _, seconds, test in order:
        if chosen and spent + seconds > budget:
            continue
        chosen.append(test)
        spent += seconds
    return chosen


def named(text: str) -> str:
    """The first failure that pytest reports, or nothing."""
    lines = re.findall(r"^(?:FAILED|ERROR) .*", text, flags=re.MULTILINE)
    return lines[0][:160] if lines else ""
