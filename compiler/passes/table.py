# SPDX-License-Identifier: Apache-2.0
"""The passes that come with qnnc; `building/pipeline.py` has the order in which they run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PASSES: Final[Mapping[str, str]] = {
    "check-model": "qnnc.compiler.passes.check_model:CheckModel",
    "declare-input": "qnnc.compiler.passes.declare_input:DeclareInput",
    "append-top-k": "qnnc.compiler.passes.append_top_k:AppendTopK",
    "infer-shapes": "qnnc.compiler.passes.infer_shapes:InferShapes",
    "tidy": "qnnc.compiler.passes.tidy:Tidy",
    "fold-constants": "qnnc.compiler.passes.fold_constants:FoldConstants",
    "hoist-quantizers": "qnnc.compiler.passes.hoist_quantizers:HoistQuantizers",
    "split-residuals": "qnnc.compiler.passes.split_residuals:SplitResiduals",
    "expand-quantizers": "qnnc.compiler.passes.expand_quantizers:ExpandQuantizers",
    "integer-states": "qnnc.compiler.passes.integer_states:IntegerStates",
    "scaled-integer": "qnnc.compiler.passes.scaled_integer:ScaledInteger",
    "absorb-tails": "qnnc.compiler.passes.absorb_tails:AbsorbTails",
    "merge-thresholds": "qnnc.compiler.passes.merge_thresholds:MergeThresholds",
    "absorb-top-k": "qnnc.compiler.passes.absorb_top_k:AbsorbTopK",
    "host-boundary": "qnnc.compiler.passes.host_boundary:HostBoundary",
    "to-dataflow": "qnnc.compiler.passes.to_dataflow:ToDataflow",
    "minimize-widths": "qnnc.compiler.passes.minimize_widths:MinimizeWidths",
    "remove-channels": "qnnc.compiler.passes.remove_channels:RemoveChannels",
    "set-folding": "qnnc.compiler.passes.set_folding:SetFolding",
    "insert-width-converters": "qnnc.compiler.passes.insert_width_converters:InsertWidthConverters",
    "choose-backend": "qnnc.compiler.passes.choose_backend:ChooseBackend",
    "insert-duplicates": "qnnc.compiler.passes.insert_duplicates:InsertDuplicates",
    "insert-fifos": "qnnc.compiler.passes.insert_fifos:InsertFifos",
    "fit-budget": "qnnc.compiler.passes.fit_budget:FitBudget",
}
