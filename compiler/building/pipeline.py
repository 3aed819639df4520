# SPDX-License-Identifier: Apache-2.0
"""The passes of a build, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, astuple
from pathlib import Path

import onnx_ir as ir

from qnnc.compiler.board import Board
from qnnc.compiler.building.options import BuildOptions
from qnnc.compiler.dataflow.legality import check_dataflow
from qnnc.compiler.errors import OptionError
from qnnc.compiler.ir.saved import load_ir
from qnnc.compiler.passes.absorb_tails import AbsorbTails
from qnnc.compiler.passes.absorb_top_k import AbsorbTopK
from qnnc.compiler.passes.append_top_k import AppendTopK
from qnnc.compiler.passes.base import Pass
from qnnc.compiler.passes.check_model import CheckModel
from qnnc.compiler.passes.choose_backend import ChooseBackend
from qnnc.compiler.passes.declare_input import DeclareInput
from qnnc.compiler.passes.expand_quantizers import ExpandQuantizers
from qnnc.compiler.passes.fit_budget import FitBudget
from qnnc.compiler.passes.fold_constants import FoldConstants
from qnnc.compiler.passes.hoist_quantizers import HoistQuantizers
from qnnc.compiler.passes.host_boundary import HostBoundary
from qnnc.compiler.passes.infer_shapes import InferShapes
from qnnc.compiler.passes.insert_duplicates import InsertDuplicates
from qnnc.compiler.passes.insert_fifos import InsertFifos
from qnnc.compiler.passes.insert_width_converters import InsertWidthConverters
from qnnc.compiler.passes.integer_states import IntegerStates
from qnnc.compiler.passes.manager import PassManager
from qnnc.compiler.passes.merge_thresholds import MergeThresholds
from qnnc.compiler.passes.minimize_widths import MinimizeWidths
from qnnc.compiler.passes.remove_channels import RemoveChannels
from qnnc.compiler.passes.scaled_integer import ScaledInteger
from qnnc.compiler.passes.set_folding import NOTHING, SetFolding
from qnnc.compiler.passes.split_residuals import SplitResiduals
from qnnc.compiler.passes.text import check_name, parse_pipeline
from qnnc.compiler.passes.tidy import Tidy
from qnnc.compiler.passes.to_dataflow import ToDataflow
from qnnc.compiler.resources import Resources


def declaring_passes(options: BuildOptions) -> list[Pass]:
    """What makes the golden graph of an imported model: shapes, the real input, labels."""
    return [
        CheckModel(),
        InferShapes(),
        DeclareInput(options.input_type, options.input_scale, options.input_name),
        AppendTopK(options.top_k),
        InferShapes(),
    ]


def lowering_passes(options: BuildOptions) -> list[Pass]:
    """From the golden graph to dataflow nodes."""
    return [
        Tidy(),
        FoldConstants(),
        InferShapes(),
        HoistQuantizers(),
        SplitResiduals(),
        ExpandQuantizers(),
        FoldConstants(),
        IntegerStates(),
        ScaledInteger(),
        AbsorbTails(),
        MergeThresholds(),
        AbsorbTopK(),
        HostBoundary(options.host_layers),
        ToDataflow(),
        InsertDuplicates(),
        MinimizeWidths(),
        # what is updatable keeps its shape, whatever the weights
        *([] if options.updatable else [RemoveChannels()]),
    ]


def folding_passes(
    options: BuildOptions, board: Board, kept_free: Resources = NOTHING
) -> list[Pass]:
    """From dataflow nodes to a folded accelerator, with some of the budget kept free."""
    device = board.resources
    clock_mhz = board.clock(options.asked_mhz)
    memory = board.memory(clock_mhz)
    folding = SetFolding(
        fps=options.fps or 0,
        clock_mhz=clock_mhz,
        budget=options.share,
        LUT=device.LUT,
        FF=device.FF,
        BRAM18=device.BRAM18,
        DSP=device.DSP,
        external_weights=options.external_weights,
        batch=options.batch,
        bytes_per_cycle=memory.rate,
        port_bytes_per_cycle=memory.port_rate,
        memory_ports=memory.ports,
        folding="" if options.folding is None else str(options.folding),
        settings=options.settings,
        updatable=options.updatable,
        kept_free=astuple(kept_free),
    )
    return [
        folding,
        InsertWidthConverters(),
        InsertFifos(),
        FitBudget(**asdict(folding)),
        ChooseBackend(options.backend),
    ]


def compiling_passes(
    options: BuildOptions, board: Board, kept_free: Resources = NOTHING
) -> list[Pass]:
    """Everything from the golden graph to a folded accelerator, as the options want it, with some
    of the budget kept free.

    Raises:
        OptionError: `passes` or `stop_after` names a pass that there is not.
    """
    standard = [*lowering_passes(options), *folding_passes(options, board, kept_free)]
    passes = parse_pipeline(options.passes, standard) if options.passes else standard
    if options.stop_after:
        check_name(options.stop_after, passes, "--stop-after")
        names = [step.name for step in passes]
        passes = passes[: names.index(options.stop_after) + 1]
    return passes


def resumed(
    path: Path, manager: PassManager, passes: Sequence[Pass]
) -> tuple[ir.Model, list[Pass]]:
    """A saved IR, and the passes that it has not been through.

    Args:
        manager: has run the declaring passes; takes on the names of the others.
        passes: the whole pipeline after those.

    Raises:
        OptionError: the IR has been through other passes.
    """
    model, done = load_ir(path)
    check_dataflow(model)
    whole = [*manager.done, *(step.name for step in passes)]
    if len(done) < len(manager.done):
        raise OptionError(f"{path} was saved before its input was declared; start from the model")
    if done != whole[: len(done)]:
        raise OptionError(
            f"{path} was saved after {','.join(done)}, which is not how this build's passes "
            "begin; give the --passes that it was saved with"
        )
    rest = list(passes[len(done) - len(manager.done) :])
    manager.done[:] = done
    return model, rest
