# SPDX-License-Identifier: Apache-2.0
"""The IP folder: sources, memory files, IP-XACT description, testbenches with golden frames."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnnc.backends.design import Design, Port, whole_batches
from qnnc.backends.design.design import HEADER
from qnnc.backends.rtl.ip.component import component_xml
from qnnc.backends.rtl.ip.core_file import core_file
from qnnc.backends.rtl.rtl_node import Templates
from qnnc.compiler.datatypes import BIPOLAR
from qnnc.compiler.files import new_folder
from qnnc.compiler.packing import pack_words

TEMPLATES = Templates("qnnc.backends.rtl.stitch", "templates")


def write_ip(design: Design, folder: Path, part: str, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write the IP into a new folder.

    Args:
        part: device that it was made for.
        tensors: integers [frames, …] by name, for the testbench.
    """
    with new_folder(folder) as out:
        (out / "src").mkdir()
        (out / "tb").mkdir()
        for name, text in design.sources.items():
            (out / "src" / name).write_text(text, encoding="utf-8")
        for name, memory in design.memory_files().items():
            (out / "src" / name).write_text(memory.text(), encoding="utf-8")
        bench = _testbench(design, tensors)
        for name, text in bench.items():
            (out / "tb" / name).write_text(text, encoding="utf-8")
        sources = [f"src/{name}" for name in design.sources]
        memories = [f"src/{name}" for name in design.memory_files()]
        benches = [f"tb/{name}" for name in bench]
        xml = component_xml(
            design, sources=sources, memories=memories, testbench=benches, part=part
        )
        (out / "component.xml").write_text(xml, encoding="utf-8")
        (out / "cocotb").mkdir()
        cocotb = _cocotb(design, tensors)
        for name, text in cocotb.items():
            (out / "cocotb" / name).write_text(text, encoding="utf-8")
        names = [f"cocotb/{name}" for name in cocotb]
        text = core_file(design.top, sources, memories, benches, names)
        (out / f"{design.top}.core").write_text(text, encoding="utf-8")


def _testbench(design: Design, tensors: Mapping[str, NDArray[Any]]) -> dict[str, str]:
    tensors = whole_batches(tensors, design.batch)
    memories = _weights(design)
    for port in (*design.inputs, *design.outputs):
        memories[f"{port.name}.mem"] = _hex_words(port, tensors[str(port.value.name)])
    frames = next(iter(tensors.values())).shape[0]
    text = TEMPLATES.render(
        "testbench.sv.j2",
        top=design.top,
        inputs=design.inputs,
        outputs=design.outputs,
        weights=design.weights,
        frames=frames,
    )
    return {f"{design.top}_tb.sv": HEADER + text, **memories}


def _weights(design: Design) -> dict[str, str]:
    """Words of the streams of weights, for $readmemh."""
    return {
        f"{port.name}.mem": "".join(word[::-1].tobytes().hex() + "\n" for word in port.words)
        for port in design.weights
    }


def _cocotb(design: Design, tensors: Mapping[str, NDArray[Any]]) -> dict[str, str]:
    """The bench for cocotb and what it reads: integers, which it packs into words by itself."""
    tensors = whole_batches(tensors, design.batch)
    frames = {
        "inputs": [_integers(port, tensors[str(port.value.name)]) for port in design.inputs],
        "weights": [{"name": p.name, "words_file": f"{p.name}.mem"} for p in design.weights],
        "outputs": [_integers(port, tensors[str(port.value.name)]) for port in design.outputs],
    }
    bench = files("qnnc.backends.rtl.ip").joinpath("cocotb_bench.py").read_text(encoding="utf-8")
    plain = json.dumps(frames, separators=(",", ":")) + "\n"
    return {"cocotb_bench.py": bench, "frames.json": plain, **_weights(design)}


def _integers(port: Port, tensor: NDArray[Any]) -> dict[str, Any]:
    kind = port.stream.datatype
    return {
        "name": port.name,
        "bits": kind.bitwidth(),
        "signed": kind.min() < 0,
        "bipolar": kind == BIPOLAR,
        "lanes": port.stream.lanes,
        "frames": np.rint(np.asarray(tensor)).astype(np.int64).reshape(len(tensor), -1).tolist(),
    }


def _hex_words(port: Port, tensor: NDArray[Any]) -> str:
    words = pack_words(np.asarray(tensor), port.stream.datatype, port.stream.lanes, port.bytes)
    return "".join(word[::-1].tobytes().hex() + "\n" for word in words)
