# SPDX-License-Identifier: Apache-2.0
"""What a pass is.

A pass changes a model in place. It has a kebab-case name, a one-line docstring, options that are
dataclass fields, checks before and after, and it says why it left alone each site that it looked at
without changing it. Its cost is linear in the graph. docs/writing-a-pass.md has the rules.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir
from onnx_ir.passes import InPlacePass, PassResult

from qnnc.compiler.ir.facts import set_reason, set_remedy, sources


@dataclass(frozen=True)
class Reason:
    """Why a pass left a node as it is.

    Attributes:
        node: name of the node.
        sources: nodes of the user's model that it comes from.
        text: the reason, one sentence, with what would help.
        remedy: what would help, where the text does not say so.
    """

    node: str
    sources: tuple[str, ...]
    text: str
    remedy: str = ""


class Pass(InPlacePass):
    """Base of all passes; subclasses are dataclasses and implement `run`."""

    name: ClassVar[str]
    folds: ClassVar[str] = "nothing depends on it any more"
    """Why a node of the user's model may vanish in it."""

    @property
    def reasons(self) -> list[Reason]:
        """Reasons given in the last run."""
        if not hasattr(self, "_reasons"):  # subclasses are dataclasses, without super().__init__
            self._reasons: list[Reason] = []
        return self._reasons

    def leave(self, node: ir.Node, text: str, remedy: str = "") -> None:
        """Record why `node` stays as it is, and what would help."""
        set_reason(node, text)
        set_remedy(node, remedy)
        self.reasons.append(Reason(node.name or node.op_type, sources(node), text, remedy))

    @abstractmethod
    def run(self, model: ir.Model) -> bool:
        """Do the work; returns whether anything changed."""

    def call(self, model: ir.Model) -> PassResult:
        self.reasons.clear()
        return PassResult(model, self.run(model))

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (cls.__doc__ or "").strip().splitlines()[0]
