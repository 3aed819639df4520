# SPDX-License-Identifier: Apache-2.0
"""component.xml: the accelerator in IP-XACT (IEEE 1685-2009, as Vivado reads and writes it).

Bus definitions are Vivado's: AXI4-Stream (axis), clock and reset, so that IP integrator connects
them by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from qnnc.backends.design import Design, Port, WeightPort

SPIRIT = "http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009"
XILINX = "http://www.xilinx.com"
SYNTHESIS, SIMULATION = "xilinx_anylanguagesynthesis", "xilinx_anylanguagebehavioralsimulation"
TESTBENCH = "xilinx_testbench"
VLNV = ("qnnc", "accelerator", "1.0")


def _q(tag: str) -> str:
    return f"{{{SPIRIT}}}{tag}"


def _add(parent: Element, tag: str, text: str | None = None) -> Element:
    element = SubElement(parent, _q(tag))
    element.text = text
    return element


def component_xml(
    design: Design,
    *,
    sources: Sequence[str],
    memories: Sequence[str],
    testbench: Sequence[str],
    part: str,
) -> str:
    """The document, for files given relative to the IP's folder."""
    ElementTree.register_namespace("spirit", SPIRIT)
    ElementTree.register_namespace("xilinx", XILINX)
    root = Element(_q("component"))
    vendor, library, version = VLNV
    for tag, text in (
        ("vendor", vendor),
        ("library", library),
        ("name", design.top),
        ("version", version),
    ):
        _add(root, tag, text)
    interfaces = _add(root, "busInterfaces")
    for port in design.entries:
        _stream_interface(interfaces, port, "slave")
    for output in design.outputs:
        _stream_interface(interfaces, output, "master")
    _clock_interface(interfaces, design)
    _reset_interface(interfaces)
    model = _add(root, "model")
    _views(model, design)
    _ports(model, design)
    _file_sets(root, design, sources, memories, testbench)
    _add(root, "description", f"Quantized neural network accelerator, made by qnnc for {part}")
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _interface(parent: Element, name: str, library: str, kind: str, mode: str) -> Element:
    interface = _add(parent, "busInterface")
    _add(interface, "name", name)
    for tag, suffix in (("busType", ""), ("abstractionType", "_rtl")):
        SubElement(
            interface,
            _q(tag),
            {
                _q("vendor"): "xilinx.com",
                _q("library"): library,
                _q("name"): kind + suffix,
                _q("version"): "1.0",
            },
        )
    _add(interface, mode)
    return interface


def _map(interface: Element, pairs: Sequence[tuple[str, str]]) -> None:
    maps = _add(interface, "portMaps")
    for logical, physical in pairs:
        entry = _add(maps, "portMap")
        _add(_add(entry, "logicalPort"), "name", logical)
        _add(_add(entry, "physicalPort"), "name", physical)


def _parameters(interface: Element, values: Sequence[tuple[str, str]]) -> None:
    parameters = _add(interface, "parameters")
    for name, value in values:
        parameter = _add(parameters, "parameter")
        _add(parameter, "name", name)
        _add(parameter, "value", value)


def _stream_interface(parent: Element, port: Port | WeightPort, mode: str) -> None:
    interface = _interface(parent, port.name, "interface", "axis", mode)
    _map(
        interface,
        [(signal.upper(), f"{port.name}_{signal}") for signal in ("tdata", "tvalid", "tready")],
    )
    _parameters(
        interface, [("TDATA_NUM_BYTES", str(port.bytes)), ("HAS_TREADY", "1"), ("HAS_TLAST", "0")]
    )


def _clock_interface(parent: Element, design: Design) -> None:
    interface = _interface(parent, "aclk", "signal", "clock", "slave")
    _map(interface, [("CLK", "aclk")])
    names = ":".join([port.name for port in design.entries] + [p.name for p in design.outputs])
    _parameters(interface, [("ASSOCIATED_BUSIF", names), ("ASSOCIATED_RESET", "aresetn")])


def _reset_interface(parent: Element) -> None:
    interface = _interface(parent, "aresetn", "signal", "reset", "slave")
    _map(interface, [("RST", "aresetn")])
    _parameters(interface, [("POLARITY", "ACTIVE_LOW")])


def _views(model: Element, design: Design) -> None:
    views = _add(model, "views")
    for name, shown, purpose, top in (
        (SYNTHESIS, "Synthesis", "synthesis", design.top),
        (SIMULATION, "Simulation", "simulation", design.top),
        (TESTBENCH, "Test Bench", "simulation.testbench", f"{design.top}_tb"),
    ):
        view = _add(views, "view")
        _add(view, "name", name)
        _add(view, "displayName", shown)
        _add(view, "envIdentifier", f":vivado.xilinx.com:{purpose}")
        _add(view, "language", "SystemVerilog")
        _add(view, "modelName", top)
        _add(_add(view, "fileSetRef"), "localName", f"{name}_view_fileset")


def _ports(model: Element, design: Design) -> None:
    ports = _add(model, "ports")
    _port(ports, "aclk", "in", 1)
    _port(ports, "aresetn", "in", 1)
    for port in design.entries:
        _port(ports, f"{port.name}_tdata", "in", port.bytes * 8)
        _port(ports, f"{port.name}_tvalid", "in", 1)
        _port(ports, f"{port.name}_tready", "out", 1)
    for output in design.outputs:
        _port(ports, f"{output.name}_tdata", "out", output.bytes * 8)
        _port(ports, f"{output.name}_tvalid", "out", 1)
        _port(ports, f"{output.name}_tready", "in", 1)


def _port(parent: Element, name: str, direction: str, width: int) -> None:
    port = _add(parent, "port")
    _add(port, "name", name)
    wire = _add(port, "wire")
    _add(wire, "direction", direction)
    if width > 1:
        vector = _add(wire, "vector")
        _add(vector, "left", str(width - 1))
        _add(vector, "right", "0")
    types = _add(_add(wire, "wireTypeDefs"), "wireTypeDef")
    _add(types, "typeName", "wire")
    _add(types, "viewNameRef", SYNTHESIS)
    _add(types, "viewNameRef", SIMULATION)


def _file_sets(
    root: Element,
    design: Design,
    sources: Sequence[str],
    memories: Sequence[str],
    testbench: Sequence[str],
) -> None:
    # the top comes last: Vivado takes the last file that declares the model's module
    ordered = sorted(sources, key=lambda name: name.endswith(f"/{design.top}.sv"))
    sets = _add(root, "fileSets")
    for name, files in (
        (SYNTHESIS, [*ordered, *memories]),
        (SIMULATION, [*ordered, *memories]),
        (TESTBENCH, testbench),
    ):
        file_set = _add(sets, "fileSet")
        _add(file_set, "name", f"{name}_view_fileset")
        for path in files:
            file = _add(file_set, "file")
            _add(file, "name", path)
            if path.endswith(".sv"):
                _add(file, "fileType", "systemVerilogSource")
            else:
                _add(file, "userFileType", "mem")
