# SPDX-License-Identifier: Apache-2.0
"""Entry points: how frontends, passes, dataflow nodes, backends and boards are found.

Nothing is imported before it is asked for, so that listing stays fast and a broken plug-in
harms only those who use it.
"""

from __future__ import annotations

import difflib
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from qnnc.compiler.errors import OptionError, PluginError, QnncError

T = TypeVar("T")
GROUPS = ("qnnc.frontends", "qnnc.passes", "qnnc.nodes", "qnnc.backends", "qnnc.boards")


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.value


@cache
def _entries(group: str) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=group):
        other = found.get(entry.name)
        if other is not None and other.value != entry.value:
            raise PluginError(
                f"packages {_package(other)} and {_package(entry)} both provide "
                f"{entry.name!r} in {group}; uninstall one of them"
            )
        found[entry.name] = entry
    return found


def names(group: str) -> list[str]:
    """Names registered in a group, sorted."""
    return sorted(_entries(group))


def close_matches(name: str, known: list[str]) -> str:
    """A suggestion for a mistyped name, ready to end a sentence, or nothing."""
    lowered = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), list(lowered), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(lowered[c] for c in close)}?" if close else ""


def load_one(group: str, name: str, kind: str, expected: type[T]) -> T:
    """Import the object called `name`, an instance of `expected`.

    Args:
        kind: what to call it in an error, such as "board".

    Raises:
        OptionError: no such name; close ones are suggested.
        PluginError: its package cannot be imported or gives something else.
    """
    entries = _entries(group)
    if name not in entries:
        known = sorted(entries)
        raise OptionError(
            f"unknown {kind} {name!r}{close_matches(name, known)} (known: {', '.join(known)})"
        )
    entry = entries[name]
    try:
        found = entry.load()
    except Exception as error:
        reason = str(error) if isinstance(error, QnncError) else repr(error)
        raise PluginError(
            f"{kind} {name!r} of package {_package(entry)} cannot be loaded: {reason}"
        ) from error
    if not isinstance(found, expected):
        raise PluginError(f"{kind} {name!r} of package {_package(entry)} is no {expected.__name__}")
    return found


def load_class(group: str, name: str, kind: str) -> type[Any]:
    """Import the class called `name`; raises as `load_one` does."""
    found: type[Any] = load_one(group, name, kind, type)
    return found
