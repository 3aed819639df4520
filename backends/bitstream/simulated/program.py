# SPDX-License-Identifier: Apache-2.0
"""Building the simulated board: the shell with its accelerator, and the model around it."""

from __future__ import annotations

from pathlib import Path

from qnnc.backends.bitstream.shell import Shell
from qnnc.backends.bitstream.shell.shell import BUILD_ID_FILE, MODULE
from qnnc.backends.simulation import cxxrtl, verilator
from qnnc.compiler.files import new_folder

CPP = Path(__file__).parent / "cpp"

_IN = {
    "resetn": 1, "gp_awaddr": 32, "gp_awlen": 4, "gp_awid": 12, "gp_awvalid": 1, "gp_wdata": 32,
    "gp_wstrb": 4, "gp_wlast": 1, "gp_wvalid": 1, "gp_bready": 1, "gp_araddr": 32, "gp_arlen": 4,
    "gp_arid": 12, "gp_arvalid": 1, "gp_rready": 1, "hp_arready": 1, "hp_rdata": 64, "hp_rresp": 2,
    "hp_rid": 6, "hp_rlast": 1, "hp_rvalid": 1, "hp_awready": 1, "hp_wready": 1, "hp_bresp": 2,
    "hp_bid": 6, "hp_bvalid": 1,
}  # fmt: skip
_OUT = {
    "irq": 1, "gp_awready": 1, "gp_wready": 1, "gp_bresp": 2, "gp_bid": 12, "gp_bvalid": 1,
    "gp_arready": 1, "gp_rdata": 32, "gp_rresp": 2, "gp_rid": 12, "gp_rlast": 1, "gp_rvalid": 1,
    "hp_araddr": 32, "hp_arlen": 4, "hp_arid": 6, "hp_arvalid": 1, "hp_rready": 1, "hp_awaddr": 32,
    "hp_awlen": 4, "hp_awid": 6, "hp_awvalid": 1, "hp_wdata": 64, "hp_wstrb": 8, "hp_wid": 6,
    "hp_wlast": 1, "hp_wvalid": 1, "hp_bready": 1,
}  # fmt: skip

_VERILATOR = """\
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


def build_board(
    shell: Shell,
    rtl: Path,
    work: Path,
    cache: Path,
    engine: str,
    jobs: int,
    *,
    short: bool = False,
) -> Path:
    """The simulated board's program, from the cache if it was built before.

    Args:
        shell: around the accelerator.
        rtl: an empty folder, which gets the sources and memory files; the program runs there.
        work: scratch folder.
        cache: of compiled parts.
        engine: "verilator" or "cxxrtl".
        jobs: compilers to run at once.
        short: compile quickly, for a simulation of few cycles.
    """
    with new_folder(rtl) as out:
        for name, text in {**shell.design.sources, **shell.sources}.items():
            (out / name).write_text(text, encoding="utf-8")
        memories = {**shell.design.memory_files(), BUILD_ID_FILE: shell.build_id_memory}
        for name, memory in memories.items():
            (out / name).write_text(memory.text(), encoding="utf-8")
    if engine == "verilator":
        main = _VERILATOR % {
            "put": "\n".join(f"    top.{name} = d.{name};" for name in _IN),
            "get": "\n".join(f"    s.{name} = top.{name};" for name in _OUT),
        }
        texts = [*shell.design.sources.values(), *shell.sources.values()]
        return verilator.compile_model(
            MODULE, texts, main, CPP, rtl, work, cache, jobs, short=short
        )
    main = _CXXRTL % {
        "put": "\n".join(f"    put(top.{_cxx(name)}, d.{name});" for name in _IN),
        "get": "\n".join(f"    s.{name} = now(top.{_cxx(name)});" for name in _OUT),
    }
    contents = {BUILD_ID_FILE: shell.build_id_memory.text()}
    around = cxxrtl.Around(MODULE, {**shell.sources, **contents}, main, CPP)
    return cxxrtl.build(shell.design, rtl, work, cache, jobs, around, short=short)


def _cxx(name: str) -> str:
    return "p_" + name.replace("_", "__")
