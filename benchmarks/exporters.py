# SPDX-License-Identifier: Apache-2.0
"""Brevitas networks through torch's two exporters, opsets old and new, compiled and compared with
the network's own forward.

    python -m benchmarks.exporters [--only NETWORK] [--opsets 9,11,13,17,20,21,23]

Each network uses something that exporters write in their own ways: view, flatten, chunk, pad,
interpolate, select, squeeze, expand, a sequence first. The TorchScript exporter takes opsets up to
20, the newer one from 18 on.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import logging
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
OPSETS = (9, 11, 13, 17, 20, 21, 23)
SCRIPT_LAST, DYNAMO_FIRST = 20, 18
SAMPLES = 8


@dataclass(frozen=True)
class Network:
    """A module and the shape of its input, batch included."""

    module: Any
    shape: tuple[int, ...]


def networks() -> dict[str, Callable[[], Network]]:
    """Constructors by name; needs torch and Brevitas."""
    import brevitas.nn as qnn
    import torch
    from brevitas.quant import Int8ActPerTensorFloat, Uint8ActPerTensorFloat
    from torch import nn
    from torch.nn import functional as F  # noqa: N812

    class Layers(nn.Module):  # type: ignore[misc]
        """The layers of all networks; each has a forward of its own."""

        def __init__(self, inputs: int, features: int) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.q = qnn.QuantIdentity(bit_width=4, act_quant=Int8ActPerTensorFloat)
            self.wide = qnn.QuantIdentity(bit_width=6, act_quant=Uint8ActPerTensorFloat)
            self.gate = qnn.QuantSigmoid(bit_width=4)
            self.relu = qnn.QuantReLU(bit_width=4)
            options = {"weight_bit_width": 4, "bias": False}
            self.first = qnn.QuantConv2d(inputs, 4, 3, padding=1, **options)
            self.strided = qnn.QuantConv2d(inputs, 4, 3, stride=2, **options)
            self.inner = qnn.QuantConv2d(2, 2, 3, padding=1, **options)
            self.point = qnn.QuantConv2d(4, 4, 1, **options)
            self.line = qnn.QuantConv1d(inputs, 4, 3, padding=1, **options)
            self.dense = qnn.QuantLinear(features, 3, **options)
            self.hidden = qnn.QuantLinear(8, 6, **options)
            self.norm = nn.BatchNorm1d(6)
            self.drop = nn.Dropout(0.5)

    def view(m: Any, x: Any) -> Any:
        x = m.relu(m.first(m.q(x)))
        return m.dense(x.view(x.size(0), -1))

    def flatten(m: Any, x: Any) -> Any:
        return m.dense(torch.flatten(m.relu(m.first(m.q(x))), 1))

    def reshape(m: Any, x: Any) -> Any:
        x = m.relu(m.first(m.q(x)))
        b, c, h, w = x.shape
        return m.dense(x.reshape(b, c * h * w))

    def chunk(m: Any, x: Any) -> Any:
        a, b = m.relu(m.first(m.q(x))).chunk(2, 1)
        return m.point(torch.cat([a, m.relu(m.inner(b))], 1))

    def channel_shuffle(m: Any, x: Any) -> Any:
        x = m.relu(m.first(m.q(x)))
        b, c, h, w = x.shape
        x = x.view(b, 2, c // 2, h, w).transpose(1, 2).contiguous().view(b, -1, h, w)
        return m.point(x)

    def pad(m: Any, x: Any) -> Any:
        x = m.relu(m.strided(F.pad(m.q(x), (0, 1, 0, 1))))
        return m.dense(m.relu(x.mean((2, 3))))

    def squeeze(m: Any, x: Any) -> Any:
        x = F.adaptive_avg_pool2d(m.relu(m.first(m.q(x))), 1)
        return m.dense(m.relu(x.squeeze(-1).squeeze(-1)))

    def nearest(m: Any, x: Any) -> Any:
        return m.point(F.interpolate(m.relu(m.first(m.q(x))), scale_factor=2))

    def sized(m: Any, x: Any) -> Any:
        y = m.relu(m.first(m.q(x)))
        return m.point(F.interpolate(F.max_pool2d(y, 2), size=y.shape[2:]))

    def bilinear(m: Any, x: Any) -> Any:
        y = F.interpolate(m.relu(m.first(m.q(x))), scale_factor=2, mode="bilinear")
        return m.point(m.wide(y))

    def sequence_first(m: Any, x: Any) -> Any:
        return m.dense(m.relu(m.hidden(m.q(x).permute(1, 0, 2)))).permute(1, 0, 2)

    def last_step(m: Any, x: Any) -> Any:
        return m.dense(m.relu(m.hidden(m.q(x)))[:, -1])

    def mlp(m: Any, x: Any) -> Any:
        return m.dense(m.drop(m.relu(m.norm(m.hidden(m.q(x))))))

    def excited(m: Any, x: Any) -> Any:
        x = m.relu(m.first(m.q(x)))
        z = m.wide(F.adaptive_avg_pool2d(x, 1))
        return m.point(m.wide(x * m.gate(m.point(z))))

    def expanded(m: Any, x: Any) -> Any:
        x = m.relu(m.first(m.q(x)))
        b, c = x.shape[:2]
        z = m.gate(m.point(m.wide(x.mean((2, 3))).view(b, c, 1, 1)))
        return m.point(m.wide(x * z.expand_as(x)))

    def line(m: Any, x: Any) -> Any:
        return m.dense(m.relu(m.line(m.q(x))).transpose(1, 2))

    def stacked(m: Any, x: Any) -> Any:
        x = m.relu(m.hidden(m.q(x)))
        return m.dense(torch.stack([x[:, :2], x[:, 2:4]], 1).flatten(1, 2))

    def silu(m: Any, x: Any) -> Any:
        return m.dense(m.relu(F.silu(m.hidden(m.q(x)))))

    image, time_series = (1, 2, 6, 6), (1, 5, 8)
    table: dict[Callable[[Any, Any], Any], tuple[tuple[int, ...], int]] = {
        view: (image, 144), flatten: (image, 144), reshape: (image, 144), chunk: (image, 1),
        channel_shuffle: (image, 1), pad: (image, 4), squeeze: (image, 4), nearest: (image, 1),
        sized: (image, 1), bilinear: (image, 1), sequence_first: (time_series, 6),
        last_step: (time_series, 6), mlp: ((1, 8), 6), excited: (image, 1), expanded: (image, 1),
        line: ((1, 2, 9), 4), stacked: (time_series, 6), silu: (time_series, 6),
    }  # fmt: skip

    def made(body: Callable[[Any, Any], Any], shape: tuple[int, ...], features: int) -> Network:
        kind = type(body.__name__, (Layers,), {"forward": body})
        module = kind(shape[1], features).train()
        for _ in range(3):
            module(torch.rand(8, *shape[1:]) * 2 - 1)
        return Network(module.eval(), shape)

    return {
        body.__name__: lambda body=body, sizes=sizes: made(body, *sizes)  # type: ignore[misc]
        for body, sizes in table.items()
    }


def check(make: Callable[[], Network], opset: int, dynamo: bool, qcdq: bool, folder: Path) -> str:
    """Export, compile, compare; "exact" or what went wrong. The network is made afresh: an export
    may leave a module in another state."""
    import torch
    from brevitas.export import export_onnx_qcdq, export_qonnx

    from qnnc.compiler import api
    from qnnc.compiler.errors import QnncError

    path, network = folder / "model.onnx", make()
    x = np.random.default_rng(0).uniform(-1.2, 1.2, (SAMPLES, *network.shape[1:]))
    x = x.astype(np.float32)
    with torch.no_grad():
        result = make().module(torch.from_numpy(x))
    expected = getattr(result, "value", result).numpy()
    export = export_onnx_qcdq if qcdq else export_qonnx
    logging.disable(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            example = torch.zeros(network.shape)
            export(network.module, example, export_path=path, opset_version=opset, dynamo=dynamo)
    except Exception as error:
        return f"not exported: {type(error).__name__}"
    finally:
        logging.disable(logging.NOTSET)
    try:
        api.compile(path, out=folder / "build")
    except QnncError as error:
        return str(error)
    golden = folder / "build" / "model" / "golden.onnx"
    found = _run(golden, x)
    if qcdq and opset < 12:  # Clip of integers came with opset 12: no one else runs such a file
        return "exact, as far as others can tell"
    if qcdq:  # its scales are rounded in another order than in the forward
        return "exact" if np.array_equal(found, _run(path, x)) else "differs from ONNX Runtime"
    apart = np.abs(found - expected) > 1e-5 * np.abs(expected).max()
    # a sum on a decision boundary may be rounded the other way, and changes what follows from it
    share = apart.reshape(SAMPLES, -1).any(axis=1).mean()
    return "exact" if share <= 0.5 else f"the forward differs in {share:.0%} of the samples"


def _run(path: Path, x: Array) -> Array:
    """The first output for every sample, without graph optimisations, which change rounding."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(str(path), options)
    name = session.get_inputs()[0].name
    return np.stack([session.run(None, {name: row[None]})[0][0] for row in x])


def takes(opset: int, dynamo: bool, qcdq: bool) -> bool:
    """An exporter writes this opset."""
    first, last = (DYNAMO_FIRST, 99) if dynamo else (10 if qcdq else 7, SCRIPT_LAST)
    return first <= opset <= last


def main() -> None:
    """One line for each export that is not exact, and the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--opsets", default=",".join(map(str, OPSETS)))
    given = parser.parse_args()
    opsets = [int(n) for n in given.opsets.split(",")]
    counts: dict[str, int] = {}
    start = time.perf_counter()
    for dynamo in (True, False):  # the other order leaves Brevitas in a state of its own
        for name, make in networks().items():
            if given.only not in ("", name):
                continue
            for opset, qcdq in itertools.product(opsets, (False, True)):
                if not takes(opset, dynamo, qcdq):
                    continue
                with tempfile.TemporaryDirectory() as folder:
                    ends = check(make, opset, dynamo, qcdq, Path(folder))
                kind = ends if ends.startswith(("exact", "not exported")) else "WRONG"
                counts[kind] = counts.get(kind, 0) + 1
                if ends != "exact":
                    how = f"{'dynamo' if dynamo else 'script'} {'qcdq' if qcdq else 'qonnx'}"
                    print(f"{name:16} opset {opset:2} {how:14} {ends[:220]}", flush=True)
    print(counts, f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
