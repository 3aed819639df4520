# SPDX-License-Identifier: Apache-2.0
"""How frontends, passes, dataflow nodes, backends and boards are found.

What comes with qnnc stands in tables; other packages add to them by entry points, one group for
each kind. Nothing is imported before it is asked for, so that listing stays fast and a broken
plug-in harms only those who use it.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from qnnc.compiler.errors import OptionError, PluginError, QnncError

T = TypeVar("T")
OURS = "qnnc"


@dataclass(frozen=True, eq=False)
class Table:
    """Things of one kind, by name.

    Attributes:
        kind: what to call one in an error, such as "board".
        group: of entry points, by which other packages add to the table.
        built_in: name -> "module:object", or "package" where a thing is a folder.
    """

    kind: str
    group: str
    built_in: Mapping[str, str]

    def names(self) -> list[str]:
        """Every name, sorted.

        Raises:
            PluginError: two packages provide the same name.
        """
        return sorted({*self.built_in, *self._foreign()})

    def find(self, name: str) -> tuple[str, str]:
        """The package that provides a name, and what it says of it.

        Raises:
            OptionError: no such name; close ones are suggested.
            PluginError: two packages provide the same name.
        """
        foreign = self._foreign()
        if name in self.built_in:
            return OURS, self.built_in[name]
        if name not in foreign:
            known = self.names()
            raise OptionError(
                f"unknown {self.kind} {name!r}{close_matches(name, known)} "
                f"(known: {', '.join(known)})"
            )
        return _package(foreign[name]), foreign[name].value

    def load(self, name: str, expected: type[T]) -> T:
        """Import the object called `name`, an instance of `expected`.

        Raises:
            OptionError: no such name; close ones are suggested.
            PluginError: its package cannot be imported or gives something else.
        """
        package, target = self.find(name)
        found = self._import(name, package, target)
        if not isinstance(found, expected):
            raise PluginError(
                f"{self.kind} {name!r} of package {package} is not a {expected.__name__}"
            )
        return found

    def load_class(self, name: str, base: type[T]) -> type[T]:
        """Import the class called `name`, derived from `base`.

        Raises:
            OptionError: no such name; close ones are suggested.
            PluginError: its package cannot be imported or gives something else.
        """
        found = self.load(name, type)
        if not issubclass(found, base):
            package, _ = self.find(name)
            raise PluginError(
                f"{self.kind} {name!r} of package {package} is not a "
                f"{base.__module__}.{base.__qualname__}"
            )
        return found

    def make(self, name: str, base: type[T]) -> T:
        """An instance of the class called `name`, made without arguments; raises as `load` does."""
        return self.load_class(name, base)()

    def _import(self, name: str, package: str, target: str) -> object:
        module, _, attribute = target.partition(":")
        try:
            return getattr(import_module(module.strip()), attribute.strip())
        except Exception as error:  # whatever a plug-in does at import
            reason = str(error) if isinstance(error, QnncError) else repr(error)
            raise PluginError(
                f"{self.kind} {name!r} of package {package} cannot be loaded: {reason}"
            ) from error

    def _foreign(self) -> dict[str, EntryPoint]:
        entries = _entries(self.group)
        taken = next((name for name in entries if name in self.built_in), None)
        if taken is not None:
            raise _clash(taken, self.group, OURS, _package(entries[taken]))
        return entries


def close_matches(name: str, known: list[str]) -> str:
    """A suggestion for a mistyped name, ready to end a sentence, or nothing."""
    lowered = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), list(lowered), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(lowered[c] for c in close)}?" if close else ""


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.value


def _clash(name: str, group: str, one: str, other: str) -> PluginError:
    return PluginError(
        f"packages {one} and {other} both provide {name!r} in {group}; uninstall {other}"
    )


@cache
def _entries(group: str) -> dict[str, EntryPoint]:
    """Entry points of other packages; an older installation of qnnc may have left some too."""
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=group):
        if _package(entry) == OURS:
            continue
        other = found.get(entry.name)
        if other is not None and other.value != entry.value:
            raise _clash(entry.name, group, _package(other), _package(entry))
        found[entry.name] = entry
    return found
