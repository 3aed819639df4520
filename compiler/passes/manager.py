# SPDX-License-Identifier: Apache-2.0
"""Running passes: timed, checked, and compared with the golden graph."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import onnx_ir as ir

from qnnc.compiler.errors import VerificationError, quote
from qnnc.compiler.passes.base import Pass, Reason
from qnnc.compiler.strict import strict_numbers
from qnnc.compiler.verification import Outcome, Verifier


@dataclass(frozen=True)
class PassRun:
    """What one pass did.

    Attributes:
        name: of the pass.
        seconds: that it took, verification not included.
        changed: whether it changed the model.
        verified: whether the model was compared with the golden graph after it.
        reasons: why it left nodes as they are.
    """

    name: str
    seconds: float
    changed: bool
    verified: bool
    reasons: tuple[Reason, ...]


class Watcher(Protocol):
    """Looks at the model after every pass, before it is compared with the golden graph."""

    def after(self, model: ir.Model, step: Pass, changed: bool, done: Sequence[str]) -> None:
        """`step` has run; it must not change the model.

        Args:
            changed: whether the pass says that it changed the model.
            done: names of all passes so far, this one included.
        """
        ...


@dataclass
class PassManager:
    """Runs passes in order.

    Attributes:
        verifier: compares after passes, or None.
        each: compare after every pass that changed something, not only after the last.
        listener: called with each pass's name before it runs.
        watchers: look at the model after every pass.
        done: names of the passes that the model has been through.
        runs: what they did, those of a pipeline that failed included.
    """

    verifier: Verifier | None = None
    each: bool = True
    listener: Callable[[str], None] | None = None
    watchers: Sequence[Watcher] = ()
    done: list[str] = field(default_factory=list)
    runs: list[PassRun] = field(default_factory=list)

    def run(self, model: ir.Model, passes: Iterable[Pass]) -> list[PassRun]:
        """Run passes on a model, in place; returns what they did.

        Raises:
            VerificationError: a pass changed what the network computes; names the pass and the
                first tensor that differs.
        """
        start_index = len(self.runs)
        todo = list(passes)
        for index, step in enumerate(todo):
            if self.listener is not None:
                self.listener(step.name)
            start = time.perf_counter()
            changed = _run(step, model)
            seconds = time.perf_counter() - start
            last = index == len(todo) - 1
            verified = self.verifier is not None and ((self.each and changed) or last)
            self.done.append(step.name)
            self.runs.append(PassRun(step.name, seconds, changed, verified, tuple(step.reasons)))
            for watcher in self.watchers:
                watcher.after(model, step, changed, self.done)
            if verified:
                self._verify(model, step.name)
        return self.runs[start_index:]

    def _verify(self, model: ir.Model, name: str) -> None:
        assert self.verifier is not None
        outcome = self.verifier.check(model)
        if outcome.mismatches:
            raise VerificationError(f"after pass {name}, {describe(outcome)}")


def _run(step: Pass, model: ir.Model) -> bool:
    """Run one pass; returns whether it changed the model."""
    with strict_numbers(f"pass {step.name}"):
        step.requires(model)
        changed = bool(step(model).modified)
        step.ensures(model)
    return changed


def describe(outcome: Outcome) -> str:
    """The first mismatch in one sentence."""
    first = outcome.first
    if first is None:
        return f"{outcome.mismatches} elements differ from the golden graph"
    if first.outside is not None:
        low, high = first.outside
        given = f" of node {quote(first.node)}" if first.node else ""
        return (
            f"tensor {quote(first.tensor)}{given} leaves its range: sample {first.sample}, element "
            f"{first.element} is {first.found:g}, and the range goes from {low:g} to {high:g} "
            f"({outcome.mismatches} elements are wrong)"
        )
    return (
        f"tensor {quote(first.tensor)} differs from the golden {quote(first.golden)}: sample "
        f"{first.sample}, element {first.element} is {first.found:g} and should be "
        f"{first.expected:g} ({outcome.mismatches} elements differ)"
    )
