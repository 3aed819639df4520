# SPDX-License-Identifier: Apache-2.0
"""The clocks that a Zynq-7000 gives its fabric: a PLL's frequency over a product of two divisors.

FCLK0 is divided twice by 1 to 63 (UG585, register SLCR.FPGA0_CLK_CTRL), so that with a PLL of
1,000 MHz it is 1000/n MHz. A clock in between cannot be set: pynq would take the nearest one, which
may be faster than what was timed.
"""

from __future__ import annotations

from bisect import bisect_left

from qnnc.compiler.errors import OptionError

DIVISOR_LIMIT = 63
MAX_MHZ = 250.0
"""Of FCLK0 (the range that Vivado's configuration of the processing system accepts)."""
ROUNDING = 1e-3
"""Relative: how far a clock may be written from the exact one, as in 166.7 or 52.6 MHz."""

_DIVIDERS = sorted(
    {a * b for a in range(1, DIVISOR_LIMIT + 1) for b in range(1, DIVISOR_LIMIT + 1)}
)


def fabric_clock(pll_mhz: float, wanted_mhz: float) -> float:
    """The exact clock that is meant by `wanted_mhz`, which may be rounded.

    Args:
        pll_mhz: frequency of the PLL that FCLK0 is divided from.
        wanted_mhz: as a user writes it.

    Returns:
        `pll_mhz` / n in MHz.

    Raises:
        OptionError: there is no such clock; the message names the nearest ones.
    """
    if not 0 < wanted_mhz <= MAX_MHZ * (1 + ROUNDING):
        raise OptionError(f"--clock-mhz is above 0 and at most {MAX_MHZ:g}, not {wanted_mhz:g}")
    offered = neighbours(pll_mhz, wanted_mhz)
    nearest = min(offered, key=lambda clock: abs(clock - wanted_mhz))
    if abs(nearest / wanted_mhz - 1) <= ROUNDING:
        return nearest
    names = " or ".join(f"--clock-mhz {clock:.6g}" for clock in sorted(offered))
    raise OptionError(
        f"the board's clock cannot be {wanted_mhz:g} MHz, only {pll_mhz:g}/n MHz: use {names}"
    )


def neighbours(pll_mhz: float, wanted_mhz: float) -> list[float]:
    """The next clock below `wanted_mhz` (or equal to it) and the next above, as far as there are
    any, in MHz."""
    at = bisect_left(_DIVIDERS, pll_mhz / wanted_mhz)
    around = _DIVIDERS[max(at - 1, 0) : at + 1]
    return [pll_mhz / n for n in reversed(around) if pll_mhz / n <= MAX_MHZ]


def highest_clock(pll_mhz: float, limit_mhz: float) -> float | None:
    """The highest clock that does not exceed `limit_mhz`, or None if even the lowest does."""
    below = [clock for clock in neighbours(pll_mhz, min(limit_mhz, MAX_MHZ)) if clock <= limit_mhz]
    return max(below, default=None)


def divisors(pll_mhz: float, clock_mhz: float) -> tuple[int, int]:
    """DIVISOR0 and DIVISOR1 for a clock that `fabric_clock` has returned."""
    n = round(pll_mhz / clock_mhz)
    second = next(b for b in range(1, DIVISOR_LIMIT + 1) if n % b == 0 and n // b <= DIVISOR_LIMIT)
    return n // second, second
