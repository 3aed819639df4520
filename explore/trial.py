# SPDX-License-Identifier: Apache-2.0
"""One network of a study, from training to figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qnnc import __version__
from qnnc.compiler.files import remove
from qnnc.explore.data import Images
from qnnc.explore.hardware import compile_integers, compression, hardware, write_samples
from qnnc.explore.study import Point, Study


def run_trial(
    study: Study,
    point: Point,
    images: Images,
    folder: Path,
    notify: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Train a network, compile it after each of the study's epoch counts, and build the last if
    its seed is the study's first.

    Args:
        folder: of the study; this network's files go to `trials/NAME`.
        notify: called with what is being done.

    Returns:
        What results.csv and the report are made of, as JSON values.

    Raises:
        QnncError: the network cannot be trained or compiled; not fitting the board is a result.
    """
    from qnnc.explore.training.milestones import milestones, network_file

    name, widths = point.name, point.widths
    own = folder / "trials" / name
    samples = write_samples(images, folder)
    last = study.training.epochs[-1]
    reached = milestones(
        study.with_seed(point.seed),
        widths,
        images,
        own,
        lambda epoch: notify(f"{name}: epoch {epoch} of {last}"),
    )
    by_epoch: dict[str, dict[str, Any]] = {}
    compiled = own / "build" / "compiled"
    for milestone in reached:
        notify(f"{name}: compiling epoch {milestone.epochs}")
        answers = compile_integers(network_file(own, milestone.epochs), compiled, samples)
        training = {
            "training_seconds": milestone.training_seconds,
            "selected_epoch": milestone.selected,
            "validation_error": milestone.validation_error,
        }
        by_epoch[str(milestone.epochs)] = answers | training | milestone.robustness
    built: dict[str, Any] = {}
    if point.seed == point.first:
        notify(f"{name}: building for {study.hardware.board}")
        built = hardware(study, widths, network_file(own, last), compiled, samples[0])
    remove(own / "checkpoint.pt")
    return {
        "name": widths.name,
        "weights": list(widths.weights),
        "activations": list(widths.activations),
        "data": images.source,
        "version": __version__,
        "seed": point.seed,
        "train_images": len(images.train),
        "test_images": len(images.test),
        "device": reached[-1].device,
        "compression": compression(study.network, widths),
        "epochs": by_epoch,
        **built,
    }
