# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog that puts an HLS node where its twin of the RTL backend would stand."""

from __future__ import annotations

from collections.abc import Sequence

from qnnc.backends.design import NodeRtl
from qnnc.backends.design.module import port_names
from qnnc.backends.hls.emulator.source import templates
from qnnc.backends.hls.project.node_files import NodeProject
from qnnc.compiler.dataflow import Stream


def wrapper(project: NodeProject) -> NodeRtl:
    """A module with the ports of the node's RTL, around the IP that Vitis HLS makes."""
    ports = project.kernel.ports
    module = f"{project.top}_wrapper"
    text = (
        templates()
        .get_template("wrapper.sv.j2")
        .render(
            module=module,
            top=project.top,
            inputs=_streams(ports.inputs, "s_axis", "in"),
            outputs=_streams(ports.outputs, "m_axis", "out"),
        )
    )
    s_bits, m_bits = (
        tuple(stream.bits for stream in side) for side in (ports.inputs, ports.outputs)
    )
    return NodeRtl(module, text, {}, s_bits, m_bits)


def _streams(streams: Sequence[Stream], base: str, port: str) -> list[dict[str, object]]:
    return [
        {
            "name": name,
            "port": f"{port}{index}",
            "bits": stream.bits,
            "padded": 8 * -(-stream.bits // 8),
        }
        for index, (name, stream) in enumerate(
            zip(port_names(base, len(streams)), streams, strict=True)
        )
    ]
