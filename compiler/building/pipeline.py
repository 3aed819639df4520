# SPDX-License-Identifier: Apache-2.0
"""The passes of a build, in order."""

from __future__ import annotations

from qnnc.compiler.board import Board
from qnnc.compiler.building.options import BuildOptions
from qnnc.compiler.passes.absorb_tails import AbsorbTails
from qnnc.compiler.passes.absorb_top_k import AbsorbTopK
from qnnc.compiler.passes.append_top_k import AppendTopK
from qnnc.compiler.passes.base import Pass
from qnnc.compiler.passes.check_model import CheckModel
from qnnc.compiler.passes.choose_backend import ChooseBackend
from qnnc.compiler.passes.declare_input import DeclareInput
from qnnc.compiler.passes.expand_quantizers import ExpandQuantizers
from qnnc.compiler.passes.fold_constants import FoldConstants
from qnnc.compiler.passes.host_boundary import HostBoundary
from qnnc.compiler.passes.infer_shapes import InferShapes
from qnnc.compiler.passes.insert_duplicates import InsertDuplicates
from qnnc.compiler.passes.insert_fifos import InsertFifos
from qnnc.compiler.passes.insert_width_converters import InsertWidthConverters
from qnnc.compiler.passes.merge_thresholds import MergeThresholds
from qnnc.compiler.passes.minimize_widths import MinimizeWidths
from qnnc.compiler.passes.scaled_integer import ScaledInteger
from qnnc.compiler.passes.set_folding import SetFolding
from qnnc.compiler.passes.tidy import Tidy
from qnnc.compiler.passes.to_dataflow import ToDataflow


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
        ExpandQuantizers(),
        FoldConstants(),
        ScaledInteger(),
        AbsorbTails(),
        MergeThresholds(),
        AbsorbTopK(),
        HostBoundary(options.host_layers),
        ToDataflow(),
        InsertDuplicates(),
        MinimizeWidths(),
    ]


def folding_passes(options: BuildOptions, board: Board) -> list[Pass]:
    """From dataflow nodes to a folded accelerator."""
    device = board.resources
    return [
        SetFolding(
            fps=options.fps or 0,
            clock_mhz=options.clock_mhz or board.clock_mhz,
            budget=options.share,
            LUT=device.LUT,
            FF=device.FF,
            BRAM18=device.BRAM18,
            DSP=device.DSP,
        ),
        InsertWidthConverters(),
        InsertFifos(),
        ChooseBackend(options.backend),
    ]
