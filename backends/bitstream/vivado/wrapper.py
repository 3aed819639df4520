# SPDX-License-Identifier: Apache-2.0
"""The shell's top for Vivado's IP packager, in plain Verilog with its interfaces named.

The packager does not take SystemVerilog as a core's top (UG1118), and it takes an AXI interface for
AXI4 unless told otherwise. The processing system's ports are AXI3.
"""

from __future__ import annotations

from qnnc.backends.bitstream.shell import Shell
from qnnc.backends.bitstream.shell.shell import template

WRAPPER = "qnnc_shell_ip"
_REQUEST = {"addr": 32, "len": 4, "size": 3, "burst": 2, "lock": 2, "cache": 4, "prot": 3, "qos": 4}
_UNSEEN = {"size", "burst", "lock", "cache", "prot", "qos"}
"""Of a request: the shell's registers do not look at these, its memory ports set them for good."""


def signals(data: int, ids: int) -> list[tuple[bool, int, str]]:
    """Every signal of an AXI3 interface: whether the master drives it, its width, its name.

    Args:
        data: width of a word in bits.
        ids: width of an ID in bits.
    """
    found = []
    for channel in ("aw", "ar"):
        found += [(True, width, channel + name) for name, width in _REQUEST.items()]
        found += [(True, ids, f"{channel}id"), (True, 1, f"{channel}valid")]
        found += [(False, 1, f"{channel}ready")]
    found += [(True, data, "wdata"), (True, data // 8, "wstrb"), (True, ids, "wid")]
    found += [(True, 1, "wlast"), (True, 1, "wvalid"), (False, 1, "wready")]
    found += [(False, 2, "bresp"), (False, ids, "bid"), (False, 1, "bvalid"), (True, 1, "bready")]
    found += [(False, data, "rdata"), (False, 2, "rresp"), (False, ids, "rid")]
    found += [(False, 1, "rlast"), (False, 1, "rvalid"), (True, 1, "rready")]
    return found


def wrapper(shell: Shell) -> str:
    """The module `qnnc_shell_ip`."""
    gp, hp = signals(32, 12), signals(64, 6)
    unseen = {channel + name for channel in ("aw", "ar") for name in _UNSEEN}
    gp_unused = [name for _, _, name in gp if name in unseen | {"wid"}]
    return template(f"{WRAPPER}.v.j2").render(
        ports=shell.ports,
        gp=[("input " if master else "output", width, name) for master, width, name in gp],
        hp=[("output" if master else "input ", width, name) for master, width, name in hp],
        gp_unused=gp_unused,
        gp_used=[name for _, _, name in gp if name not in gp_unused],
        hp_used=[name for _, _, name in hp if name not in unseen],
    )
