# SPDX-License-Identifier: Apache-2.0
"""The stages of a build, in order: the compiler's own and those of every installed backend."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from qnnc.compiler.building.backend import TABLE, Backend, Stage
from qnnc.compiler.building.compile_stages import EstimateStage, PassesStage
from qnnc.compiler.errors import OptionError, PluginError
from qnnc.compiler.plugins import close_matches


def all_stages() -> list[Stage]:
    """Every stage, in order; backends of other packages that are broken are left out."""
    return list(_found()[0])


def broken_backends() -> list[str]:
    """What is wrong with backends of other packages that cannot be loaded."""
    return list(_found()[1])


def last_stage() -> str:
    """The name of the last stage."""
    return all_stages()[-1].name


def stages_until(name: str) -> list[Stage]:
    """The stages up to the one called `name`, which is among them; all of them for "".

    Raises:
        OptionError: there is no such stage.
        PluginError: there is none, and a broken backend might have had it.
    """
    stages = all_stages()
    names = [stage.name for stage in stages]
    if name and name not in names:
        if broken_backends():
            raise PluginError(broken_backends()[0])
        raise OptionError(
            f"--until is one of {', '.join(names)}, not {name!r}{close_matches(name, names)}"
        )
    return stages[: names.index(name) + 1] if name else stages


@cache
def _found() -> tuple[tuple[Stage, ...], tuple[str, ...]]:
    groups: list[tuple[str, Sequence[Stage]]] = [("qnnc", (PassesStage(), EstimateStage()))]
    broken = []
    for name in [*TABLE.built_in, *(n for n in TABLE.names() if n not in TABLE.built_in)]:
        try:
            groups.append((name, TABLE.make(name, Backend).stages()))
        except PluginError as error:
            if name in TABLE.built_in:
                raise
            broken.append(str(error))
    return tuple(in_order(groups)), tuple(broken)


def in_order(groups: Sequence[tuple[str, Sequence[Stage]]]) -> list[Stage]:
    """Stages of several backends, each right after the one that it names.

    Args:
        groups: name of a backend, and its stages; of two that follow the same stage, the one that
            comes later here goes first.

    Raises:
        PluginError: two stages have the same name or leave the same file, or one follows a stage
            that there is not.
    """
    found: list[Stage] = []
    waiting = [(name, stage) for name, stages in groups for stage in stages]
    owners: dict[str, str] = {}
    for backend, stage in waiting:
        for taken in (f"stage {stage.name!r}", *(f"product {p!r}" for p in stage.products)):
            if taken in owners:
                raise PluginError(f"backends {owners[taken]} and {backend} both have a {taken}")
            owners[taken] = backend
    while waiting:
        left = []
        for backend, stage in waiting:
            names = [other.name for other in found]
            if not stage.after:
                found.append(stage)
            elif stage.after in names:
                found.insert(names.index(stage.after) + 1, stage)
            else:
                left.append((backend, stage))
        if len(left) == len(waiting):
            backend, stage = left[0]
            raise PluginError(
                f"stage {stage.name!r} of backend {backend!r} comes after {stage.after!r}, which "
                "is not a stage"
            )
        waiting = left
    return found
