# SPDX-License-Identifier: Apache-2.0
"""Frames per second of a build on the simulated board, pipeline full, beside the model's.

qnnc build MODEL … --until rtl --out BUILD
python -m benchmarks.board_pace BUILD [--counts 3,9] [--samples FILE]

Two runs of different length: the difference is frames whose way through the pipeline is hidden. The
memory has the model's bytes per cycle over all ports, and answers after 20 to 60 cycles.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from qnnc.backends.bitstream.simulated.board import Bus
from qnnc.backends.bitstream.simulated.run import run_on_board
from qnnc.compiler.board import find_board

LATENCY = (20, 60)


def main() -> None:
    """Print a line for each run, and the pace between the first and the last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=Path)
    parser.add_argument("--counts", default="3,9", help="frames of the runs")
    parser.add_argument("--samples", type=Path)
    parser.add_argument("--seed", type=int, default=2)
    arguments = parser.parse_args()
    report = json.loads((arguments.build / "report.json").read_text())
    performance = report["performance"]
    clock = float(performance["clock_mhz"])
    rate = find_board(report["board"]).memory(clock).rate
    bus = Bus(seed=arguments.seed, latency=LATENCY, rate=rate)
    runs = []
    for count in map(int, arguments.counts.split(",")):
        start = time.process_time()
        found = run_on_board(arguments.build, count=count, samples=arguments.samples, bus=bus)
        runs.append(found)
        print(
            f"{found.frames} frames, {found.mismatches} mismatches, {found.near_ties} near-ties, "
            f"{found.cycles:,} cycles in all "
            f"({found.engine}, {time.process_time() - start:.0f} s here)",
            flush=True,
        )
    first, last = runs[0], runs[-1]
    estimate = performance["ii_cycles_estimate"]
    print(f"model: {estimate:,} cycles per frame, {clock * 1e6 / estimate:,.1f} frames/s")
    if last.frames > first.frames:
        pace = (last.cycles - first.cycles) / (last.frames - first.frames)
        print(
            f"simulated board: {pace:,.0f} cycles per frame, {clock * 1e6 / pace:,.1f} frames/s "
            f"({100 * (pace / estimate - 1):+.1f} %)"
        )


if __name__ == "__main__":
    main()
