# SPDX-License-Identifier: Apache-2.0
"""Compile random quantized graphs and hold them against an oracle that shares no code with qnnc.

python -m benchmarks.random_graphs --count 10000 --resume build/random.jsonl [--rtl 500]
python -m benchmarks.random_graphs --replay 1234 [--rtl 1]

Each graph runs in a process of its own and becomes one line of the file, which a stopped run, or
a second one beside it, continues with. Lines of other versions of qnnc, the generator or the oracle
do not count. Graphs that fail are saved in the folder FILE.failed, with their inputs. The exit
code is 1 if there are any.

exact           every code and output is what it must be
near-tie        a code differs where float32's rounding decides which of two it is
refused         qnnc says why it does not take the graph
DIFFERENT       a code or an output is wrong
internal error  a traceback, a crash, or the format's own executor contradicts the oracle
too slow        the passes take longer than --limit seconds of CPU
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import re
import resource
import select
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks.resumable import Ledger, fingerprint
from qnnc.backends.simulation.simulate import Pressure
from qnnc.compiler.errors import QnncError
from tests.generator import random_case
from tests.oracle import Oracle
from tests.support import second_opinion as opinion

ROOT = Path(__file__).parents[1]
SOURCES = ("compiler", "frontends", "backends", "nodes", "tests/generator", "tests/oracle",
           "tests/support/second_opinion.py", "benchmarks/random_graphs.py")  # fmt: skip
FAILED = ("DIFFERENT", "internal error", "too slow")
TINY = 2
"""Operators that graphs for RTL simulation grow by."""
FOLDED = 3
"""Every such graph is folded, too."""
WITNESSED = 5
"""Every such graph is run by its format's own executor, too."""


def examine(seed: int, most: int, rtl: Path | None) -> dict[str, Any]:
    """What becomes of the graph of a seed."""
    case = random_case(seed, most)
    result: dict[str, Any] = {
        "flavour": case.flavour,
        "opset": next(o.version for o in case.proto.opset_import if o.domain == ""),
        "operators": dict(Counter(node.op_type for node in case.proto.graph.node)),
    }
    start = time.process_time()
    try:
        model = opinion.compile_case(case, fold=rtl is not None or seed % FOLDED == 0)
    except QnncError as error:
        return {**result, "kind": "refused", "why": general(str(error))}
    finally:
        result["passes"] = round(time.process_time() - start, 2)
    result["nodes"] = len(model.graph)
    oracle = Oracle(case.proto)
    known = oracle.run(case.feeds)
    also = opinion.streams(model) if rtl is not None else []
    observed = opinion.observe(model, case.feeds, known, also)
    found = opinion.judge(case, oracle, observed)
    result |= {"near": found.near, "open": found.open, "compared": found.compared}
    if found.faults:
        return {**result, "kind": "DIFFERENT", "why": found.faults[0]}
    if rtl is not None:
        if not also:
            return {**result, "kind": "refused", "why": "nothing in hardware"}
        pressure = Pressure(source=50, sink=50, seed=seed)
        wrong = opinion.simulate(model, observed, rtl, pressure)
        if wrong is not None:
            return {**result, "kind": "DIFFERENT", "why": f"RTL: {wrong}"}
    elif seed % WITNESSED == 0:
        try:
            doubts = opinion.judge_executor(case, oracle)
        except Exception as error:  # it cannot run the file, which says nothing of qnnc
            doubts = []
            result["witness"] = general(str(error))
        if doubts:
            return {**result, "kind": "internal error", "why": f"executor: {doubts[0]}"}
    return {**result, "kind": "near-tie" if found.near else "exact"}


def general(text: str) -> str:
    """A message without names and numbers."""
    first = text.partition("\n")[0]
    return re.sub(r"-?[0-9][0-9.,e+-]*", "#", re.sub(r"'[^']*'", "'*'", first))[:200]


def isolated(job: Callable[[], dict[str, Any]], limit: float) -> dict[str, Any]:
    """Run in a child process, which may crash or hang."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit) + 30, int(limit) + 35))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        try:
            result = job()
        except BaseException as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno} in {place.name}"
            why = f"{type(error).__name__} at {where}: {general(str(error))}"
            result = {"kind": "internal error", "why": why, "trace": traceback.format_exc()[-3000:]}
        with os.fdopen(writer, "w") as pipe:
            pipe.write(json.dumps(result))
        os._exit(0)
    os.close(writer)
    parts: list[bytes] = []
    deadline = time.monotonic() + limit * 20
    while True:
        ready, _, _ = select.select([reader], [], [], max(0.0, deadline - time.monotonic()))
        part = os.read(reader, 1 << 16) if ready else b""
        if not part:
            break
        parts.append(part)
    os.close(reader)
    if not parts:
        os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    cpu = usage.ru_utime + usage.ru_stime
    if parts:
        result = json.loads(b"".join(parts))
        if result.get("passes", 0) > limit:
            result = {**result, "kind": "too slow", "why": f"{result['passes']:.0f} s of passes"}
    elif cpu > limit:
        result = {"kind": "too slow", "why": f"stopped after {cpu:.0f} s"}
    else:
        result = {"kind": "internal error", "why": f"the process died with status {status}"}
    return {**result, "seconds": round(cpu, 2)}


def preload(most: int) -> None:
    """Import what a graph takes, in advance and without running any, which would start threads
    that a fork loses."""

    def modules() -> dict[str, Any]:
        examine(0, most, None)
        return {"kind": "exact", "modules": sorted(sys.modules)}

    for name in isolated(modules, 60).get("modules", ()):
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def save(folder: Path, seed: int, most: int, result: dict[str, Any]) -> None:
    """Keep a graph that failed, with its inputs and what was found."""
    folder.mkdir(parents=True, exist_ok=True)
    case = random_case(seed, most)
    onnx.save(case.proto, folder / f"{seed}-{most}.onnx")
    np.savez(folder / f"{seed}-{most}.npz", **case.feeds)  # type: ignore[arg-type]
    (folder / f"{seed}-{most}.json").write_text(json.dumps({**result, **case.options}, indent=1))


def work(ledger: Ledger, chosen: argparse.Namespace) -> None:
    """Take graphs that nobody has taken until there are none left."""
    preload(chosen.most)
    for what, seeds, enough in (
        ("graph", range(chosen.seed, chosen.seed + chosen.count), chosen.count),
        ("rtl", range(chosen.seed, chosen.seed + 4 * chosen.rtl), chosen.rtl),
    ):
        most = TINY if what == "rtl" else chosen.most
        cache = ledger.path.with_suffix(".cache") if what == "rtl" else None
        while ledger.count(what, COUNTED) < enough:
            taken = ledger.claim(what, seeds, 1 if what == "rtl" else 10)
            if not taken:
                break
            for seed in taken:
                limit = chosen.limit * (10 if cache is not None else 1)
                result = isolated(partial(examine, seed, most, cache), limit)
                ledger.add(what, seed, result)
                if result["kind"] in FAILED:
                    save(ledger.path.with_suffix(".failed"), seed, most, result)
                    print(f"{what} {seed}: {result['kind']}: {result['why']}", flush=True)


def COUNTED(what: str, result: dict[str, Any]) -> bool:
    """A result that counts towards what was asked for."""
    return what == "graph" or result["kind"] != "refused"


def summary(ledger: Ledger, seeds: range) -> int:
    """Print what came out; returns how many failed."""
    failed = 0
    for what in ("graph", "rtl"):
        results = [r for s, r in ledger.results(what).items() if s in seeds or what == "rtl"]
        if not results:
            continue
        kinds = Counter(r["kind"] for r in results)
        bad = sum(kinds[k] for k in FAILED)
        failed += bad
        seconds = sum(r["seconds"] for r in results)
        print(f"\n{what}: {len(results)} graphs, {bad} failed, {seconds:.0f} s of CPU")
        _table("", kinds)
        near, codes = (sum(r.get(k, 0) for r in results) for k in ("near", "compared"))
        print(f"  {codes} tensors compared; {near} codes decided by float32's rounding")
        _table("refused", Counter(r["why"] for r in results if r["kind"] == "refused"))
        done = [r for r in results if r["kind"] in ("exact", "near-tie")]
        _table("could not be run by their own executors", Counter(
            r["witness"] for r in results if "witness" in r))  # fmt: skip
        _table("of those compared", Counter(r["flavour"] for r in done))
        _table("opset", Counter(r["opset"] for r in done))
        _table("operators", sum((Counter(r["operators"]) for r in done), Counter()))
    return failed


def _table(title: str, counts: Counter[Any]) -> None:
    if title and counts:
        print(f"  {title}:")
    for name, count in counts.most_common():
        print(f"  {count:7} {name}")


def main() -> None:
    """Run graphs of consecutive seeds, or one again."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    parser.add_argument("--resume", type=Path, default=Path("build/random-graphs.jsonl"))
    parser.add_argument("--rtl", type=int, default=0, help="tiny graphs to simulate as hardware")
    parser.add_argument("--most", type=int, default=8, help="operators that a graph grows by")
    parser.add_argument("--limit", type=float, default=60, help="seconds of CPU for the passes")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--replay", type=int, help="examine one seed in this process")
    chosen = parser.parse_args()
    if chosen.replay is not None:
        cache = chosen.resume.with_suffix(".cache") if chosen.rtl else None
        most = TINY if chosen.rtl else chosen.most
        print(onnx.printer.to_text(random_case(chosen.replay, most).proto))
        print(json.dumps(examine(chosen.replay, most, cache), indent=1))
        return
    ledger = Ledger(chosen.resume, fingerprint(ROOT, SOURCES))
    children = []
    for _ in range(chosen.jobs):
        child = os.fork()
        if child == 0:
            work(ledger, chosen)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    sys.exit(1 if summary(ledger, range(chosen.seed, chosen.seed + chosen.count)) else 0)


if __name__ == "__main__":
    main()
