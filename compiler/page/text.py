# SPDX-License-Identifier: Apache-2.0
"""Numbers and names as the page writes them."""

from __future__ import annotations

from collections.abc import Iterable


def count(number: float) -> str:
    """A number with separators of thousands, of fractions the first."""
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:,.1f}"


def shape(sizes: Iterable[object]) -> str:
    """1×32×32×3."""
    return "×".join(map(str, sizes)) or "scalar"


def shortened(name: str, most: int) -> str:
    """A name without its middle: what tells two apart is mostly at the end."""
    return name if len(name) <= most else f"{name[: most // 2 - 1]}…{name[-(most // 2) :]}"


def ended(name: str, most: int) -> str:
    """The end of a name, which is mostly what tells it from others."""
    return name if len(name) <= most else f"…{name[1 - most :]}"


def seconds(time: float) -> str:
    """A time with its unit."""
    if time >= 1:
        return f"{time:,.1f} s"
    return f"{1000 * time:.0f} ms" if time >= 0.001 else "< 1 ms"


def percent(share: float) -> str:
    """A share of one."""
    return f"{100 * share:.1f} %"


def changed(before: int, after: int) -> str:
    """How far a number is from an estimate of it, or nothing if that is undefined."""
    if before == 0 or before == after:
        return ""
    return f" ({100 * (after - before) / before:+.0f} %)"
