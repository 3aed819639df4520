# SPDX-License-Identifier: Apache-2.0
"""Stands in for nextpnr-himbaechel and nextpnr-xilinx: writes FASM for the memories of a netlist,
in places and with permutations of LUT inputs that depend on the cells' names only, as a router's.

The first argument says which of the two; each takes its own options alone. The folder's file
`fake.json` may set "fmax", "error", "feature", one more line of FASM, and "stuck", a router that
finds no end.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
from pathlib import Path

ORDERS = list(itertools.permutations(range(6)))


def fasm_of(cells: dict) -> list[str]:
    luts = sorted(n for n, c in cells.items() if c["type"] == "LUT6" and n.endswith(".lut6"))
    rams = sorted(n for n, c in cells.items() if c["type"] == "RAMB18E1")
    lines = ["# placed and routed"]
    for number, name in enumerate(luts):
        order = ORDERS[int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % 720]
        bits = cells[name]["parameters"]["INIT"].rjust(64, "0")[::-1]
        moved = "".join(
            bits[sum((x >> new & 1) << old for new, old in enumerate(order))] for x in range(64)
        )
        lines.append(f"LUT_X{number}Y0.SLICEL_X0.ALUT.INIT[63:0] = 64'b{moved[::-1]}")
    for number, name in enumerate(rams):
        for parameter, bits in sorted(cells[name]["parameters"].items()):
            if parameter.startswith("INIT") and "_" in parameter and len(bits) == 256:
                lines.append(f"RAM_X{number}Y0.RAMB18_Y0.{parameter}[255:0] = 256'b{bits}")
    return lines


OPTIONS = {
    "nextpnr-himbaechel": {"--device", "--chipdb", "-o", "--json", "--freq", "--report"},
    "nextpnr-xilinx": {"--chipdb", "--fasm", "--json", "--freq"},
}


def options(flavour: str, arguments: list[str]) -> dict[str, str]:
    """The command line, of which every part must be known."""
    rest = [argument for argument in arguments if argument != "--timing-allow-fail"]
    told = dict(zip(rest[::2], rest[1::2], strict=True))
    if set(told) != OPTIONS[flavour]:
        sys.exit(f"unrecognised option or one too few: {' '.join(arguments)}")
    return told


def main() -> int:
    flavour, *arguments = sys.argv[1:]
    if arguments == ["--version"]:
        print(f'"{flavour}" -- (Version fake-1)', file=sys.stderr)
        return 0
    told = options(flavour, arguments)
    netlist = json.loads(Path(told["--json"]).read_text())
    wanted = Path(told["--chipdb"]).with_name("fake.json")
    behaviour = json.loads(wanted.read_text()) if wanted.exists() else {}
    if "error" in behaviour:
        print("ERROR: " + behaviour["error"])
        return 1
    print("Info: Routing..")
    for number in itertools.count(1) if behaviour.get("stuck") else range(1, 40):
        overused = max(3, 400 - 20 * number)
        print(f"Info:     iter={number} wires=9000 overused={overused} overuse=9 archfail=NA")
    cells = netlist["modules"]["qnnc_top"]["cells"]
    lines = [*fasm_of(cells), *([behaviour["feature"]] if "feature" in behaviour else [])]
    target = told.get("--fasm") or told["-o"].removeprefix("fasm=")
    Path(target).write_text("\n".join(lines) + "\n")
    fmax = behaviour.get("fmax", 123.4)
    if "--report" in told:
        report = {
            "fmax": {"aclk": {"achieved": fmax, "constraint": 100.0}},
            "utilization": {"SLICE_LUTX": {"used": len(cells), "available": 106400}},
        }
        Path(told["--report"]).write_text(json.dumps(report))
    else:
        print("Info: Device utilisation:")
        print(f"Info: \t          SLICE_LUTX: {len(cells):5}/106400     3%")
        print("Info: \t             BUFGCTRL:     0/   32     0%")
        for clock in (fmax / 2, fmax):  # placed, then routed
            print(f"Info: Max frequency for clock 'aclk': {clock:.2f} MHz (PASS at 100.00 MHz)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
