# SPDX-License-Identifier: Apache-2.0
"""accelerator.json: what the driver has to know of an accelerator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from qnnc.backends.bitstream.package.host_steps import host_steps
from qnnc.backends.bitstream.package.pace import Pace
from qnnc.backends.bitstream.shell import Shell, ShellStream
from qnnc.backends.bitstream.shell.shell import REGISTERS
from qnnc.backends.design import Port, WeightPort
from qnnc.compiler.board import Board
from qnnc.compiler.datatypes import BIPOLAR

LENGTH = 0x1000
"""Bytes of registers."""


def describe(
    shell: Shell, board: Board, clock_mhz: float, pace: Pace, bitfile: str, pre: Path, post: Path
) -> tuple[dict[str, Any], dict[str, dict[str, NDArray[Any]]]]:
    """The description, and the constants of the host's parts by part and name.

    Args:
        clock_mhz: that the accelerator was made and timed for.
        pace: cycles that a run takes.
        bitfile: name of the .bit file in the package.
        pre: ONNX model of what comes before the accelerator.
        post: of what comes after it.
    """
    pre_steps, pre_constants = host_steps(pre)
    post_steps, post_constants = host_steps(post)
    shapes, types = _inputs(pre)
    return {
        "format": 1,
        "board": board.name,
        "part": board.part,
        "bitfile": bitfile,
        "build_id": f"{shell.build_id:016x}",
        "clock_mhz": clock_mhz,
        "ps_clock_mhz": board.ps_clock_mhz,
        "frame_cycles": pace.frame_cycles,
        "fill_cycles": pace.fill_cycles,
        "base": REGISTERS,
        "length": LENGTH,
        "batch": shell.batch,
        "inputs": [_stream(s, shell.batch) for s in shell.inputs if not s.is_weights],
        "outputs": [_stream(s, shell.batch) for s in shell.outputs],
        "weights": [_weights(s) for s in shell.inputs if s.is_weights],
        "input_shapes": shapes,
        "input_types": types,
        "pre": pre_steps,
        "post": post_steps,
    }, {"pre": pre_constants, "post": post_constants}


def _weights(stream: ShellStream) -> dict[str, Any]:
    assert isinstance(stream.port, WeightPort)
    return {
        "name": stream.name,
        "file": stream.port.file,
        "bytes": stream.round_bytes,
        "copies": stream.copies,
        "registers": stream.registers,
    }


def _stream(stream: ShellStream, batch: int) -> dict[str, Any]:
    assert isinstance(stream.port, Port)
    kind = stream.port.stream.datatype
    return {
        "name": stream.name,
        "shape": list(stream.port.stream.shape),
        "datatype": kind.name,
        "bits": kind.bitwidth(),
        "signed": bool(kind.min() < 0 and kind != BIPOLAR),
        "bipolar": bool(kind == BIPOLAR),
        "low": int(kind.min()),
        "high": int(kind.max()),
        "lanes": stream.port.stream.lanes,
        "words": stream.words // batch,
        "memory_bytes": stream.memory_bytes,
        "registers": stream.registers,
    }


def _inputs(path: Path) -> tuple[list[list[int]], list[str]]:
    """Shapes, the batch as -1, and numpy types of a model's inputs."""
    graph = onnx.load(path, load_external_data=False).graph
    given = {i.name for i in graph.initializer}
    values = [i.type.tensor_type for i in graph.input if i.name not in given]
    shapes = [[-1, *(int(d.dim_value) for d in v.shape.dim[1:])] for v in values]
    return shapes, [np.dtype(helper.tensor_dtype_to_np_dtype(v.elem_type)).name for v in values]
