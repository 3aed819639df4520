# SPDX-License-Identifier: Apache-2.0
"""Compile random quantized graphs and compare them with ONNX Runtime, and some as hardware.

python -m benchmarks.random_graphs --graphs 1000 --simulated 50

What fails is shrunk, printed as text that onnx.parser reads, and counted; the exit code is 1.
Results are kept, one line a graph, so that a run that was stopped goes on where it was; a change
of qnnc's sources or of the generator starts anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from qnnc.backends.simulation.simulate import Pressure
from tests.support.graph_check import failure, simulated_failure
from tests.support.random_graphs import random_graph
from tests.support.shrink import as_text, shrink

ROOT = Path(__file__).parents[1]
SOURCES = ("compiler", "frontends/qonnx", "backends", "tests/support", "benchmarks/qonnx_graph.py")


@dataclass(frozen=True)
class Result:
    """What became of one graph: None where all is well."""

    seed: int
    fault: str | None
    seconds: float


def through_dataflow(seed: int) -> Result:
    """Compile the graph of a seed and compare every tensor on 50 inputs."""
    start, model = time.time(), random_graph(seed)
    found = failure(model)
    if found is not None:
        small = shrink(model, lambda m: failure(m) == found)
        found = f"{found}\n{as_text(small)}"
    return Result(seed, found, time.time() - start)


def through_hardware(cache: Path, seed: int) -> Result:
    """Simulate the accelerator of a seed, with random pauses for odd seeds."""
    start = time.time()
    pressure = Pressure(source=50, sink=50, seed=seed) if seed % 2 else Pressure()
    cache.mkdir(parents=True, exist_ok=True)
    try:
        found = simulated_failure(random_graph(seed), cache, pressure)
    except Exception as error:  # a crash is a failure to be counted, not the end of the run
        found = f"{type(error).__name__}: {error}"
    return Result(seed, found, time.time() - start)


def fingerprint() -> str:
    """A digest of everything that results depend on."""
    digest = hashlib.sha256()
    for source in SOURCES:
        place = ROOT / source
        for path in [place] if place.is_file() else sorted(place.rglob("*")):
            if path.suffix in (".py", ".sv", ".cpp", ".h", ".j2"):
                digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def run(
    what: str, job: Callable[[int], Result], seeds: Sequence[int], folder: Path, jobs: int
) -> list[Result]:
    """The results of all seeds, those of an earlier run read from its file."""
    kept = folder / f"{what}-{fingerprint()}.jsonl"
    lines = kept.read_text().splitlines() if kept.exists() else []
    known = {r.seed: r for r in (Result(**json.loads(line)) for line in lines)}
    missing = [seed for seed in seeds if seed not in known]
    folder.mkdir(parents=True, exist_ok=True)
    with kept.open("a") as file:
        for number, result in enumerate(_results(job, missing, jobs), 1):
            known[result.seed] = result
            file.write(json.dumps(result.__dict__) + "\n")
            file.flush()
            if result.fault is not None:
                print(f"{what} graph {result.seed}: {result.fault}", flush=True)
            if number % 25 == 0:
                print(f"{what}: {number} of {len(missing)}", file=sys.stderr, flush=True)
    return [known[seed] for seed in seeds]


def _results(job: Callable[[int], Result], seeds: Sequence[int], jobs: int) -> Iterator[Result]:
    if jobs == 1:
        yield from map(job, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(job, seeds, chunksize=4)


def main() -> None:
    """Run the graphs of consecutive seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graphs", type=int, default=1000)
    parser.add_argument("--simulated", type=int, default=50)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--folder", type=Path, default=Path("build/random-graphs"))
    chosen = parser.parse_args()
    hardware = partial(through_hardware, chosen.folder / "cache")
    faults = 0
    for what, job, count in (
        ("dataflow", through_dataflow, chosen.graphs),
        ("hardware", hardware, chosen.simulated),
    ):
        seeds = range(chosen.first, chosen.first + count)
        results = run(what, job, seeds, chosen.folder, chosen.jobs)
        wrong = sum(result.fault is not None for result in results)
        seconds = sum(result.seconds for result in results)
        print(f"{what}: {len(results)} graphs, {wrong} failed, {seconds:.0f} s", flush=True)
        faults += wrong
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
