# SPDX-License-Identifier: Apache-2.0
"""synthesize: what the accelerator takes of the chip."""

from __future__ import annotations

from qnnc.backends.rtl.stages.clock import find_clock
from qnnc.backends.rtl.stages.rtl import NO_DESIGN, design_of, has_design
from qnnc.backends.synthesis import synthesize
from qnnc.compiler.building.backend import OverBudget, Stage, StageOutcome
from qnnc.compiler.building.build import Build
from qnnc.compiler.building.options import AUTO
from qnnc.compiler.report import ResourceCount
from qnnc.compiler.resources import Resources


class SynthesizeStage(Stage):
    """Yosys synthesis, node by node, from the cache where a node has not changed."""

    name = "synthesize"
    after = "simulate"
    finds_clock = True

    def run(self, build: Build) -> StageOutcome:
        if not has_design(build):
            if build.options.clock_mhz == AUTO:
                build.warn(f"without RTL the clock stays at {build.clock_mhz:.6g} MHz")
            return NO_DESIGN
        design = design_of(build)
        build.progress.detail(f"synthesising {len(design.modules)} distinct nodes")
        result = synthesize(
            design,
            build.options.cache,
            build.options.jobs,
            lambda done, of: build.progress.detail("synthesising", done / of),
        )
        for layer, node in zip(build.layers, result.nodes, strict=True):
            layer.synthesis = ResourceCount.of(node.resources)
        assert build.resources is not None
        build.resources.synthesis = ResourceCount.of(result.total)
        check_budget(build, result.total)
        find_clock(build, design, result)
        fresh = sum(not node.cached for node in result.nodes)
        if fresh == 0:
            return StageOutcome("cached", "no node has changed")
        return StageOutcome(reason=f"{fresh} of {len(result.nodes)} nodes anew")


def check_budget(build: Build, total: Resources) -> None:
    """Raise OverBudget if an accelerator takes more than its budget, or than the board has."""
    assert build.resources is not None
    allowed = Resources(**build.resources.budget.model_dump())
    over = total.exceeding(allowed)
    if not over:
        return
    taken, limit = total.as_dict(), allowed.as_dict()
    counts = " and ".join(f"{taken[n]:,.0f} {n} of the budget of {limit[n]:,.0f}" for n in over)
    more = f" or for more of {build.board.name} (--budget)" if build.options.share < 1 else ""
    raise OverBudget(
        f"as synthesised the accelerator takes {counts}; ask for fewer frames/s (--fps){more}",
        total.less(allowed),
    )
