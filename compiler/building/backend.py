# SPDX-License-Identifier: Apache-2.0
"""Backends: what turns a compiled graph into hardware, in stages.

Found through the entry-point group `qnnc.backends`. A backend sees the build through
`qnnc.compiler.building.build.Build` and nothing of other backends.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from qnnc.backends.table import BACKENDS
from qnnc.compiler.building.build import Build
from qnnc.compiler.errors import TargetError
from qnnc.compiler.plugins import Table
from qnnc.compiler.resources import Resources

TABLE = Table("backend", "qnnc.backends", BACKENDS)


@dataclass(frozen=True)
class StageOutcome:
    """How a stage ended: done, taken from an earlier build, or skipped for a reason."""

    status: Literal["done", "cached", "skipped"] = "done"
    reason: str = ""


class OverBudget(TargetError):
    """The accelerator takes more than its budget, as only a late stage can tell; the build folds
    it again with the excess kept free.

    Attributes:
        excess: what it takes beyond the budget.
    """

    def __init__(self, message: str, excess: Resources) -> None:
        super().__init__(message)
        self.excess = excess


class Stage(ABC):
    """One step of a build.

    Attributes:
        name: that `--until` takes.
        after: name of the stage that it follows.
        products: files and folders that it leaves in the build's folder; those of the last
            build are removed before the next, so that nothing old is taken for new.
        finds_clock: it finds the highest clock that holds, and chooses it for
            `--clock-mhz auto`.
    """

    name: ClassVar[str]
    after: ClassVar[str] = ""
    products: ClassVar[tuple[str, ...]] = ()
    finds_clock: ClassVar[bool] = False

    @abstractmethod
    def run(self, build: Build) -> StageOutcome:
        """Do the work and record results in the build; raises QnncError if it cannot, and
        OverBudget where another folding may help."""


class Backend(ABC):
    """A group of stages on the way to hardware."""

    name: ClassVar[str]

    @abstractmethod
    def stages(self) -> list[Stage]:
        """Its stages, in order."""
