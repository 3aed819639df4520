# SPDX-License-Identifier: Apache-2.0
"""Passes by name: the pass called `absorb-tails`, and what its options may be.

Passes of other packages come in through the entry-point group `qnnc.passes`. None is imported
before it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, get_type_hints

from qnnc.compiler.errors import OptionError, PluginError
from qnnc.compiler.passes.base import Pass
from qnnc.compiler.passes.table import PASSES
from qnnc.compiler.plugins import Table, close_matches

TABLE = Table("pass", "qnnc.passes", PASSES)


@dataclass(frozen=True)
class PassOption:
    """An option of a pass.

    Attributes:
        name: in kebab-case; upper case stays.
        field: of the dataclass.
        kind: bool, int, float or str.
        default: if it is not given.
    """

    name: str
    field: str
    kind: type
    default: Any


def pass_names() -> list[str]:
    """Every installed pass, sorted."""
    return TABLE.names()


def find_pass(name: str) -> type[Pass]:
    """The class of the pass called `name`.

    Raises:
        OptionError: there is none; close names are suggested.
        PluginError: its package is broken, or it is not a pass.
    """
    found = TABLE.load(name, type)
    if not issubclass(found, Pass) or not is_dataclass(found):
        raise PluginError(
            f"pass {name!r} is not a dataclass derived from qnnc.compiler.passes.Pass"
        )
    if getattr(found, "name", None) != name:
        raise PluginError(
            f"pass {name!r} calls itself {getattr(found, 'name', None)!r}; an entry point has to "
            "have the name of its pass"
        )
    return found


def pass_options(kind: type[Pass]) -> list[PassOption]:
    """The options of a pass, in order."""
    hints = get_type_hints(kind)
    return [
        PassOption(field.name.replace("_", "-"), field.name, hints[field.name], field.default)
        for field in fields(kind)  # type: ignore[arg-type]
        if field.init
    ]


def make_pass(name: str, texts: Mapping[str, str], base: Pass | None = None) -> Pass:
    """A pass with options as they stand on a command line.

    Args:
        texts: option -> value.
        base: gives the values of options that are not named; by default they are the pass's own.

    Raises:
        OptionError: an unknown option, or a value of the wrong kind.
    """
    kind = find_pass(name)
    known = {option.name: option for option in pass_options(kind)}
    values = {} if base is None else {o.field: getattr(base, o.field) for o in known.values()}
    for given, text in texts.items():
        option = known.get(given.replace("_", "-"))
        if option is None:
            listed = f"it has {', '.join(known)}" if known else "it has none"
            raise OptionError(
                f"pass {name!r} has no option {given!r}"
                f"{close_matches(given, list(known))} ({listed})"
            )
        values[option.field] = _value(name, option, text)
    return kind(**values)


def _value(name: str, option: PassOption, text: str) -> Any:
    if option.kind is bool:
        if text.lower() in ("", "1", "true", "yes", "on"):
            return True
        if text.lower() in ("0", "false", "no", "off"):
            return False
    elif option.kind is str:
        return text
    elif option.kind in (int, float):
        try:
            return option.kind(text)
        except ValueError:
            pass
    wanted = {bool: "true or false", int: "a whole number", float: "a number"}
    raise OptionError(
        f"option {option.name!r} of pass {name!r} is {wanted.get(option.kind, 'of another kind')}, "
        f"not {text!r}"
    )
