# SPDX-License-Identifier: Apache-2.0
"""How fast a network runs as an emulator, in ONNX Runtime, and in RTL simulation.

python -m benchmarks.emulator MODEL.onnx --samples FILE --labels FILE [--input-type uint8
    --input-scale 1/255 --top-k 1]

Builds the model until simulation in a new cache, and prints one table in Markdown. FINN's figures
are not measured here: they are quoted, with their source, in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import onnxruntime as ort

from qnnc.backends.hls.emulate import emulate
from qnnc.backends.rtl.resimulate import resimulate
from qnnc.backends.simulation.simulate import Pressure
from qnnc.compiler.api import build
from qnnc.compiler.samples import read_array


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--samples", type=Path, required=True)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--input-type", default="")
    parser.add_argument("--input-scale", default="1")
    parser.add_argument("--top-k", type=int, default=0)
    parser.add_argument("--fps", type=float, default=100_000)
    return parser.parse_args()


def runtime_microseconds(golden: Path, samples: Path) -> float:
    """ONNX Runtime on the quantized graph, one thread, frame by frame as the emulator's."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(golden, options, providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    shape = [1, *entry.shape[1:]]
    frames = read_array(samples)[:2000].astype("float32")
    frames = frames.reshape(len(frames), *shape)
    session.run(None, {entry.name: frames[0]})
    start = time.perf_counter()
    for frame in frames:
        session.run(None, {entry.name: frame})
    return 1e6 * (time.perf_counter() - start) / len(frames)


def main() -> None:
    """Build, measure, print."""
    args = arguments()
    with tempfile.TemporaryDirectory() as name:
        out, cache = Path(name) / "build", Path(name) / "cache"
        build(
            args.model,
            out=out,
            cache=cache,
            samples=args.samples,
            input_type=args.input_type,
            input_scale=args.input_scale,
            top_k=args.top_k,
            fps=args.fps,
            until="rtl",
        )
        fresh = Path(name) / "fresh"
        one = emulate(out, args.samples, args.labels, 1, fresh)
        two = emulate(out, args.samples, args.labels, 2, fresh)
        runtime = runtime_microseconds(out / "model" / "golden.onnx", args.samples)
        start = time.perf_counter()
        resimulate(out, "auto", None, 16, Pressure())
        first = time.perf_counter() - start
        start = time.perf_counter()
        result = resimulate(out, "auto", None, 64, Pressure())
        again = time.perf_counter() - start
    correct = "" if one.correct is None else f", {one.correct} correct"
    checked = f"{one.same} of {one.samples} as golden{correct}"
    print("| engine | ready after, s | µs a frame | checked |\n|---|---|---|---|")
    print(
        f"| emulator, 1 thread | {one.compile_seconds:.1f} | {one.microseconds:.1f} | {checked} |"
    )
    print(f"| emulator, 2 threads | – | {two.microseconds:.1f} | {two.same} of {two.samples} |")
    print(f"| ONNX Runtime, quantized graph, 1 thread | – | {runtime:.0f} | – |")
    print(
        f"| RTL simulation ({result.engine}), whole command | {first:.0f} | "
        f"{1e6 * again / result.frames:.0f} | {result.mismatches} mismatches in {result.frames} |"
    )


if __name__ == "__main__":
    main()
