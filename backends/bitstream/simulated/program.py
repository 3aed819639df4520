# SPDX-License-Identifier: Apache-2.0
"""Building the simulated board: the shell with its accelerator, and the model around it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from qnnc.backends.bitstream.shell import Shell
from qnnc.backends.bitstream.shell.shell import BUILD_ID_FILE, MODULE
from qnnc.backends.simulation import cxxrtl, verilator
from qnnc.backends.simulation.compiler import Compilation
from qnnc.compiler.files import new_folder

CPP = Path(__file__).parent / "cpp"

_IN = (
    "resetn", "gp_awaddr", "gp_awlen", "gp_awid", "gp_awvalid", "gp_wdata", "gp_wstrb", "gp_wlast",
    "gp_wvalid", "gp_bready", "gp_araddr", "gp_arlen", "gp_arid", "gp_arvalid", "gp_rready",
)  # fmt: skip
_OUT = (
    "irq", "gp_awready", "gp_wready", "gp_bresp", "gp_bid", "gp_bvalid", "gp_arready", "gp_rdata",
    "gp_rresp", "gp_rid", "gp_rlast", "gp_rvalid",
)  # fmt: skip
_PORT_IN = (
    "arready", "rdata", "rresp", "rid", "rlast", "rvalid", "awready", "wready", "bresp", "bid",
    "bvalid",
)  # fmt: skip
_PORT_OUT = (
    "araddr", "arlen", "arid", "arvalid", "rready", "awaddr", "awlen", "awid", "awvalid", "wdata",
    "wstrb", "wid", "wlast", "wvalid", "bready",
)  # fmt: skip

_VERILATOR = """\
#define QNNC_PORTS %(ports)d
#include "Vqnnc_board.h"
#include "verilated.h"
#include "board.h"
struct Design : qnnc::Dut {
  Vqnnc_board top;
  void drive(const qnnc::Drive &d) override {
%(put)s
  }
  qnnc::Sense settle() override {
    top.aclk = 0;
    top.eval();
    qnnc::Sense s;
%(get)s
    return s;
  }
  void edge() override { top.aclk = 1; top.eval(); }
};
int main(int argc, char **argv) {
  static Design design;
  return qnnc::run(design, argc, argv);
}
"""

_CXXRTL = """\
#define QNNC_PORTS %(ports)d
#include "top.h"
#include "board.h"
namespace {
template <size_t N> void put(cxxrtl::value<N> &port, uint64_t value) {
  for (size_t i = 0; i < port.chunks; i++) port.data[i] = (uint32_t)(value >> (32 * i));
}
template <size_t N> uint64_t now(const cxxrtl::value<N> &port) {
  return port.data[0] | (port.chunks > 1 ? (uint64_t)port.data[port.chunks - 1] << 32 : 0);
}
template <size_t N> uint64_t now(const cxxrtl::wire<N> &port) { return now(port.curr); }
}  // namespace
struct Design : qnnc::Dut {
  cxxrtl_top::p_qnnc__shell top;
  void drive(const qnnc::Drive &d) override {
%(put)s
  }
  qnnc::Sense settle() override {
    top.p_aclk.data[0] = 0;
    top.step();
    qnnc::Sense s;
%(get)s
    return s;
  }
  void edge() override { top.p_aclk.data[0] = 1; top.step(); }
};
int main(int argc, char **argv) {
  static Design design;
  return qnnc::run(design, argc, argv);
}
"""


def build_board(shell: Shell, rtl: Path, engine: str, how: Compilation, netlist: str = "") -> Path:
    """The simulated board's program, from the cache if it was built before.

    Args:
        shell: around the accelerator.
        rtl: an empty folder, which gets the sources and memory files; the program runs there.
        engine: "verilator" or "cxxrtl".
        netlist: SystemVerilog with the shell's module, to be simulated in its place (Verilator).
    """
    sources = {**shell.design.sources, **shell.sources}
    if netlist:
        sources = {f"{MODULE}.sv": netlist}
    with new_folder(rtl) as out:
        for name, text in sources.items():
            (out / name).write_text(text, encoding="utf-8")
        memories = {**shell.design.memory_files(), BUILD_ID_FILE: shell.build_id_memory}
        for name, memory in memories.items():
            (out / name).write_text(memory.text(), encoding="utf-8")
    put, get = _pairs(shell, _IN, _PORT_IN), _pairs(shell, _OUT, _PORT_OUT)
    if engine == "verilator":
        main = _VERILATOR % {
            "ports": len(shell.ports),
            "put": "\n".join(f"    top.{port} = d.{name};" for port, name in put),
            "get": "\n".join(f"    s.{name} = top.{port};" for port, name in get),
        }
        texts = list(sources.values())
        return verilator.compile_model(MODULE, texts, main, CPP, rtl, how, shell.design.macros)
    main = _CXXRTL % {
        "ports": len(shell.ports),
        "put": "\n".join(f"    put(top.{_cxx(port)}, d.{name});" for port, name in put),
        "get": "\n".join(f"    s.{name} = now(top.{_cxx(port)});" for port, name in get),
    }
    contents = {BUILD_ID_FILE: shell.build_id_memory.text()}
    around = cxxrtl.Around(MODULE, {**shell.sources, **contents}, main, CPP)
    return cxxrtl.build(shell.design, how, around)


def _pairs(shell: Shell, own: Iterable[str], port: Sequence[str]) -> list[tuple[str, str]]:
    """The shell's ports, and what they are called in the model of the board."""
    return [(name, name) for name in own] + [
        (f"{memory.bus}_{name}", f"hp[{index}].{name}")
        for index, memory in enumerate(shell.ports)
        for name in port
    ]


def _cxx(name: str) -> str:
    return "p_" + name.replace("_", "__")
