# SPDX-License-Identifier: Apache-2.0
"""FINN's graphs: dataflow nodes of any of its versions, or thresholds before conversion."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx_ir as ir

from qnnc.compiler.frontend import Frontend
from qnnc.frontends.finn.convert import converted
from qnnc.frontends.finn.graph import inlined
from qnnc.frontends.onnx_file import read_proto
from qnnc.frontends.qonnx import from_proto


class FinnFrontend(Frontend):
    """Reads FINN's ONNX files; chosen by name only, as QONNX files end in .onnx too."""

    name = "finn"

    def accepts(self, source: str) -> bool:
        return False

    def load(self, source: str) -> ir.Model:
        return from_finn(read_proto(source), Path(source).parent)


def from_finn(proto: onnx.ModelProto, folder: Path) -> ir.Model:
    """Canonical IR of a FINN model in memory.

    Args:
        folder: where the models of its partitions lie.

    Raises:
        ModelError: an operator is unknown, or the graph is not what FINN writes.
    """
    return from_proto(converted(inlined(proto, folder)))
