# SPDX-License-Identifier: Apache-2.0
"""MLPerf Tiny's INT8 reference models (as tf2onnx makes them of their .tflite files): compiled, and
the golden graph and the compiled one compared with ONNX Runtime on the file.

    python -m benchmarks.mlperf_tiny FOLDER [--only tf_kws]

FOLDER holds tf_ad.onnx, tf_ic.onnx, tf_kws.onnx and tf_vww.onnx.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from qnnc.compiler import api

SAMPLES = 64


def check(path: Path, folder: Path) -> str:
    """One line of what came out."""
    start = time.process_time()
    api.compile(path, out=folder / "build")
    seconds = time.process_time() - start
    model = folder / "build" / "model"
    sessions = [_session(p) for p in (path, model / "golden.onnx", model / "compiled.onnx")]
    given = sessions[0].get_inputs()[0]
    shape = [d if isinstance(d, int) else 1 for d in given.shape]
    integers = given.type == "tensor(int8)"
    low, high = (-128, 127) if integers else (-1.0, 1.0)
    x = np.random.default_rng(0).uniform(low, high, (SAMPLES, *shape[1:]))
    x = np.rint(x).astype(np.int8) if integers else x.astype(np.float32)
    theirs, golden, mine = (_run(session, x) for session in sessions)
    same = "equals" if np.array_equal(theirs, golden) else "DIFFERS FROM"
    apart = int((theirs != mine).reshape(SAMPLES, -1).any(axis=1).sum())
    return (
        f"{path.stem}: golden graph {same} ONNX Runtime; compiled graph differs in {apart} of "
        f"{SAMPLES} samples (near-ties, or the build would have failed); {seconds:.0f} s of CPU"
    )


def _session(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _run(session: ort.InferenceSession, x: NDArray[Any]) -> NDArray[Any]:
    given = session.get_inputs()[0]
    kind = np.int8 if given.type == "tensor(int8)" else np.float32
    rows = [session.run(None, {given.name: row[None].astype(kind)})[0] for row in x]
    return np.concatenate(rows).astype(np.float64)


def main() -> None:
    """All models of the folder, or one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    for path in sorted(given.folder.glob("tf_*.onnx")):
        if given.only in ("", path.stem):
            with tempfile.TemporaryDirectory() as folder:
                print(check(path, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
