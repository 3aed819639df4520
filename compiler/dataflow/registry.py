# SPDX-License-Identifier: Apache-2.0
"""Where everything about a dataflow node is found: the folder of its operator, one file per facet.

Other packages bring nodes in the entry-point group `qnnc.nodes`: the operator's name, and the
package that is its folder. This is the one place at which the compiler reaches nodes, and it
imports a facet only when that is asked for.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from qnnc.compiler.errors import PluginError, QnncError
from qnnc.compiler.plugins import Table
from qnnc.nodes.table import NODES
from qnnc.nodes.table import Purpose as Purpose

_NODES = Table("dataflow node", "qnnc.nodes", {op: line.folder for op, line in NODES.items()})


def node_names() -> list[str]:
    """Operators of all installed nodes, sorted."""
    return _NODES.names()


def serving(purpose: Purpose) -> str:
    """The operator that the compiler puts in for a purpose."""
    return next(op_type for op_type, line in NODES.items() if line.serves == purpose)


def our_names() -> list[str]:
    """Operators of the nodes that come with qnnc."""
    return list(NODES)


def foreign_names() -> list[str]:
    """Operators of other packages' nodes, sorted."""
    return [name for name in node_names() if name not in NODES]


@cache
def facet(op_type: str, name: str) -> ModuleType:
    """The module of a node's facet: `node`, `lower`, `rtl`, `hls` or `finn`.

    Raises:
        OptionError: no installed package has the node.
        PluginError: the node lacks the facet, or it cannot be imported.
    """
    package, where = _NODES.find(op_type)
    missing = lacks(op_type, name)
    if missing:
        raise PluginError(
            f"dataflow node {op_type!r} of package {package} has no {name}: {missing}"
        )
    try:
        return import_module(f"{where}.{name}")
    except Exception as error:  # whatever a plug-in does at import
        reason = str(error) if isinstance(error, QnncError) else repr(error)
        raise PluginError(
            f"dataflow node {op_type!r} of package {package} cannot be loaded: {reason}"
        ) from error


@cache
def lacks(op_type: str, name: str) -> str:
    """Why a node does without a facet; empty if it has it.

    Raises:
        PluginError: its package cannot be imported.
    """
    if op_type not in node_names():
        return "no installed package has the node"
    package, where = _NODES.find(op_type)
    try:
        if find_spec(f"{where}.{name}") is not None:
            return ""
        reasons = getattr(import_module(where), "LACKS", {})
    except Exception as error:  # whatever a plug-in does at import
        raise PluginError(
            f"dataflow node {op_type!r} of package {package} cannot be loaded: {error!r}"
        ) from error
    return str(reasons.get(name, f"there is no {where}.{name}"))
