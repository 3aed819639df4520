# SPDX-License-Identifier: Apache-2.0
"""What ports to memory cost: the shell of four streams in and one out, 64 bits each, synthesised
by Yosys with its inputs spread over one to four ports, without an accelerator.

python -m benchmarks.shell_ports [1 2 3 4]
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path

from qnnc.backends.bitstream.netlist.link import Modules, synthesised_shell
from qnnc.backends.bitstream.shell.shell import TOP
from tests.support.shell import mixer

STREAMS = 4


def cells(modules: Modules, name: str) -> Counter[str]:
    """Primitives in a module and what it holds, by type."""
    found: Counter[str] = Counter()
    for cell in modules[name]["cells"].values():
        inner = modules.get(cell["type"])
        if inner is None or {"blackbox", "whitebox"} & set(inner.get("attributes", {})):
            found[cell["type"]] += 1
        else:
            found += cells(modules, cell["type"])
    return found


def main() -> None:
    """Print a line for each number of ports."""
    parser = argparse.ArgumentParser()
    parser.add_argument("ports", nargs="*", type=int, default=[1, 2, 3, 4])
    for ports in parser.parse_args().ports:
        shell = mixer(16, [i % ports for i in range(STREAMS)])
        with tempfile.TemporaryDirectory() as folder:
            modules = synthesised_shell(shell.design, shell.top_sources, TOP, Path(folder))
        found = cells(modules, TOP)
        luts = sum(count for kind, count in found.items() if kind.startswith("LUT"))
        ffs = sum(count for kind, count in found.items() if kind.startswith("FD"))
        print(f"{ports} ports: {luts} LUT, {ffs} FF, {found['RAM64M']} RAM64M", flush=True)


if __name__ == "__main__":
    main()
