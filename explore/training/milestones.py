# SPDX-License-Identifier: Apache-2.0
"""A network trained to each of a study's epoch counts, and what is left of it on disk.

At each count the network is exported as QONNX, and a small JSON file says what was measured. A
count whose two files are there is not trained for again.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, field
from pathlib import Path

from qnnc.compiler.files import write_bytes, write_text
from qnnc.explore.data import Images
from qnnc.explore.study import Study, Widths
from qnnc.explore.training.attacks import robustness
from qnnc.explore.training.network import export
from qnnc.explore.training.torch_modules import quiet
from qnnc.explore.training.train import Trainer, choose_device, pixels


@dataclass(frozen=True)
class Milestone:
    """A network after so many epochs.

    Attributes:
        epochs: trained for.
        selected: the epoch whose weights these are: the best on the validation images so far, or
            the last without such images.
        validation_error: of that epoch in percent, or None without such images.
        training_seconds: spent on training, all epochs together; on a CPU, of one core.
        device: that trained it, "cpu" or "cuda".
        robustness: error in percent under each attack.
        data: which images were used.
        settings: what decided the weights.
    """

    epochs: int
    selected: int
    validation_error: float | None
    training_seconds: float
    device: str
    data: str
    settings: str
    robustness: dict[str, float] = field(default_factory=dict)


def network_file(folder: Path, epochs: int) -> Path:
    """Where the network after so many epochs lies."""
    return folder / f"epoch-{epochs}.onnx"


def _record_file(folder: Path, epochs: int) -> Path:
    return folder / f"epoch-{epochs}.json"


def load_milestone(folder: Path, epochs: int) -> Milestone | None:
    """What was measured after so many epochs, or None if that was not reached."""
    try:
        values = json.loads(_record_file(folder, epochs).read_text(encoding="utf-8"))
        return Milestone(**values) if network_file(folder, epochs).exists() else None
    except (OSError, ValueError, TypeError):
        return None


def milestones(
    study: Study,
    widths: Widths,
    images: Images,
    folder: Path,
    notify: Callable[[int], None],
) -> list[Milestone]:
    """Train a network to each epoch count of the study, as far as that has not been done.

    Args:
        folder: of this network; networks, records and a checkpoint lie there.
        notify: called with each epoch that is done.
    """
    folder.mkdir(parents=True, exist_ok=True)
    quiet()
    trainer = Trainer(study, widths, images, folder / "checkpoint.pt", choose_device())
    done = []
    for epochs in study.training.epochs:
        found = load_milestone(folder, epochs)
        if found is None or found.settings != trainer.settings:
            trainer.train_to(epochs, notify)
            found = _measure(trainer, epochs, folder)
        done.append(found)
    return done


def _measure(trainer: Trainer, epochs: int, folder: Path) -> Milestone:
    """Export a network and write down what was measured; the record comes last."""
    study, images = trainer.study, trainer.images
    count = study.robustness.images
    model, best = trainer.chosen(), trainer.best
    attacks = robustness(
        model,
        pixels(images.test[:count]),
        images.test_labels[:count],
        study.robustness.epsilons if count else (),
        study.robustness.pgd_steps,
        trainer.device,
    )
    with tempfile.TemporaryDirectory() as scratch, redirect_stdout(io.StringIO()):
        exported = Path(scratch, "network.onnx")
        export(model, study.network, str(exported))
        write_bytes(network_file(folder, epochs), exported.read_bytes())
    found = Milestone(
        epochs=epochs,
        selected=epochs if best is None else best.epoch,
        validation_error=None if best is None else round(best.error, 4),
        training_seconds=round(trainer.seconds, 2),
        device=trainer.device,
        data=images.source,
        settings=trainer.settings,
        robustness=attacks,
    )
    write_text(_record_file(folder, epochs), json.dumps(asdict(found), indent=2) + "\n")
    return found
