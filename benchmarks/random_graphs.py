# SPDX-License-Identifier: Apache-2.0
"""Compile random quantized graphs and compare them with ONNX Runtime, and some as hardware.

python -m benchmarks.random_graphs --graphs 1000 --simulated 50

What fails is shrunk, printed as text that onnx.parser reads, and counted; the exit code is 1.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from qnnc.backends.simulation.simulate import Pressure
from tests.support.graph_check import failure, simulated_failure
from tests.support.random_graphs import random_graph
from tests.support.shrink import as_text, shrink


def main() -> None:
    """Run the graphs of consecutive seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graphs", type=int, default=1000)
    parser.add_argument("--simulated", type=int, default=50)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--cache", type=Path, default=Path("build/random-graphs"))
    chosen = parser.parse_args()
    seeds, failed, start = range(chosen.first, chosen.first + chosen.graphs), 0, time.time()
    for seed in seeds:
        model = random_graph(seed)
        found = failure(model)
        if found is not None:
            failed += 1
            small = shrink(model, lambda m, found=found: failure(m) == found)  # type: ignore[misc]
            print(f"graph {seed}: {found}\n{as_text(small)}", flush=True)
    print(f"{chosen.graphs} graphs, {failed} failed, {time.time() - start:.0f} s", flush=True)
    start, wrong = time.time(), 0
    for seed in seeds[: chosen.simulated]:
        pressure = Pressure(source=50, sink=50, seed=seed) if seed % 2 else Pressure()
        chosen.cache.mkdir(parents=True, exist_ok=True)
        differs = simulated_failure(random_graph(seed), chosen.cache, pressure)
        if differs is not None:
            wrong += 1
            print(f"graph {seed} as hardware: {differs}", flush=True)
    print(f"{chosen.simulated} simulated, {wrong} failed, {time.time() - start:.0f} s")
    sys.exit(1 if failed or wrong else 0)


if __name__ == "__main__":
    main()
