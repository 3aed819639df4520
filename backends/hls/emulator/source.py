# SPDX-License-Identifier: Apache-2.0
"""The emulator's C++ and its constants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import DTypeLike
from qonnx.core.datatype import BaseDataType

from qnnc.backends.hls.emulator.network import Channel, Network, Step
from qnnc.backends.hls.kernel import cpp_type, stream_type


def machine_type(kind: BaseDataType) -> np.dtype[Any]:
    """The machine's integer that a value of a type is kept in (`qnnc_native.h`)."""
    bits = 2 if kind.min() < 0 and kind.bitwidth() == 1 else kind.bitwidth()
    size = next(s for s in (8, 16, 32, 64) if bits <= s)
    name: DTypeLike = f"{'' if kind.min() < 0 else 'u'}int{size}"
    return np.dtype(name)


@lru_cache(maxsize=1)
def templates() -> Environment:
    """The templates of this backend."""
    return Environment(
        loader=PackageLoader("qnnc.backends.hls"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - C++ and Tcl; names are sanitised before
    )


def tapped(network: Network) -> list[Channel]:
    """Channels that carry a node's output to another node: what is compared besides outputs."""
    outside = {channel.name for channel in (*network.inputs, *network.outputs)}
    taken = {channel.name for step in network.steps for channel in step.inputs}
    return [
        channel
        for step in network.steps
        if step.source
        for channel in step.outputs
        if channel.name not in outside and channel.name in taken
    ]


def source(network: Network) -> str:
    """C++ of the emulator."""
    taps = {channel.name: index for index, channel in enumerate(tapped(network))}
    tables = [
        {
            "name": _table_name(step, index),
            "node": step.name,
            "word": table.word,
            "dimensions": "".join(f"[{d}]" for d in table.dimensions),
            "first": "[0]" * len(table.dimensions),
            "count": int(np.prod(table.dimensions)),
            "type": cpp_type(table.datatype),
            "lanes": table.values.shape[-1],
        }
        for step in network.steps
        for index, table in enumerate(step.kernel.tables)
    ]
    steps = [
        {
            "name": step.name,
            "kernel": step.kernel,
            "arguments": _arguments(step),
            "begins": step.steps if _changes(network.steps, i, i - 1) else 0,
            "ends": step.steps if _changes(network.steps, i, i + 1) else 0,
            **_taps(network, i, taps),
        }
        for i, step in enumerate(network.steps)
    ]
    return (
        templates()
        .get_template("emulator.cpp.j2")
        .render(
            headers=sorted({step.kernel.header.name for step in network.steps} | {"qnnc_types.h"}),
            steps=steps,
            tables=tables,
            streams=[{"name": c.name, "type": stream_type(c.stream)} for c in network.channels],
            inputs=[_tensor(c, f"in_{i}.bin") for i, c in enumerate(network.inputs)],
            outputs=[_tensor(c, f"out_{i}.bin") for i, c in enumerate(network.outputs)],
            taps=[_tensor(c, f"tap_{i}.bin") for i, c in enumerate(tapped(network))],
        )
    )


def _changes(steps: Sequence[Step], index: int, beside: int) -> bool:
    """Step `index` is the first or last of its recurrence's."""
    other = steps[beside].steps if 0 <= beside < len(steps) else 0
    return steps[index].steps != other


def _taps(network: Network, index: int, taps: Mapping[str, int]) -> dict[str, object]:
    """What is shown after a step, and, at the end of a recurrence, what leaves that."""
    step = network.steps[index]
    if not step.steps:
        return {"taps": _shown(step.outputs, taps, 0), "left": []}
    together = _recurrence(network.steps, index)
    inside = {c.name for s in together for c in s.inputs}
    taken = [c for c in step.outputs if c.name in inside]
    left: list[Channel] = []
    if step is together[-1]:
        left = [c for s in together for c in s.outputs if c.name not in inside]
    return {"taps": _shown(taken, taps, step.steps), "left": _shown(left, taps, 0)}


def _recurrence(steps: Sequence[Step], index: int) -> Sequence[Step]:
    """The steps that run in one loop with step `index`."""
    first = last = index
    while not _changes(steps, first, first - 1):
        first -= 1
    while not _changes(steps, last, last + 1):
        last += 1
    return steps[first : last + 1]


def _shown(
    channels: Iterable[Channel], taps: Mapping[str, int], steps: int
) -> list[dict[str, object]]:
    """Taps of whole tensors, or of one step after the other."""
    return [
        {
            **_tensor(c, ""),
            "index": taps[c.name],
            "words": c.stream.words // max(1, steps),
            "offset": f" + t * {c.stream.elements // steps}" if steps else "",
        }
        for c in channels
        if c.name in taps
    ]


def _table_name(step: Step, index: int) -> str:
    return f"{step.name}_table_{index}"


def _arguments(step: Step) -> str:
    streams = [f"s.{channel.name}" for channel in (*step.inputs, *step.outputs)]
    return ", ".join(streams + [_table_name(step, i) for i in range(len(step.kernel.tables))])


def _tensor(channel: Channel, file: str) -> dict[str, object]:
    stream = channel.stream
    return {
        "file": file,
        "stream": channel.name,
        "type": cpp_type(stream.datatype),
        "lanes": stream.lanes,
        "words": stream.words,
        "bytes": stream.elements * machine_type(stream.datatype).itemsize,
    }


def constants(network: Network) -> bytes:
    """Elements of all tables, in the order in which the emulator reads them."""
    return b"".join(
        np.ascontiguousarray(table.values.astype(machine_type(table.datatype))).tobytes()
        for step in network.steps
        for table in step.kernel.tables
    )
