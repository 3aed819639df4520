# SPDX-License-Identifier: Apache-2.0
"""Frontends: what turns a user's model into the canonical IR.

The canonical IR is an onnx_ir model at opset 21 whose quantizers are QONNX's (`Quant`,
`BipolarQuant`, `Trunc` in the domain `qonnx.custom_op.general`), with static shapes, constants
as initializers that are not graph inputs, and every node named.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import onnx_ir as ir

from qnnc.compiler import plugins
from qnnc.compiler.errors import OptionError, PluginError

GROUP = "qnnc.frontends"


class Frontend(ABC):
    """Found through the entry-point group `qnnc.frontends`."""

    name: ClassVar[str]

    @abstractmethod
    def accepts(self, source: str) -> bool:
        """Whether this frontend is the one for `source`; cheap, and never raises."""

    @abstractmethod
    def load(self, source: str) -> ir.Model:
        """Read the model.

        Raises:
            ModelError: it cannot be read or cannot be brought to canonical form.
        """


def find_frontend(source: str, name: str | None = None) -> Frontend:
    """The frontend called `name`, or else the first that accepts `source`.

    Raises:
        OptionError: there is none.
        PluginError: the one asked for, or one that might have been it, is broken.
    """
    if name is not None:
        return _load(name)
    broken: PluginError | None = None
    for candidate in plugins.names(GROUP):
        try:
            frontend = _load(candidate)
        except PluginError as error:  # harms only models that no other takes
            broken = broken or error
            continue
        if frontend.accepts(source):
            return frontend
    if broken is not None:
        raise broken
    raise OptionError(
        f"no frontend knows what {source!r} is; choose one with --frontend "
        f"(installed: {', '.join(plugins.names(GROUP))})"
    )


def _load(name: str) -> Frontend:
    frontend = plugins.load_class(GROUP, name, "frontend")()
    if not isinstance(frontend, Frontend):
        raise PluginError(f"frontend {name!r} is no qnnc.compiler.frontend.Frontend")
    return frontend
