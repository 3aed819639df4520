# SPDX-License-Identifier: Apache-2.0
"""Block RAM and clock buffers read back."""

from __future__ import annotations

from qnnc.backends.bitstream.prove.cells import Cell, Extraction, Net, Site
from qnnc.compiler.errors import VerificationError

_RAM_BUSES = {
    "ADDRARDADDR": 14, "ADDRBWRADDR": 14, "DIADI": 16, "DIBDI": 16, "DIPADIP": 2, "DIPBDIP": 2,
}  # fmt: skip
_RAM_PINS = (
    "CLKARDCLK", "CLKBWRCLK", "ENARDEN", "ENBWREN", "REGCEAREGCE", "REGCEB",
    "RSTRAMARSTRAM", "RSTRAMB", "RSTREGARSTREG", "RSTREGB",
)  # fmt: skip
_WRITES = {"WEA0": "WEA0", "WEA1": "WEA2"} | {f"WEBWE{i}": f"WEBWE{2 * i}" for i in range(4)}
"""A byte's write enable is two pins of the site, which are one where the memory is one of 18 kb."""
_WIDTHS = (1, 2, 4, 9, 18)


def clock_buffer(design: Extraction, site: Site) -> Net | None:
    """A BUFG passes its first input on, a BUFH its only one, if they are switched on so.

    Raises:
        VerificationError: the buffer is used, but not set up.
    """
    every = design.routing.settings.get(site.tile, {})
    if site.kind == "BUFHCE":
        prefix, wanted = f"BUFHCE.{site.name}.", ["IN_USE", "ZINV_CE"]
    else:
        prefix, wanted = f"BUFGCTRL.{site.name}.", ["IN_USE", "ZINV_CE0", "ZINV_S0"]
    missing = [name for name in wanted if f"{prefix}{name}" not in every]
    if missing:
        raise VerificationError(
            f"{site.tile}: clock buffer {site.name} is used but not set up ({', '.join(missing)})"
        )
    net = design.at(site, "I" if site.kind == "BUFHCE" else "I0")
    design.buffers[f"{site.tile}.{site.name}"] = net or ""
    return net


def block_ram(design: Extraction, site: Site, pin: str) -> Net:
    """An output of an 18 kb block RAM.

    Raises:
        VerificationError: it is not switched on, or in a mode that qnnc does not use.
    """
    half = f"RAMB18_Y{site.name.rpartition('Y')[2]}"
    name = f"{site.tile}.{half}"
    if name not in design.cells:
        settings = {
            n[len(half) + 1 :]: v
            for n, v in design.routing.settings.get(site.tile, {}).items()
            if n.startswith(f"{half}.")
        }
        if "IN_USE" not in settings:
            raise VerificationError(f"{name}: its outputs are used, but it is not switched on")
        odd = [n for n in settings if n.startswith(("SDP_", "FIFO_MODE", "EN_ECC"))]
        if odd:
            raise VerificationError(f"{name}: {odd[0]} cannot be read back")
        cell = Cell("RAMB18", name)
        for port in "AB":
            for way in ("READ", "WRITE"):
                on = [w for w in _WIDTHS if f"{way}_WIDTH_{port}_{w}" in settings]
                cell.settings[f"{way}_WIDTH_{port}"] = max(on, default=1)
            cell.settings[f"DO{port}_REG"] = settings.get(f"DO{port}_REG", 0)
            cell.settings[f"INIT_{port}"] = ~settings.get(f"ZINIT_{port}", 0) & 0x3FFFF
            cell.settings[f"SRVAL_{port}"] = ~settings.get(f"ZSRVAL_{port}", 0) & 0x3FFFF
            modes = [m for m in ("READ_FIRST", "NO_CHANGE") if f"WRITE_MODE_{port}_{m}" in settings]
            cell.settings[f"WRITE_MODE_{port}"] = modes[0] if modes else "WRITE_FIRST"
        for kind, count in (("INIT", 64), ("INITP", 8)):
            words = (settings.get(f"{kind}_{i:02X}", 0) << 256 * i for i in range(count))
            cell.settings["DATA" if kind == "INIT" else "PARITY"] = sum(words)
        pins = {n: n for n in _RAM_PINS} | _WRITES
        pins |= {f"{bus}{i}": f"{bus}{i}" for bus, size in _RAM_BUSES.items() for i in range(size)}
        for pin_name in _RAM_PINS:
            if f"ZINV_{pin_name}" not in settings and not pin_name.startswith("REGCE"):
                cell.settings[f"INVERTED_{pin_name}"] = 1
        design.add(cell, site, pins)
    return f"{name}.{pin}"
