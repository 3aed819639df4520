# SPDX-License-Identifier: Apache-2.0
"""Training with checkpoints: a killed run continues where it was, to the same weights.

Each epoch draws its random numbers from a seed of its own, and the learning rate is a function of
the epoch, so that the model, the optimiser and the best epoch so far are all there is to keep.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnnc.compiler.errors import WorkspaceError
from qnnc.compiler.files import write_bytes
from qnnc.explore.data import Images
from qnnc.explore.study import Study, Training, Widths
from qnnc.explore.training.fused import FusedNetwork
from qnnc.explore.training.network import make_network
from qnnc.explore.training.torch_modules import module

CALIBRATION = 2_000
"""Images that batch norms of a network that is not trained are fitted to."""
SLICE = 2_000
"""Images in one evaluation, so that memory stays small."""


@dataclass
class Best:
    """The epoch that did best on the validation images.

    Attributes:
        epoch: its number, from 1; of equals the first.
        error: percent of the validation images.
        state: of the model then.
    """

    epoch: int
    error: float
    state: dict[str, Any]


def pixels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Bytes of any shape as the network expects them, from 0 to 1."""
    return images.astype(np.float32) / np.float32(255)


@dataclass
class Trainer:
    """One network in training.

    Attributes:
        study: says how.
        widths: of the network.
        images: to train on.
        checkpoint: file that keeps the state.
        device: torch's name for where to train.
    """

    study: Study
    widths: Widths
    images: Images
    checkpoint: Path
    device: str

    def __post_init__(self) -> None:
        torch = module("torch")
        training = self.study.training
        torch.manual_seed(training.seed)
        self.model = make_network(self.study.network, self.widths).to(self.device)
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=training.learning_rate, fused=True
        )
        self.epoch, self.seconds = 0, 0.0
        self.best: Best | None = None
        self._load()
        self._fused = FusedNetwork(self.model, self.study.network, self.widths, self.device)
        self._x = torch.from_numpy(self.images.train).to(self.device)
        self._y = torch.from_numpy(self.images.train_labels).to(self.device)

    def train_to(self, epoch: int, notify: Callable[[int], None]) -> None:
        """Train until so many epochs have been done; `notify` is called with each.

        The model is left in evaluation mode.
        """
        if epoch == 0:
            self._fit_batch_norms()
        while self.epoch < epoch:
            start = self._now()
            self._epoch(self.study.training)
            self.epoch += 1
            self._validate()
            self.seconds += self._now() - start
            if self.epoch % self.study.training.checkpoint_every == 0 or self.epoch == epoch:
                self._save()
            notify(self.epoch)
        self.model.eval()

    def chosen(self) -> Any:
        """The model to measure, in evaluation mode: as it was after the epoch that did best on the
        validation images; without such images, as it is."""
        if self.best is None:
            return self.model
        model = make_network(self.study.network, self.widths).to(self.device)
        model.load_state_dict(self.best.state)
        return model.eval()

    def _validate(self) -> None:
        """Remember this epoch if none did better on the validation images."""
        torch = module("torch")
        if not len(self.images.validation):
            return
        self.model.eval()
        wrong = 0
        with torch.no_grad():
            for at in range(0, len(self.images.validation), SLICE):
                x = torch.from_numpy(pixels(self.images.validation[at : at + SLICE]))
                y = torch.from_numpy(self.images.validation_labels[at : at + SLICE])
                scores = self.model(x.to(self.device))
                wrong += int((scores.argmax(1) != y.to(self.device)).sum())
        error = 100 * wrong / len(self.images.validation)
        if self.best is None or error < self.best.error:
            state = {name: value.clone() for name, value in self.model.state_dict().items()}
            self.best = Best(self.epoch, error, state)

    def _now(self) -> float:
        """Seconds of processor time, which other work on the machine does not lengthen; with a GPU,
        of its time."""
        if self.device == "cpu":
            return time.process_time()
        module("torch").cuda.synchronize()
        return time.perf_counter()

    def _epoch(self, training: Training) -> None:
        torch = module("torch")
        torch.manual_seed(training.seed * 100_003 + self.epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = training.learning_rate * training.decay**self.epoch
        self.model.train()
        for batch in torch.split(torch.randperm(len(self._x)), training.batch):
            if len(batch) == 1:
                continue  # batch norm has no variance then
            batch = batch.to(self.device)
            scores = self._fused.scores(self._x[batch])
            loss = torch.nn.functional.cross_entropy(scores, self._y[batch])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self._fused.clip()

    def _fit_batch_norms(self) -> None:
        """Means and variances of the sums that random weights give."""
        torch = module("torch")
        norms = [layer for layer in self.model if isinstance(layer, torch.nn.BatchNorm1d)]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the average of what it sees
        self.model.train()
        with torch.no_grad():
            self.model(self._x[:CALIBRATION].float() / 255)

    def _save(self) -> None:
        torch = module("torch")
        buffer = io.BytesIO()
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "seconds": self.seconds,
            "settings": self.settings,
            "best": None if self.best is None else vars(self.best),
        }
        torch.save(state, buffer)
        write_bytes(self.checkpoint, buffer.getvalue())

    def _load(self) -> None:
        """Continue from the checkpoint, if there is one that was made with the same settings."""
        torch = module("torch")
        if not self.checkpoint.exists():
            return
        try:
            state: dict[str, Any] = torch.load(
                self.checkpoint, map_location=self.device, weights_only=True
            )
            if state["settings"] != self.settings:
                return
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.epoch, self.seconds = int(state["epoch"]), float(state["seconds"])
            self.best = Best(**state["best"]) if state["best"] else None
        except Exception as error:  # torch raises whatever its parser meets
            raise WorkspaceError(
                f"checkpoint {self.checkpoint} is broken ({error}): delete it"
            ) from error

    @property
    def settings(self) -> str:
        """What decides the weights, but for the number of epochs."""
        training = self.study.training.model_copy(update={"epochs": (), "checkpoint_every": 1})
        parts = (self.study.network, training, self.study.data)
        return "|".join(
            [self.widths.name, str(len(self.images.train)), *(p.model_dump_json() for p in parts)]
        )


def choose_device() -> str:
    """A GPU where there is one."""
    return "cuda" if module("torch").cuda.is_available() else "cpu"
