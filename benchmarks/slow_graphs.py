# SPDX-License-Identifier: Apache-2.0
"""Look for small networks that take long to compile: wide types, nested tails, long sums.

python -m benchmarks.slow_graphs --count 200 --resume build/slow.jsonl
python -m benchmarks.slow_graphs --replay 12

Networks of fewer than 100 nodes and 10,000 weights, with activations of up to 16 bits, go through
all passes up to the folding, each in a process of its own; the twenty slowest are shown, in seconds
of CPU. The exit code is 1 if one takes longer than --limit, or ends in an internal error.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks.qonnx_graph import QonnxGraph, Tensor
from benchmarks.random_graphs import general, isolated, preload
from benchmarks.resumable import Ledger, fingerprint
from qnnc.compiler.errors import QnncError
from tests.support.build import compile_proto

ROOT = Path(__file__).parents[1]
SOURCES = ("compiler", "frontends", "nodes", "benchmarks/slow_graphs.py")
WEIGHTS, NODES, SHOWN = 10_000, 100, 20

Function = Callable[[QonnxGraph, str], str]


def _of(op: str, **attributes: object) -> Function:
    return lambda g, x: g.op(op, [x], **attributes)[0]


def _swish(g: QonnxGraph, x: str) -> str:
    return g.op("Mul", [x, g.op("Sigmoid", [x])[0]])[0]


def _hard_swish(g: QonnxGraph, x: str) -> str:
    y = g.op("Add", [x, g.constant(3.0)])[0]
    y = g.op("Clip", [y, g.constant(0.0), g.constant(6.0)])[0]
    return g.op("Div", [g.op("Mul", [x, y])[0], g.constant(6.0)])[0]


def _mish(g: QonnxGraph, x: str) -> str:
    return g.op("Mul", [x, g.op("Tanh", g.op("Softplus", [x]))[0]])[0]


def _gelu(g: QonnxGraph, x: str) -> str:
    y = g.op("Erf", g.op("Div", [x, g.constant(np.sqrt(2))]))[0]
    y = g.op("Mul", [x, g.op("Add", [y, g.constant(1.0)])[0]])[0]
    return g.op("Mul", [y, g.constant(0.5)])[0]


def _gelu_tanh(g: QonnxGraph, x: str) -> str:
    cubed = g.op("Mul", [g.op("Pow", [x, g.constant(3.0)])[0], g.constant(0.044715)])[0]
    y = g.op("Mul", [g.op("Add", [x, cubed])[0], g.constant(np.sqrt(2 / np.pi))])[0]
    y = g.op("Add", [g.op("Tanh", [y])[0], g.constant(1.0)])[0]
    return g.op("Mul", [g.op("Mul", [x, y])[0], g.constant(0.5)])[0]


FUNCTIONS: dict[str, Function] = {
    "relu": _of("Relu"),
    "tanh": _of("Tanh"),
    "sigmoid": _of("Sigmoid"),
    "elu": _of("Elu", alpha=-1.0),
    "leaky": _of("LeakyRelu", alpha=-0.3),
    "gelu op": _of("Gelu"),
    "mish op": _of("Mish"),
    "hardswish op": _of("HardSwish"),
    "softplus": _of("Softplus"),
    "abs": _of("Abs"),
    "swish": _swish,
    "hardswish": _hard_swish,
    "mish": _mish,
    "gelu": _gelu,
    "gelu tanh": _gelu_tanh,
    "sine": _of("Sin"),
}


def drawn(seed: int) -> tuple[onnx.ModelProto, str]:
    """The network of a seed, and what it is made of."""
    g = QonnxGraph(seed)
    rng, text = g.rng, []
    image = bool(rng.random() < 0.4)
    width = int(rng.choice([4, 8, 16, 32]))
    x = g.input((width, 6, 6) if image else (width * 2,))
    left, sums = WEIGHTS, [Tensor(x.name, x.shape, x.rms)]
    x = g.quantize(x, int(rng.choice([4, 8, 12, 16])), 2.0 ** -int(rng.integers(2, 12)))
    sums = [x]
    for _ in range(int(rng.integers(1, 9))):
        size = width * width * 9 if image else x.shape[0] * width * 2
        if left < size or len(g.nodes) > NODES - 25:
            break
        left -= size
        weight_bits, bits = int(rng.choice([2, 4, 8])), int(rng.choice([2, 4, 8, 10, 11, 12]))
        if image:
            y = g.conv(x, width, (3, 3), weight_bits, pads=1, per_channel=bool(rng.random() < 0.5))
        else:
            y = g.linear(x, width * 2, weight_bits, bias=bool(rng.random() < 0.5))
        if rng.random() < 0.6:
            y = g.batch_norm(y, both_signs=True)
        functions = rng.choice(list(FUNCTIONS), int(rng.choice([1, 1, 1, 2, 3])))
        for name in functions:
            y = Tensor(FUNCTIONS[name](g, y.name), y.shape, y.rms)
        scale = 2.0 ** (float(rng.choice([-1, 0, 2])) - min(bits, 8))  # sums find a common grid
        z = g.quantize(y, bits, scale)
        text.append(f"{'+'.join(functions)}:{weight_bits}:{bits}")
        if rng.random() < 0.5 and sums[-1].shape == z.shape:
            both = g.add(z, sums[-1])
            z = both if rng.random() < 0.3 else g.quantize(both, bits, scale)
            text.append("sum")
        sums.append(z)
        x = z
    return g.model(g.quantize(x, 8, 0.1), opset=20), f"{'image' if image else 'line'} {text}"


def examine(seed: int) -> dict[str, Any]:
    """Compile the network of a seed."""
    proto, text = drawn(seed)
    result: dict[str, Any] = {"network": text, "nodes": len(proto.graph.node)}
    start = time.process_time()
    try:
        _, outcome, _ = compile_proto(proto, samples=8, fold=True, each=False, budget=float("inf"))
        kind = "DIFFERENT" if outcome.mismatches else "exact"
    except QnncError as error:
        kind, result["why"] = "refused", general(str(error))
    return {**result, "kind": kind, "passes": round(time.process_time() - start, 2)}


def main() -> None:
    """Compile networks of consecutive seeds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    parser.add_argument("--limit", type=float, default=60, help="seconds of CPU for the passes")
    parser.add_argument("--resume", type=Path, default=Path("build/slow.jsonl"))
    parser.add_argument("--replay", type=int, help="compile one in this process")
    chosen = parser.parse_args()
    if chosen.replay is not None:
        print(json.dumps(examine(chosen.replay), indent=1))
        return
    ledger, seeds = (
        Ledger(chosen.resume, fingerprint(ROOT, SOURCES)),
        range(chosen.seed, chosen.seed + chosen.count),
    )
    preload(4)
    while taken := ledger.claim("slow", seeds, 1):
        ledger.add("slow", taken[0], isolated(partial(examine, taken[0]), chosen.limit))
    results = {seed: r for seed, r in ledger.results("slow").items() if seed in seeds}
    slowest = sorted(results.items(), key=lambda item: -item[1]["seconds"])
    for seed, r in slowest[:SHOWN]:
        print(f"{r['seconds']:7.1f} s {r['kind']:10} {seed:5} {r.get('network', r.get('why'))}")
    bad = [s for s, r in results.items() if r["kind"] not in ("exact", "refused")]
    print(f"{len(results)} networks, {len(bad)} failed or too slow: {bad}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
