# SPDX-License-Identifier: Apache-2.0
"""What a study asks for: a small declarative file, checked."""

from __future__ import annotations

import itertools
import math
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qnnc.compiler.errors import OptionError
from qnnc.compiler.plugins import close_matches

SUFFIX = ".toml"

Bits = Annotated[int, Field(ge=1, le=8)]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Network(_Section):
    """An MLP: linear layers, each with batch norm; the hidden ones also with tanh and a
    quantizer.

    Attributes:
        inputs: pixels of an image.
        hidden: neurons of each hidden layer.
        classes: outputs.
        dropout_input, dropout_hidden: share of inputs and neurons dropped while training.
    """

    inputs: Positive
    hidden: Annotated[tuple[Positive, ...], Field(min_length=1)]
    classes: Positive
    dropout_input: Share = 0.0
    dropout_hidden: Share = 0.0


class Quantization(_Section):
    """Widths in bits; the grid is every weight width with every activation width."""

    weights: Annotated[tuple[Bits, ...], Field(min_length=1)]
    activations: Annotated[tuple[Bits, ...], Field(min_length=1)]


class Training(_Section):
    """How networks are trained.

    Attributes:
        epochs: after each of these, ascending, a network is measured; (0,) means no training:
            random weights, with batch norms that fit them.
        batch: images per step.
        learning_rate: Adam's, of the first epoch.
        decay: the rate of each epoch is that of the one before times this.
        seeds: of weights, order and dropout; each network is trained once for each, and built with
            the first. More may be added to a finished study.
        checkpoint_every: epochs between two checkpoints.
    """

    epochs: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]
    batch: Positive = 200
    learning_rate: Annotated[float, Field(gt=0)] = 0.01
    decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (1,)
    checkpoint_every: Positive = 5

    @property
    def seed(self) -> int:
        """The first seed."""
        return self.seeds[0]


class Data(_Section):
    """How images are split.

    Attributes:
        validation: training images that are not trained on but choose the best epoch; 0 to take
            the last epoch.
        held_out: images for testing, never trained on, where a folder holds only the 10,000 test
            images.
        split_seed: decides which.
        limit: use only so many images for training, or None for all.
    """

    validation: Annotated[int, Field(ge=0)] = 0
    held_out: Positive = 2000
    split_seed: int = 20
    limit: Positive | None = None


class Hardware(_Section):
    """What `qnnc` builds: each network at the same speed with its weights on a chip without limits,
    and as fast as fits the board.

    Attributes:
        board: its name.
        budget: share of the board that may be used.
        fps: frames per second at which resources are compared.
        batch: frames that the fastest build may hold, so that weights can come from DDR memory.
        synthesize: names of trials, such as "W1A1", of which the fastest build is also synthesised
            and simulated.
        frames: frames simulated of each of those.
    """

    board: str = "Pynq-Z1"
    budget: Annotated[float, Field(gt=0, le=1)] = 1.0
    fps: Annotated[float, Field(gt=0)] = 1000.0
    batch: Positive = 1
    synthesize: tuple[str, ...] = ()
    frames: Positive = 4


class Robustness(_Section):
    """Attacks (FGSM; PGD with `pgd_steps` steps) that change each pixel of 0..1 by at most ε.

    Attributes:
        epsilons: ε of each attack.
        images: test images attacked; 0 for none.
    """

    epsilons: tuple[Annotated[float, Field(gt=0, le=1)], ...] = ()
    pgd_steps: Positive = 10
    images: Annotated[int, Field(ge=0)] = 0


class Search(_Section):
    """A search for widths of each layer beyond the grid.

    Attributes:
        trials: networks to train; 0 for no search.
        epochs: for each.
        sampler: "nsga2" or "tpe".
        seed: of the sampler.
    """

    trials: Annotated[int, Field(ge=0)] = 0
    epochs: Positive = 3
    sampler: Literal["nsga2", "tpe"] = "tpe"
    seed: int = 1


class Study(_Section):
    """A whole study.

    Attributes:
        name: of the file, without its suffix.
        title: of the report.
        paper: whose figures the report shows beside its own; empty for none.
    """

    name: str
    title: str
    paper: Literal["", "bacchus2020"] = ""
    network: Network
    quantization: Quantization
    training: Training
    data: Data = Data()
    hardware: Hardware = Hardware()
    robustness: Robustness = Robustness()
    search: Search = Search()

    @property
    def points(self) -> int:
        """How many networks a search can choose from."""
        bits = self.quantization
        return math.prod(
            [len(bits.weights) * len(bits.activations)] * (len(self.network.hidden) + 1)
        )

    def grid(self) -> list[Widths]:
        """Every pair of widths, as widths of all layers."""
        layers = len(self.network.hidden) + 1
        pairs = itertools.product(self.quantization.weights, self.quantization.activations)
        return [Widths((w,) * layers, (a,) * layers) for w, a in pairs]

    def order(self) -> list[Widths]:
        """The grid in the order of training: wherever it is stopped, what is done is a whole,
        coarser grid but for its last row and column.
        """
        bits = self.quantization
        weights, activations = _spread(bits.weights), _spread(bits.activations)

        def layer(widths: Widths) -> tuple[int, int, int]:
            ranks = weights[widths.weights[0]], activations[widths.activations[0]]
            return (max(ranks), *ranks)

        return sorted(self.grid(), key=layer)

    def queue(self) -> list[Point]:
        """What is trained, in this order: all of the grid with the first seed, then the next."""
        seeds, widths = self.training.seeds, self.order()
        return [Point(one, seed, self.training.seed) for seed in seeds for one in widths]

    def complete(self, finished: Collection[str]) -> Study:
        """The study of the largest coarser grid, in order of training, whose networks are all
        among those finished; this study if there is none."""
        bits = self.quantization
        weights = sorted(bits.weights, key=_spread(bits.weights).__getitem__)
        activations = sorted(bits.activations, key=_spread(bits.activations).__getitem__)
        sizes = itertools.product(range(1, len(weights) + 1), range(1, len(activations) + 1))
        for i, j in sorted(sizes, key=math.prod, reverse=True):
            some = itertools.product(weights[:i], activations[:j])
            if all(f"W{w}A{a}" in finished for w, a in some):
                widths = {"weights": sorted(weights[:i]), "activations": sorted(activations[:j])}
                whole = Quantization.model_validate(widths)
                return self.model_copy(update={"quantization": whole})
        return self

    def with_seed(self, seed: int) -> Study:
        """The same study with one seed."""
        training = self.training.model_copy(update={"seeds": (seed,)})
        return self.model_copy(update={"training": training})


@dataclass(frozen=True, order=True)
class Widths:
    """Widths in bits of one network.

    Attributes:
        weights: of each linear layer.
        activations: of the input and of each hidden layer's output.
    """

    weights: tuple[int, ...]
    activations: tuple[int, ...]

    @property
    def name(self) -> str:
        """Such as "W1A2", or "W1-2-2-1A4-4-2-2" where layers differ."""
        return f"W{_joined(self.weights)}A{_joined(self.activations)}"


@dataclass(frozen=True)
class Point:
    """A network to train.

    Attributes:
        widths: of it.
        seed: to train with.
        first: seed of the study that networks are built with.
    """

    widths: Widths
    seed: int
    first: int

    @property
    def name(self) -> str:
        """That of the widths; with a further seed, such as "W1A2-seed-2"."""
        return self.widths.name + (f"-seed-{self.seed}" if self.seed != self.first else "")


def _spread(widths: tuple[int, ...]) -> dict[int, int]:
    """Rank of each width: the ends first, then always that of the largest ratio to those before."""
    left = sorted(set(widths))
    ranked = [left.pop(0)]
    if left:
        ranked.append(left.pop())
    while left:
        farthest = max(left, key=lambda one: min(max(one / other, other / one) for other in ranked))
        left.remove(farthest)
        ranked.append(farthest)
    return {width: rank for rank, width in enumerate(ranked)}


def _joined(bits: tuple[int, ...]) -> str:
    return str(bits[0]) if len(set(bits)) == 1 else "-".join(map(str, bits))


def shipped() -> list[str]:
    """Names of the studies that come with qnnc."""
    folder = resources.files("qnnc.explore") / "studies"
    return sorted(f.name.removesuffix(SUFFIX) for f in folder.iterdir() if f.name.endswith(SUFFIX))


def load_study(name: str, *, quick: bool = False, **changes: dict[str, Any]) -> Study:
    """A study by name, or by the path of its file.

    Args:
        quick: with what the file has under [quick] in place of the rest.
        changes: values put in place of the file's, by section.

    Raises:
        OptionError: no such study, or a file with an unknown or impossible value.
    """
    path = Path(name)
    if path.suffix == SUFFIX:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise OptionError(f"cannot read study {name}: {error}") from error
    elif name in shipped():
        text = (resources.files("qnnc.explore") / "studies" / f"{name}{SUFFIX}").read_text("utf-8")
    else:
        raise OptionError(
            f"no study {name!r}{close_matches(name, shipped())}: give a .toml file or one of "
            f"{', '.join(shipped())}"
        )
    return _parsed(path.stem, text, quick, changes)


def _parsed(name: str, text: str, quick: bool, changes: dict[str, dict[str, Any]]) -> Study:
    try:
        values = tomllib.loads(text)
        shortcuts = values.pop("quick", {})
        for overriding in (shortcuts if quick else {}, changes):
            for section, content in overriding.items():
                values.setdefault(section, {}).update(content)
        study = Study(name=name, **values)
    except tomllib.TOMLDecodeError as error:
        raise OptionError(f"study {name}: {error}") from error
    except ValidationError as error:
        # a mistyped key is also a missing one: what is there says more than what is not
        first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
        where = ".".join(str(part) for part in first["loc"])
        raise OptionError(f"study {name}: {where}: {first['msg']}") from error
    except (TypeError, AttributeError) as error:
        raise OptionError(f"study {name} is not as docs/explore.md says: {error}") from error
    epochs, seeds = study.training.epochs, study.training.seeds
    if len(set(seeds)) < len(seeds):
        raise OptionError(f"study {name}: training.seeds: each once, not {list(seeds)}")
    if list(epochs) != sorted(set(epochs)):
        raise OptionError(f"study {name}: training.epochs: must ascend, not {list(epochs)}")
    return study
