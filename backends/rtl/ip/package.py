# SPDX-License-Identifier: Apache-2.0
"""The IP folder: sources, memory files, IP-XACT description, testbench with golden frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnnc.backends.design import Design, Port, whole_batches
from qnnc.backends.design.design import HEADER
from qnnc.backends.rtl.ip.component import component_xml
from qnnc.backends.rtl.ip.core_file import core_file
from qnnc.backends.rtl.rtl_node import Templates
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
        text = core_file(design.top, sources, memories, benches)
        (out / f"{design.top}.core").write_text(text, encoding="utf-8")


def _testbench(design: Design, tensors: Mapping[str, NDArray[Any]]) -> dict[str, str]:
    files = {}
    tensors = whole_batches(tensors, design.batch)
    for port in (*design.inputs, *design.outputs):
        files[f"{port.name}.mem"] = _hex_words(port, tensors[str(port.value.name)])
    for weights in design.weights:
        lines = (word[::-1].tobytes().hex() + "\n" for word in weights.words)
        files[f"{weights.name}.mem"] = "".join(lines)
    frames = next(iter(tensors.values())).shape[0]
    text = TEMPLATES.render(
        "testbench.sv.j2",
        top=design.top,
        inputs=design.inputs,
        outputs=design.outputs,
        weights=design.weights,
        frames=frames,
    )
    return {f"{design.top}_tb.sv": HEADER + text, **files}


def _hex_words(port: Port, tensor: NDArray[Any]) -> str:
    words = pack_words(np.asarray(tensor), port.stream.datatype, port.stream.lanes, port.bytes)
    return "".join(word[::-1].tobytes().hex() + "\n" for word in words)
