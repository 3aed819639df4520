# SPDX-License-Identifier: Apache-2.0
"""FINN's folding_config.json: nodes by operator and number, as `MVAU_hls_0`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property

from qnnc.compiler.dataflow import DataflowNode, Role
from qnnc.compiler.dataflow.registry import facet, lacks, our_names, serving
from qnnc.compiler.errors import OptionError, quote
from qnnc.compiler.folding.settings import Setting
from qnnc.compiler.ir.facts import sources

NUMBERED = re.compile(r"(?P<op>[A-Za-z][A-Za-z0-9_]*?)(_Batch)?(_hls|_rtl)?_(?P<number>\d{1,6})")
OWN = frozenset({"PE", "SIMD", "ram_style", "resType"})
"""Attributes that mean the same to us."""
ANY = frozenset({"auto", ""})
"""Values that leave the choice open."""
LEFT_OUT = frozenset(
    {
        *("inFIFODepths", "outFIFODepths", "inFIFODepth", "outFIFODepth", "depth", "impl_style"),
        *("inputDataType", "outputDataType", "weightDataType", "partition_id", "slr", "device_id"),
        *("runtime_writeable_weights", "parallel_window", "mem_mode", "preferred_impl_style"),
        *("backend", "cpp_interface", "pumpedMemory", "pumpedCompute", "uram_style"),
        *("depth_trigger_uram", "depth_trigger_bram"),
    }
)
"""Attributes that qnnc decides otherwise, or has nothing for."""
ADDED = frozenset({"IODMA", "TLastMarker", "Reshape"})
"""FINN's operators around a network, which nothing of ours corresponds to."""
ALL = "all"


def _inserted() -> frozenset[str]:
    """Operators that either compiler inserts by itself, after folding."""
    return ADDED | {serving("waiting"), serving("width-conversion")}


class FinnNames:
    """Finds the node that one of FINN's names means, the n-th of its operator.

    Where a file has some in HLS and some in RTL, which FINN numbers apart, their order in the file
    counts: FINN writes them in the order of the network.

    Args:
        nodes: all of ours, in the order of the graph.
        settings: all that are asked for.
    """

    def __init__(self, nodes: Sequence[DataflowNode], settings: Iterable[Setting]) -> None:
        self._nodes = nodes
        self._names: dict[str, list[str]] = {}
        for setting in settings:
            operator = _operator(setting.name)
            if operator and setting.name not in self._names.setdefault(operator, []):
                self._names[operator].append(setting.name)

    def knows(self, name: str) -> bool:
        """Whether a name looks like one of FINN's."""
        return (_operator(name) or _base(name)) in {*self._operators, *_inserted(), ALL}

    def translated(self, setting: Setting) -> tuple[list[int], Setting, list[str]]:
        """The nodes that a setting is for, what is asked of them, and what is left out.

        Raises:
            OptionError: there are fewer such nodes.
        """
        ignored = [name for name in setting.values if name in LEFT_OUT]
        values = {
            name: value
            for name, value in setting.values.items()
            if name not in LEFT_OUT and not (name in OWN and value in ANY)
        }
        asked = replace(setting, values=values)
        operator = _operator(setting.name)
        if not operator:  # in FINN's defaults: all that have the attribute
            wanted = self._operators.get(_base(setting.name))
            places = [
                i
                for i, node in enumerate(self._nodes)
                if set(values) & set(node.folding_names())
                and (setting.name == ALL or node.op_type == wanted)
            ]
            return places, asked, ignored
        if operator in _inserted():
            return [], asked, [operator]
        return [self._place(setting, operator)], asked, ignored

    def _place(self, setting: Setting, operator: str) -> int:
        places, names = self._places(operator), self._names[operator]
        if len({name.rpartition("_")[0] for name in names}) > 1:
            number = names.index(setting.name)
            fits = len(names) == len(places)
        else:
            number = int(setting.name.rpartition("_")[2])
            fits = number < len(places)
        if not fits:
            raise OptionError(
                f"{setting.where} names {quote(setting.name)}, which is not clear: of its kind the "
                f"file has {len(names)} nodes and the network {len(places)}; name layers in its "
                "place"
            )
        return places[number]

    def _places(self, operator: str) -> list[int]:
        """Our nodes that FINN's operator is, in order. FINN's StreamingMaxPool has its window
        within."""
        places = [i for i, n in enumerate(self._nodes) if n.op_type == self._operators[operator]]
        if operator.startswith("ConvolutionInputGenerator") and "StreamingMaxPool" in self._names:
            pools = [set(sources(n.node)) for n in self._nodes if n.role is Role.POOL]
            layers = {i: set(sources(self._nodes[i].node)) for i in places}
            places = [i for i in places if not any(layers[i] <= pool for pool in pools)]
        return places

    @cached_property
    def _operators(self) -> dict[str, str]:
        """FINN's operators, of older versions too -> ours."""
        found = {}
        for name in our_names():
            readers = {} if lacks(name, "finn") else getattr(facet(name, "finn"), "READERS", {})
            found.update(dict.fromkeys(readers, name))
        return found


def _operator(name: str) -> str:
    """Operator of a numbered name; empty for any other."""
    found = NUMBERED.fullmatch(name)
    return found["op"] if found else ""


def _base(name: str) -> str:
    for suffix in ("_hls", "_rtl", "_Batch"):
        name = name.removesuffix(suffix)
    return name
