# SPDX-License-Identifier: Apache-2.0
"""The .hwh file: the hardware's description as pynq reads it beside a .bit file.

It holds what pynq's parsers ask for: the processing system with its clocks and the address range
of the accelerator, the accelerator with its registers, and the net between the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from qnnc.backends.bitstream.package.description import LENGTH
from qnnc.backends.bitstream.shell import Shell
from qnnc.backends.bitstream.shell.shell import REGISTERS
from qnnc.compiler.board import Board
from qnnc.compiler.clock import divisors

PS, IP = "processing_system7_0", "qnnc_0"
VLNV = "qnnc:accelerator:shell:1.0"

_AXI = (
    "ARADDR", "ARLEN", "ARID", "ARVALID", "ARREADY", "RDATA", "RRESP", "RID", "RLAST", "RVALID",
    "RREADY", "AWADDR", "AWLEN", "AWID", "AWVALID", "AWREADY", "WDATA", "WSTRB", "WLAST", "WVALID",
    "WREADY", "BRESP", "BID", "BVALID", "BREADY",
)  # fmt: skip
_FROM_SLAVE = {
    "ARREADY", "RDATA", "RRESP", "RID", "RLAST", "RVALID", "AWREADY", "WREADY", "BRESP", "BID",
    "BVALID",
}  # fmt: skip
_WIDTHS = {
    "ADDR": 32, "DATA": 32, "LEN": 4, "STRB": 4, "RESP": 2, "ID": 12,
}  # fmt: skip


def hwh(shell: Shell, board: Board, clock_mhz: float, name: str) -> str:
    """The document.

    Args:
        name: of the design.
    """
    found = re.match(r"xc(7[a-z]\d+t?)([a-z]+\d+)", board.part)
    device, package = found.groups() if found else (board.part, "")
    root = Element("EDKSYSTEM", EDWVERSION="1.2", TIMESTAMP="", VIVADOVERSION="2020.2")
    SubElement(
        root,
        "SYSTEMINFO",
        ARCH="zynq",
        BOARD=board.name,
        DEVICE=device,
        NAME=name,
        PACKAGE=package,
        SPEEDGRADE="-1",
    )
    SubElement(root, "EXTERNALPORTS")
    SubElement(root, "EXTERNALINTERFACES")
    modules = SubElement(root, "MODULES")
    dividers = divisors(board.pll_mhz, clock_mhz)
    _processing_system(modules, clock_mhz, dividers, [port.name for port in shell.ports])
    _accelerator(modules, shell)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _processing_system(
    modules: Element, clock_mhz: float, dividers: tuple[int, int], memory_ports: list[str]
) -> None:
    module = _module(modules, PS, "processing_system7", "xilinx.com:ip:processing_system7:5.5")
    first, second = dividers
    parameters = [("PCW_FPGA0_PERIPHERAL_FREQMHZ", f"{clock_mhz:.6f}")]
    for clock in range(4):
        used = clock == 0
        parameters += [
            (f"PCW_FCLK{clock}_PERIPHERAL_DIVISOR0", str(first if used else 1)),
            (f"PCW_FCLK{clock}_PERIPHERAL_DIVISOR1", str(second if used else 1)),
            (f"PCW_FPGA_FCLK{clock}_ENABLE", str(int(used))),
        ]
    to_memory = [f"S_AXI_{name}" for name in memory_ports]
    for port in ("M_AXI_GP0", "M_AXI_GP1", "S_AXI_GP0", "S_AXI_GP1", *to_memory):
        used = port == "M_AXI_GP0" or port in to_memory
        parameters.append((f"PCW_USE_{port}", str(int(used))))
    parameters += [(f"PCW_{port}_DATA_WIDTH", "64") for port in to_memory]
    _parameters(module, parameters)
    ports = SubElement(module, "PORTS")
    _axi_ports(ports, "M_AXI_GP0", IP, "S_AXI", master=True)
    irq = SubElement(ports, "PORT", DIR="I", LEFT="0", NAME="IRQ_F2P", RIGHT="0", SIGIS="INTERRUPT")
    irq.set("SIGNAME", f"{IP}_irq")
    _connection(irq, IP, "irq")
    _bus(module, "M_AXI_GP0", "MASTER")
    ranges = SubElement(module, "MEMORYMAP")
    SubElement(
        ranges,
        "MEMRANGE",
        ADDRESSBLOCK="reg0",
        BASENAME="C_BASEADDR",
        BASEVALUE=f"0x{REGISTERS:08X}",
        HIGHNAME="C_HIGHADDR",
        HIGHVALUE=f"0x{REGISTERS + LENGTH - 1:08X}",
        INSTANCE=IP,
        IS_DATA="TRUE",
        IS_INSTRUCTION="FALSE",
        MASTERBUSINTERFACE="M_AXI_GP0",
        MEMTYPE="REGISTER",
        SLAVEBUSINTERFACE="S_AXI",
    )
    SubElement(SubElement(module, "PERIPHERALS"), "PERIPHERAL", INSTANCE=IP)


def _accelerator(modules: Element, shell: Shell) -> None:
    module = _module(modules, IP, "shell", VLNV)
    blocks = SubElement(module, "ADDRESSBLOCKS")
    block = SubElement(
        blocks,
        "ADDRESSBLOCK",
        ACCESS="",
        INTERFACE="S_AXI",
        NAME="reg0",
        RANGE=str(LENGTH),
        USAGE="register",
    )
    registers = SubElement(block, "REGISTERS")
    for name, offset, access, text in _registers(shell):
        register = SubElement(registers, "REGISTER", NAME=name)
        for key, value in (
            ("DESCRIPTION", text),
            ("ADDRESS_OFFSET", str(offset)),
            ("ACCESS", access),
            ("SIZE", "32"),
        ):
            SubElement(register, "PROPERTY", NAME=key, VALUE=value)
        SubElement(register, "FIELDS")
    _parameters(
        module,
        [("C_BASEADDR", f"0x{REGISTERS:08X}"), ("C_HIGHADDR", f"0x{REGISTERS + LENGTH - 1:08X}")],
    )
    ports = SubElement(module, "PORTS")
    _axi_ports(ports, "S_AXI", PS, "M_AXI_GP0", master=False)
    irq = SubElement(ports, "PORT", DIR="O", NAME="irq", SIGIS="INTERRUPT", SIGNAME=f"{IP}_irq")
    _connection(irq, PS, "IRQ_F2P")
    _bus(module, "S_AXI", "SLAVE")


def _registers(shell: Shell) -> list[tuple[str, int, str, str]]:
    found = [
        ("MAGIC", 0x00, "read-only", "QNNC"),
        ("BUILD_LOW", 0x08, "read-only", "build id, low half"),
        ("BUILD_HIGH", 0x0C, "read-only", "build id, high half"),
        ("CONTROL", 0x10, "read-write", "0 start, 1 reset, 2 interrupt enable"),
        ("STATUS", 0x14, "read-write", "0 idle, 1 done, 2 error, 3 resetting"),
        ("ERRORS", 0x18, "read-only", "one bit per error"),
        ("FRAMES", 0x1C, "read-write", "frames of a run"),
        ("FRAMES_DONE", 0x20, "read-only", "frames done"),
        ("CYCLES_LOW", 0x24, "read-only", "cycles of the run, low half"),
        ("CYCLES_HIGH", 0x28, "read-only", "cycles of the run, high half"),
    ]
    for stream in shell.streams:
        for index, (name, access, text) in enumerate(
            (
                ("ADDRESS", "read-write", "address of the buffer"),
                ("SIZE", "read-write", "bytes of the buffer"),
                ("FRAME_BYTES", "read-only", "bytes per frame"),
                ("STARVED", "read-only", "cycles its receiver waited"),
                ("BLOCKED", "read-only", "cycles a word waited"),
            )
        ):
            offset = stream.registers + 4 * index
            found.append((f"{stream.name}_{name}".upper(), offset, access, text))
    return found


def _module(modules: Element, instance: str, kind: str, vlnv: str) -> Element:
    return SubElement(
        modules,
        "MODULE",
        FULLNAME=f"/{instance}",
        HWVERSION=vlnv.rpartition(":")[2],
        INSTANCE=instance,
        IPTYPE="PERIPHERAL",
        IS_ENABLE="1",
        MODCLASS="PERIPHERAL",
        MODTYPE=kind,
        NAME=kind,
        VLNV=vlnv,
    )


def _parameters(module: Element, pairs: Iterable[tuple[str, str]]) -> None:
    parameters = SubElement(module, "PARAMETERS")
    for name, value in pairs:
        SubElement(parameters, "PARAMETER", NAME=name, VALUE=value)


def _axi_ports(ports: Element, bus: str, other: str, other_bus: str, *, master: bool) -> None:
    for signal in _AXI:
        out = (signal in _FROM_SLAVE) != master
        port = SubElement(
            ports, "PORT", DIR="O" if out else "I", NAME=f"{bus}_{signal}", SIGIS="undef"
        )
        width = next((w for end, w in _WIDTHS.items() if signal.endswith(end)), 1)
        if width > 1:
            port.set("LEFT", str(width - 1))
            port.set("RIGHT", "0")
        port.set("SIGNAME", f"{PS}_M_AXI_GP0_{signal}")
        _connection(port, other, f"{other_bus}_{signal}")


def _connection(port: Element, instance: str, name: str) -> None:
    SubElement(SubElement(port, "CONNECTIONS"), "CONNECTION", INSTANCE=instance, PORT=name)


def _bus(module: Element, name: str, kind: str) -> None:
    interfaces = SubElement(module, "BUSINTERFACES")
    interface = SubElement(
        interfaces,
        "BUSINTERFACE",
        BUSNAME=f"{PS}_M_AXI_GP0",
        DATAWIDTH="32",
        NAME=name,
        TYPE=kind,
        VLNV="xilinx.com:interface:aximm:1.0",
    )
    _parameters(interface, [("DATA_WIDTH", "32"), ("PROTOCOL", "AXI3")])
    maps = SubElement(interface, "PORTMAPS")
    for signal in _AXI:
        SubElement(maps, "PORTMAP", LOGICAL=signal, PHYSICAL=f"{name}_{signal}")
