# SPDX-License-Identifier: Apache-2.0
"""choose-backend: which backend makes each node."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from qnnc.compiler.dataflow import declaration, is_dataflow
from qnnc.compiler.dataflow.registry import lacks
from qnnc.compiler.errors import ModelError, OptionError, quote
from qnnc.compiler.ir.facts import sources
from qnnc.compiler.ir.operators.states import is_read, is_write
from qnnc.compiler.passes.base import Pass
from qnnc.compiler.plugins import close_matches

CHOICES = ("rtl", "hls", "auto")


@dataclass
class ChooseBackend(Pass):
    """Write each node's backend into preferred_impl_style, FINN's attribute for it.

    Options:
        choice: `rtl`, `hls` or `auto` for all nodes, then, after commas, exceptions such as
            `MVAU=hls` or `fc1=rtl`: an operator, a node of the user's model, or a dataflow node.
            `auto` is RTL where the operator has it, HLS otherwise.
    """

    name = "choose-backend"
    choice: str = "rtl"

    def run(self, model: ir.Model) -> bool:
        default, exceptions = parse(self.choice)
        unused = dict(exceptions)
        changed = False
        for node in model.graph:
            if not is_dataflow(node):
                continue
            names = [node.op_type, *sources(node), node.name or ""]
            style, by = default, node.op_type
            for name in names:  # the most particular comes last
                if name in exceptions:
                    style, by = exceptions[name], name
                    unused.pop(name, None)
            style = _resolved(node, style, f"--backend {self.choice},{by}")
            if style == "hls" and (is_read(node) or is_write(node)):
                raise ModelError(
                    f"node {quote(node.name)} is an end of a recurrence, which only the rtl "
                    f"backend makes; give --backend {self.choice},{by}=rtl"
                )
            if style == "hls" and declaration(node).weight_bytes(declaration(node).folding()):
                raise ModelError(
                    f"node {quote(node.name)} takes its weights from memory, which only the rtl "
                    "backend makes; leave out --external-weights and --batch, or give "
                    f"--backend {self.choice},{node.name}=rtl"
                )
            if style == "hls":
                node.attributes["preferred_impl_style"] = ir.AttrString(
                    "preferred_impl_style", style
                )
                changed = True
        if unused:
            known = sorted({n.op_type for n in model.graph if is_dataflow(n)})
            wrong = next(iter(unused))
            raise OptionError(
                f"--backend names {wrong!r}, which is neither an operator nor a node of the "
                f"accelerator"
                f"{close_matches(wrong, known)} (operators: {', '.join(known)})"
            )
        return changed


def parse(choice: str) -> tuple[str, dict[str, str]]:
    """The backend of all nodes, and exceptions by name; raises OptionError for anything else."""
    default, exceptions = "rtl", {}
    for part in choice.split(","):
        name, equals, style = part.strip().rpartition("=")
        if style not in CHOICES or (equals and not name):
            raise OptionError(
                f"--backend takes {', '.join(CHOICES)} and exceptions such as MVAU=hls, not "
                f"{part.strip()!r}{close_matches(style, list(CHOICES))}"
            )
        if equals:
            exceptions[name] = style
        else:
            default = style
    return default, exceptions


def _resolved(node: ir.Node, style: str, option: str) -> str:
    """`rtl` or `hls`, for a node that `option` chooses for."""
    if style == "auto":
        return "rtl" if not lacks(node.op_type, "rtl") else "hls"
    if lacks(node.op_type, style):
        raise ModelError(
            f"node {quote(node.name)}: the {style} backend has no {node.op_type}; choose the other "
            f"with {option}={'rtl' if style == 'hls' else 'hls'}"
        )
    return style
