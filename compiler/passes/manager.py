# SPDX-License-Identifier: Apache-2.0
"""Running passes: timed, checked, and compared with the golden graph."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import onnx_ir as ir

from qnnc.compiler.errors import VerificationError, quote
from qnnc.compiler.passes.base import Pass, Reason
from qnnc.compiler.verification import Outcome, Verifier


@dataclass(frozen=True)
class PassRun:
    """What one pass did.

    Attributes:
        name: of the pass.
        seconds: that it took, verification not included.
        changed: whether it changed the model.
        verified: whether the model was compared with the golden graph behind it.
        reasons: why it left nodes as they are.
    """

    name: str
    seconds: float
    changed: bool
    verified: bool
    reasons: tuple[Reason, ...]


@dataclass
class PassManager:
    """Runs passes in order.

    Attributes:
        verifier: compares behind passes, or None.
        each: compare behind every pass that changed something, not only behind the last.
        listener: called with each pass's name before it runs.
    """

    verifier: Verifier | None = None
    each: bool = True
    listener: Callable[[str], None] | None = None

    def run(self, model: ir.Model, passes: Iterable[Pass]) -> list[PassRun]:
        """Run passes on a model, in place.

        Raises:
            VerificationError: a pass changed what the network computes; names the pass and the
                first tensor that differs.
        """
        runs: list[PassRun] = []
        todo = list(passes)
        for index, step in enumerate(todo):
            if self.listener is not None:
                self.listener(step.name)
            start = time.perf_counter()
            step.requires(model)
            changed = step(model).modified
            step.ensures(model)
            seconds = time.perf_counter() - start
            last = index == len(todo) - 1
            verified = self.verifier is not None and ((self.each and changed) or last)
            if verified:
                self._verify(model, step.name)
            runs.append(PassRun(step.name, seconds, changed, verified, tuple(step.reasons)))
        return runs

    def _verify(self, model: ir.Model, name: str) -> None:
        assert self.verifier is not None
        outcome = self.verifier.check(model)
        if outcome.mismatches:
            raise VerificationError(f"behind pass {name}, {describe(outcome)}")


def describe(outcome: Outcome) -> str:
    """The first mismatch in one sentence."""
    first = outcome.first
    if first is None:
        return f"{outcome.mismatches} elements differ from the golden graph"
    return (
        f"tensor {quote(first.tensor)} differs from the golden {quote(first.golden)}: sample "
        f"{first.sample}, element {first.element} is {first.found:g} and should be "
        f"{first.expected:g} ({outcome.mismatches} elements differ)"
    )
