# SPDX-License-Identifier: Apache-2.0
"""Pipelines of passes as text: `tidy,absorb-tails{max-elements=1024 max-thresholds=255},...`.

    pipeline = item ("," item)*
    item     = name [ "{" option ("," | " ") option … "}" ] | "..."
    option   = name [ "=" value ]

`...` stands for the passes of the standard pipeline from the last one named up to the next one
named, or up to the end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from qnnc.compiler.errors import OptionError
from qnnc.compiler.passes.base import Pass
from qnnc.compiler.passes.registry import find_pass, make_pass, pass_options

REST = "..."
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Item:
    """One pass of a pipeline: its name and the options that are given."""

    name: str
    options: dict[str, str]


def parse_items(text: str) -> list[Item]:
    """Read a pipeline; raises OptionError that shows where it goes wrong."""
    items: list[Item] = []
    position = 0
    while True:
        position = _skip(text, position)
        if text.startswith(REST, position):
            items.append(Item(REST, {}))
            position += len(REST)
        else:
            found = _NAME.match(text, position)
            if found is None:
                raise _wrong(text, position, "the name of a pass")
            position = _skip(text, found.end())
            options: dict[str, str] = {}
            if text.startswith("{", position):
                end = text.find("}", position)
                if end < 0:
                    raise _wrong(text, len(text), "'}'")
                options = _options(text[position + 1 : end])
                position = end + 1
            items.append(Item(found.group(), options))
        position = _skip(text, position)
        if position == len(text):
            return items
        if text[position] != ",":
            raise _wrong(text, position, "','")
        position += 1


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _options(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in re.split(r"[,\s]+", text.strip()):
        if part:
            name, _, value = part.partition("=")
            found[name.strip()] = value.strip()
    return found


def _wrong(text: str, position: int, wanted: str) -> OptionError:
    seen = repr(text[position : position + 12]) if position < len(text) else "its end"
    return OptionError(f"pipeline {text!r}: {wanted} is missing before {seen}")


def parse_pipeline(text: str, standard: Sequence[Pass]) -> list[Pass]:
    """The passes of a pipeline.

    Args:
        standard: what `...` is taken from. A pass that is named gets the options of the next
            standard pass of that name, unless it says others.

    Raises:
        OptionError: the text is not a pipeline, or names an unknown pass or option.
    """
    items = parse_items(text)
    passes: list[Pass] = []
    position = 0
    for index, item in enumerate(items):
        if item.name != REST:
            here = _next(standard, position, item.name)
            base = None if here is None else standard[here]
            passes.append(make_pass(item.name, item.options, base))
            position = position if here is None else here + 1
            continue
        ends = (_next(standard, position, later.name) for later in items[index + 1 :])
        end = next((e for e in ends if e is not None), len(standard))
        passes += standard[position:end]
        position = end
    return passes


def _next(standard: Sequence[Pass], start: int, name: str) -> int | None:
    return next((i for i in range(start, len(standard)) if standard[i].name == name), None)


def pipeline_text(passes: Sequence[Pass]) -> str:
    """A pipeline as text, with the options that are not at their default."""
    return ",".join(_item_text(step) for step in passes)


def _item_text(step: Pass) -> str:
    given = []
    for option in pass_options(type(step)):
        value = getattr(step, option.field)
        if value != option.default:
            given.append(f"{option.name}={str(value).lower() if value is True else value}")
    return f"{step.name}{{{' '.join(given)}}}" if given else step.name


def check_name(name: str, passes: Sequence[Pass], option: str) -> None:
    """Raise OptionError if no pass of a pipeline is called `name`."""
    if name in {step.name for step in passes}:
        return
    find_pass(name)  # a name that nobody knows gets suggestions
    known = ", ".join(dict.fromkeys(step.name for step in passes))
    raise OptionError(f"{option}: pass {name!r} is not in the pipeline ({known})")
