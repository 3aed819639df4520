# SPDX-License-Identifier: Apache-2.0
"""Running any passes on any model, outside a build."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx_ir as ir
from google.protobuf.message import DecodeError

from qnnc.compiler.board import find_board
from qnnc.compiler.building.options import BuildOptions
from qnnc.compiler.building.pipeline import declaring_passes, folding_passes, lowering_passes
from qnnc.compiler.building.samples import load_inputs, random_inputs
from qnnc.compiler.collector import patient_collector
from qnnc.compiler.dataflow.legality import check_dataflow
from qnnc.compiler.frontend import load_model
from qnnc.compiler.ir.facts import name_sources
from qnnc.compiler.ir.saved import blaming, is_saved, load_ir
from qnnc.compiler.passes.base import Pass
from qnnc.compiler.passes.manager import PassManager, Watcher
from qnnc.compiler.passes.text import parse_pipeline
from qnnc.compiler.strict import strict_numbers
from qnnc.compiler.verification import Golden, Verifier

SAMPLES = 8


@dataclass(frozen=True)
class Imported:
    """A model as it comes in.

    Attributes:
        model: the IR: of an imported model with its input declared, or one that was saved.
        golden: what it has to stay equal to; None for a saved IR, which has lost that.
        manager: has run the declaring passes.
    """

    model: ir.Model
    golden: Golden | None
    manager: PassManager


def standard_passes(options: BuildOptions) -> list[Pass]:
    """The passes of a build after the declaring ones."""
    return [*lowering_passes(options), *folding_passes(options, find_board(options.board))]


@patient_collector()
@strict_numbers("the import")
def import_model(
    options: BuildOptions,
    watchers: Sequence[Watcher] = (),
    *,
    golden: bool = True,
    start: Callable[[ir.Model], None] | None = None,
) -> Imported:
    """Read a model through its frontend and declare its input, or read a saved IR.

    Args:
        golden: keep the golden graph.
        start: sees the model before its first pass.

    Raises:
        QnncError: as the frontend and the declaring passes do.
    """
    manager = PassManager(watchers=watchers)
    if _is_ir(options.model):
        model, manager.done = load_ir(Path(options.model))
        check_dataflow(model)
        if start is not None:
            start(model)
        return Imported(model, None, manager)
    model = load_model(options.model, options.frontend, options.load_settings())
    name_sources(model)
    if start is not None:
        start(model)
    manager.run(model, declaring_passes(options))
    return Imported(model, Golden(model) if golden else None, manager)


@patient_collector()
@strict_numbers("verification")
def optimize(options: BuildOptions, watchers: Sequence[Watcher] = ()) -> Imported:
    """Run `options.passes` on a model, compared with its golden graph as `options.verify` says.

    A saved IR is not compared: its golden graph is not in it.

    Raises:
        QnncError: an unknown pass, or what the passes raise.
    """
    passes = parse_pipeline(options.passes, standard_passes(options))
    imported = import_model(options, watchers)
    manager = imported.manager
    if imported.golden is not None and options.verify != "none":
        if options.samples is not None:
            inputs = load_inputs(imported.model, options.samples)
        else:
            inputs = random_inputs(imported.model, imported.golden, SAMPLES)
        few = {name: array[:SAMPLES] for name, array in inputs.items()}
        manager.verifier = Verifier(imported.golden, few)
        manager.each = options.verify == "each"
    with blaming(None if imported.golden is not None else Path(options.model)):
        manager.run(imported.model, passes)
    return imported


def _is_ir(source: str) -> bool:
    """Whether a file is a saved IR; anything else is for a frontend to judge."""
    try:
        data = Path(source).read_bytes()
        proto = onnx.ModelProto.FromString(data)
    except (OSError, ValueError, DecodeError, RuntimeError):
        return False
    return is_saved(proto)
