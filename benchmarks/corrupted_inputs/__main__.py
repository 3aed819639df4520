# SPDX-License-Identifier: Apache-2.0
"""python -m benchmarks.corrupted_inputs --count 2000

Results are kept, one line per variant, so that a run that was stopped continues where it was;
those of other sources of qnnc are run again. The exit code is 1 if any variant ended wrongly; its
files are kept beside the results.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ("cli", "compiler", "frontends", "nodes", "backends", "benchmarks/corrupted_inputs")


def fingerprint() -> str:
    """Of the sources that decide how a variant ends."""
    hashed = hashlib.sha256()
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            hashed.update(path.read_bytes())
    return hashed.hexdigest()[:16]


def main() -> None:
    """Run variants that have not been run, and say how all have ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="number of the first variant")
    parser.add_argument("--results", type=Path, default=Path("corrupted_inputs"))
    parser.add_argument("--again", action="store_true", help="run only those that ended wrongly")
    options = parser.parse_args()

    from benchmarks.corrupted_inputs.corpus import make_corpus
    from benchmarks.corrupted_inputs.runner import run

    options.results.mkdir(exist_ok=True)
    log, sources = options.results / "results.jsonl", fingerprint()
    lines = log.read_text().splitlines() if log.exists() else []
    known = {(line["seed"], line["sources"]): line for line in map(json.loads, lines)}
    last = {line["seed"]: line for line in map(json.loads, lines)}
    seeds = range(options.first, options.first + options.count)
    if options.again:
        seeds = [seed for seed in seeds if last.get(seed, {}).get("fault")]  # type: ignore[assignment]
    found = []
    with tempfile.TemporaryDirectory(prefix="qnnc-corpus-") as name, log.open("a") as out:
        corpus = make_corpus(Path(name))
        for seed in seeds:
            result = known.get((seed, sources))
            if result is None:
                ended = run(seed, corpus, options.results)
                result = {**asdict(ended), "sources": sources}
                out.write(json.dumps(result) + "\n")
                out.flush()
                if ended.fault:
                    print(f"{seed} ({ended.kind}): {ended.fault}: {ended.errors.strip()[-300:]}")
            found.append(result)
    codes = Counter((result["kind"], result["code"]) for result in found)
    for (kind, code), count in sorted(codes.items()):
        print(f"{kind:28} exit code {code:3}: {count}")
    faults = Counter(result["fault"] for result in found if result["fault"])
    print(f"{len(found)} variants, {sum(faults.values())} at fault: {dict(faults)}")
    slowest = max(found, key=lambda result: result["seconds"], default=None)
    if slowest is not None:
        print(f"slowest: {slowest['seed']} with {slowest['seconds']:.1f} s of CPU")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
