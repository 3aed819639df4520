# SPDX-License-Identifier: Apache-2.0
"""How fast a network runs as an emulator, in ONNX Runtime, and in RTL simulation.

python -m benchmarks.emulator MODEL.onnx [--samples FILE] [--labels FILE] [--input-type uint8
    --input-scale 1/255 --top-k 1] [--fps N] [--frames N]

Builds the model until simulation in a new cache, and prints one table in Markdown. Without
samples, random pixels in 0..1 are taken. FINN's figures are not measured here: they are quoted
from the measurements that the project was given, for networks of the same shape.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
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
    parser.add_argument("--samples", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--input-type", default="")
    parser.add_argument("--input-scale", default="1")
    parser.add_argument("--top-k", type=int, default=0)
    parser.add_argument("--fps", type=float, default=100_000)
    parser.add_argument("--frames", type=int, default=64, help="of RTL simulation")
    return parser.parse_args()


FINN = {
    "tfc": "| FINN's cppsim, quoted | 45-49 | 47,000-70,000 | - |",
    "cnv": "| FINN's cppsim, quoted | - | 31,000,000-50,000,000 | - |",
}
"""Not measured here."""


def random_samples(model: str, folder: Path) -> Path:
    """200 frames of pixels in 0..1 for a model's input."""
    value = onnx.load(model).graph.input[0]
    shape = [d.dim_value for d in value.type.tensor_type.shape.dim][1:]
    pixels = np.random.default_rng(0).integers(0, 256, (200, *shape)) / 255
    np.save(folder / "samples.npy", pixels.astype(np.float32))
    return folder / "samples.npy"


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
        samples = args.samples or random_samples(args.model, Path(name))
        build(
            args.model,
            out=out,
            cache=cache,
            samples=samples,
            input_type=args.input_type,
            input_scale=args.input_scale,
            top_k=args.top_k,
            fps=args.fps,
            until="rtl",
        )
        fresh = Path(name) / "fresh"
        one = emulate(out, samples, args.labels, 1, fresh)
        two = emulate(out, samples, args.labels, 2, fresh)
        runtime = runtime_microseconds(out / "model" / "golden.onnx", samples)
        start = time.perf_counter()
        resimulate(out, "auto", None, max(1, args.frames // 4), Pressure())
        first = time.perf_counter() - start
        start = time.perf_counter()
        result = resimulate(out, "auto", None, args.frames, Pressure())
        again = time.perf_counter() - start
    correct = "" if one.correct is None else f", {one.correct} correct"
    tied = f" (float32 rounding in {one.near} more)" if one.near else ""
    checked = f"{one.same} of {one.samples} as golden{tied}{correct}"
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
    for network, row in FINN.items():
        if network in Path(args.model).name:
            print(row)


if __name__ == "__main__":
    main()
