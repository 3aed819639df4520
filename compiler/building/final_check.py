# SPDX-License-Identifier: Apache-2.0
"""The comparison at the end of the passes: a user's samples (or random ones), then corner samples
that cover what those have not; and the integers that later stages are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.dataflow.stream_graph import stream_graph
from qnnc.compiler.errors import quote
from qnnc.compiler.frontend import Witness
from qnnc.compiler.passes.declare_input import parse_scale
from qnnc.compiler.passes.manager import describe
from qnnc.compiler.report import CoverageReport, LevelReport, WitnessReport
from qnnc.compiler.verification import (
    Coverage,
    Figures,
    Golden,
    Outcome,
    Verifier,
    corner_samples,
)
from qnnc.compiler.verification.verifier import elements
from qnnc.compiler.verification.witness import hear

if TYPE_CHECKING:
    from qnnc.compiler.building.build import Build

SIMULATED_SAMPLES = 64
"""Samples whose integers are kept for simulating the hardware, unless more are asked for."""
KEPT = 1 << 25
"""Elements of all streams and samples together that are kept, unless more are asked for."""
EVERY = 3
"""Among the first samples, which the hardware is simulated with, each third is a corner sample."""


def verify_whole(build: Build, model: ir.Model, golden: Golden) -> None:
    """Compare the dataflow graph on all samples, and keep its integers for later stages.

    Raises:
        VerificationError: it differs from the golden graph, or an integer leaves its range.
    """
    build.progress.detail("verifying the dataflow graph")
    graph = stream_graph(model)
    streams = list(dict.fromkeys(edge.value for edge in (*graph.edges, *graph.feedback)))
    most = min(SIMULATED_SAMPLES, max(4, KEPT // max(1, elements(streams))))
    most = build.options.frames or most
    coverage = build.coverage = Coverage(model)
    given = Verifier(golden, build.inputs)
    build.corners = np.zeros(given.samples, dtype=bool)
    outcome, tensors = given.check_and_keep(model, streams, most, coverage)
    detail = describe(outcome) if outcome.mismatches else ""
    added, corners = Outcome(0), {}
    if build.options.verify != "none" and not outcome.mismatches:
        build.progress.detail("looking for corner samples")
        corners = corner_samples(model, build.inputs, coverage)
        count = len(next(iter(corners.values())))
        if count:
            build.progress.detail("verifying the dataflow graph on corner samples")
            more = Verifier(golden, corners)
            build.corners = _places(given.samples, count)
            first = build.corners[:most]
            added, extremes = more.check_and_keep(model, streams, int(first.sum()), coverage)
            detail = f"corner samples: {describe(added)}" if added.mismatches else detail
            for name in list(tensors):  # one by one: all of them twice would be the peak of a build
                tensors[name] = _mixed(tensors.pop(name), extremes.pop(name), first)
            build.inputs = {
                n: _mixed(array, corners[n], build.corners) for n, array in build.inputs.items()
            }
    build.tensors = tensors
    whole = outcome.followed_by(added)
    build.verified(
        LevelReport(
            level="dataflow",
            samples=whole.samples,
            corner_samples=added.samples,
            mismatches=whole.mismatches,
            near_ties=whole.near_ties,
            tensors=whole.tensors,
            engine="onnxruntime",
            random_inputs=build.random,
            detail=detail,
        ),
        "the dataflow graph differs",
    )


def compare_with_module(build: Build, witness: Witness, imported: Golden) -> None:
    """Compare the network as it was imported with the module that it was exported from; a
    difference is the exporter's, and no reason to stop.

    Args:
        imported: golden graph of the model before its input was declared.
    """
    if len(build.inputs) != 1:
        return
    build.progress.detail("running the module itself")
    options, samples = build.options, next(iter(build.inputs.values()))
    if options.input_type and options.input_type.lower() == "bipolar":
        samples = np.where(samples >= 0, 1, -1).astype(np.float32)
    if options.input_type:
        numerator, denominator = parse_scale(options.input_scale)
        samples = samples * np.float32(numerator) / np.float32(denominator)
    found = hear(witness, imported, samples)
    if found is None:
        return
    build.witness = WitnessReport(
        samples=found.samples,
        elements=found.elements,
        differ=found.differ,
        largest=round(found.largest, 6),
        layer=found.layer,
    )
    if found.differ:
        where = f", from layer {quote(found.layer)} on" if found.layer else ""
        build.warn(
            f"the exported network is not quite the module: {found.differ} of {found.elements} "
            f"outputs differ by up to {100 * found.largest:.2g} % of the largest{where}; the "
            "accelerator computes what was exported"
        )


def _places(given: int, corners: int) -> NDArray[np.bool_]:
    """Which of all samples are corner samples."""
    found = np.zeros(given + corners, dtype=bool)
    found[1::EVERY] = True
    found[np.flatnonzero(found)[corners:]] = False
    found[np.flatnonzero(~found)[given:]] = True  # where there are more of them than of others
    return found


def _mixed(
    given: NDArray[Any], corners: NDArray[Any], is_corner: NDArray[np.bool_]
) -> NDArray[Any]:
    """The first of either in the places meant for them, along the first axis."""
    mixed = np.empty((len(is_corner), *given.shape[1:]), given.dtype)
    count = int(is_corner.sum())
    mixed[is_corner] = corners[:count]
    mixed[~is_corner] = given[: len(is_corner) - count]
    return mixed


def coverage_report(figures: Figures, table: str = "") -> CoverageReport:
    """Figures of coverage for the report.

    Args:
        table: how a layer's table was read off the network, if it has one.
    """
    return CoverageReport(
        thresholds=figures.thresholds,
        crossed=figures.crossed,
        ends=figures.ends,
        ends_reached=figures.ends_reached,
        range_seen=round(figures.range_seen, 4),
        table=table or None,  # type: ignore[arg-type]
    )
