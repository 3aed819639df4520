# SPDX-License-Identifier: Apache-2.0
"""A trained network compiled by `qnnc`: its integers, whether it fits, how fast it is."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from qnnc.compiler import build, verify
from qnnc.compiler.building.workspace import MODEL, STOPPED
from qnnc.compiler.errors import TargetError
from qnnc.compiler.files import write_bytes
from qnnc.compiler.report import MEMORY, Report
from qnnc.compiler.resources import RESOURCE_NAMES
from qnnc.explore.data import Images
from qnnc.explore.energy import Product, frame_uj
from qnnc.explore.study import Network, Study, Widths

INPUT: dict[str, Any] = {"input_type": "uint8", "input_scale": "1/255", "top_k": 1}
"""Images come as bytes, labels are the answer."""
INTEGERS = "minimize-widths"
"""The last pass before those that depend on the board."""


def write_samples(images: Images, folder: Path) -> tuple[Path, Path]:
    """Test images and labels as files, for `qnnc`; returns their paths."""
    paths = folder / "test-images.npy", folder / "test-labels.npy"
    for path, array in zip(paths, (images.test, images.test_labels), strict=True):
        if not path.exists():
            write_bytes(path, npy(array))
    return paths


def npy(array: Any) -> bytes:
    """An array as the contents of an .npy file."""
    import io

    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def compile_integers(network: Path, out: Path, samples: tuple[Path, Path]) -> dict[str, Any]:
    """Compile a network as far as its integers go, and label the test images with them.

    Returns:
        error in percent, and on how many images the label differs from the quantized network's.
    """
    build(network, out=out, stop_after=INTEGERS, samples=samples[0], verify="ends", **INPUT)
    verdict = verify(out, *samples)
    assert verdict.correct is not None
    return {
        "error": 100 * (1 - verdict.correct / verdict.samples),
        "labels_differ": verdict.samples - verdict.same,
    }


def hardware(
    study: Study, widths: Widths, network: Path, compiled: Path, samples: Path
) -> dict[str, Any]:
    """Build a network twice: at the study's frames/s with its weights on a chip without limits,
    so that resources can be compared, and as fast as fits the study's board.

    Args:
        network: the trained network's file.
        compiled: where `compile_integers` has compiled it; builds go beside it.
        samples: file of the images that are compared.

    Returns:
        Figures of both builds ("same_speed", "fastest"): whether it fits and, where it does not,
        the reason; frames/s, cycles, latency (a sum over layers, as each waits for the one
        before), resources as estimated and, if asked for, as synthesised.
    """
    plan = study.hardware
    whole = widths.name in plan.synthesize
    goals: dict[str, dict[str, Any]] = {
        "same_speed": {"fps": plan.fps, "budget": math.inf, "until": "estimate"},
        "fastest": {
            "budget": plan.budget,
            "batch": plan.batch,
            "until": "synthesize" if whole else "estimate",
        },
    }
    built: dict[str, Any] = {}
    for name, goal in goals.items():
        try:
            report = build(
                network,
                out=compiled.with_name(name),
                start_from=compiled / MODEL / STOPPED,
                board=plan.board,
                samples=samples,
                verify="ends",
                frames=plan.frames,
                **goal,
                **INPUT,
            )
        except TargetError as error:
            built[name] = {"fits": False, "reason": str(error)}
            continue
        built[name] = _figures(report, study.network, widths)
    return built


def _figures(report: Report, network: Network, widths: Widths) -> dict[str, Any]:
    assert report.performance is not None and report.resources is not None
    estimate, synthesis = report.resources.estimate, report.resources.synthesis
    layers = report.layers
    slowest = max(layers, key=lambda layer: layer.cycles)
    speed = report.performance
    latency = speed.latency_cycles or sum(layer.cycles for layer in layers)
    levels = {level.level: level for level in report.verification.levels}
    budget = report.resources.budget  # without limit, the board
    shares = {n: getattr(estimate, n) / max(1, getattr(budget, n)) for n in RESOURCE_NAMES}
    shares[MEMORY] = speed.memory_cycles / speed.ii_cycles_estimate
    return {
        "fits": not any(shares[name] > 1 for name in RESOURCE_NAMES),
        "fps": speed.fps,
        "cycles": speed.ii_cycles or speed.ii_cycles_estimate,
        "latency_us": latency / report.clock_mhz,
        "slowest": slowest.name,
        "limit": max(shares, key=lambda name: shares[name]),
        "estimate": estimate.model_dump(),
        "synthesis": synthesis.model_dump() if synthesis else None,
        "dataflow_samples": levels["dataflow"].samples,
        "dataflow_mismatches": levels["dataflow"].mismatches,
        "near_ties": report.verification.near_ties,
        "rtl_frames": levels["rtl"].samples if "rtl" in levels else 0,
        "rtl_mismatches": levels["rtl"].mismatches if "rtl" in levels else None,
        "memory_bytes": speed.memory_bytes,
        "memory_ports": speed.memory_ports,
        "weights": "+".join(sorted({layer.weights for layer in layers if layer.weights})),
        "energy_uj": frame_uj(_products(network, widths, report)),
    }


def _products(network: Network, widths: Widths, report: Report | None = None) -> list[Product]:
    """The linear layers; with a report, those with weights from DDR are marked."""
    sizes = (network.inputs, *network.hidden, network.classes)
    outside = [layer.memory_bytes * 8 for layer in report.layers if layer.weights] if report else []
    outside += [0.0] * (len(sizes) - 1 - len(outside))
    parts = (sizes[:-1], sizes[1:], widths.weights, widths.activations, outside)
    return [Product(*values) for values in zip(*parts, strict=True)]


def compression(network: Network, widths: Widths) -> float:
    """Bits of the weights in float32 over their bits in the network's formats."""
    layers = _products(network, widths)
    before = sum(32 * layer.inputs * layer.outputs for layer in layers)
    return before / sum(layer.weight_bits * layer.inputs * layer.outputs for layer in layers)
