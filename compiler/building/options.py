# SPDX-License-Identifier: Apache-2.0
"""The options of a build."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypedDict

from qnnc.compiler.batches import check_batch
from qnnc.compiler.errors import OptionError
from qnnc.compiler.frontend import Calibration, LoadSettings
from qnnc.compiler.plugins import close_matches
from qnnc.compiler.resources import Resources, check_budget

ENGINES = ("auto", "verilator", "cxxrtl")
"""What simulates RTL; "auto" is Verilator where it is installed, else CXXRTL."""
FLOWS = ("auto", "nextpnr", "vivado")
"""What places and routes; "auto" is nextpnr where it is found, else Vivado."""
AUTO = "auto"
VERIFY = ("each", "ends", "none")
PATHS = (
    "out",
    "cache",
    "samples",
    "labels",
    "quantize",
    "save_ir",
    "start_from",
    "folding",
    "chipdb",
    "prjxray_db",
    "from_shape",
)
"""Options that are paths."""
INPUTS = (
    "samples",
    "labels",
    "quantize",
    "start_from",
    "folding",
    "chipdb",
    "prjxray_db",
    "from_shape",
)
"""Those of them that are read."""


MOST_DIMENSIONS = 8
MOST_ELEMENTS = 1 << 28
"""Of an input."""


LEAST_FPS = 1e-3


def default_cache() -> Path:
    """Where results are kept between builds: the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "qnnc"


@dataclass(frozen=True)
class BuildOptions:
    """Options of a build; the defaults are those of the command line.

    Attributes:
        model: what the frontend reads, usually a file.
        out: folder of the build.
        board: name of the board.
        frontend: name of the frontend, or None to choose by the model.
        input_shape: of the model's input, such as "1,1,28,28", where the model does not say it.
        frontend_options: of the frontend, each "name=value".
        clock_mhz: clock of the accelerator, None for the board's, or "auto" for the highest that
            holds by the timing model.
        fps: frames per second to reach, or None for the fastest within the budget.
        budget: share of the board that may be used; inf for no limit.
        external_weights: weights for which the chip has no room may come from the board's memory.
        batch: frames that may be held on the chip, so that weights of dense layers come from there
            once for all of them; above 1, external_weights is implied.
        folding: file of foldings by hand: YAML, JSON, or FINN's folding_config.json.
        settings: more of them, each "LAYER:PE=4,SIMD=8"; they outdo the file.
        backend: what makes the nodes: "rtl", "hls" or "auto", and exceptions after commas
            (`ChooseBackend`).
        until: last stage; empty for as far as the tools at hand allow.
        input_type: integer type of the real input, such as "uint8"; empty for none.
        input_scale: the network expects integer * this.
        input_name: which input that is about, if there are several.
        host_layers: allow layers without quantizers, computed on the host.
        top_k: output this many labels; 0 for scores.
        samples: file of sample inputs, or None for random ones.
        labels: file of their labels.
        quantize: the model is a float one, to be quantized by the samples in this file.
        verify: compare after "each" pass, at the "ends", or "none".
        passes: the passes from the golden graph on, as text; empty for the standard ones.
        save_ir: folder for the IR after each pass, or None.
        stop_after: name of the pass after which the build ends; empty for none.
        start_from: an IR saved by `save_ir` to continue from, or None.
        engine: simulator: "auto", "verilator" or "cxxrtl".
        frames: frames to simulate, or None for as many as are quick.
        source: percent of cycles in which the testbench offers a word.
        sink: percent of cycles in which it takes one.
        flow: what places and routes: "auto", "nextpnr" or "vivado".
        nextpnr: program to use, instead of one on PATH.
        chipdb: nextpnr's chip database for the board's part.
        from_shape: a routed design of the same shape, to be filled in without place and route.
        prjxray_db: family folder of a prjxray database.
        updatable: keep weights and thresholds in memories, so that other ones need no place and
            route.
        cache: where compiled and synthesised parts are kept.
        jobs: processes to run at once.
        force: replace files in `out` and `save_ir` that are not qnnc's, where they are in the way.
    """

    model: str
    out: Path
    board: str = "Pynq-Z1"
    frontend: str | None = None
    input_shape: str = ""
    frontend_options: tuple[str, ...] = ()
    clock_mhz: float | Literal["auto"] | None = None
    fps: float | None = None
    budget: float | None = None
    external_weights: bool = False
    batch: int = 1
    folding: Path | None = None
    settings: tuple[str, ...] = ()
    backend: str = "rtl"
    until: str = ""
    input_type: str = ""
    input_scale: str = "1"
    input_name: str = ""
    host_layers: bool = False
    top_k: int = 0
    samples: Path | None = None
    labels: Path | None = None
    quantize: Path | None = None
    verify: Literal["each", "ends", "none"] = "each"
    passes: str = ""
    save_ir: Path | None = None
    stop_after: str = ""
    start_from: Path | None = None
    engine: str = "auto"
    frames: int | None = None
    source: int = 100
    sink: int = 100
    flow: Literal["auto", "nextpnr", "vivado"] = "auto"
    nextpnr: str = ""
    chipdb: Path | None = None
    from_shape: Path | None = None
    prjxray_db: Path | None = None
    updatable: bool = False
    cache: Path = field(default_factory=default_cache)
    jobs: int = field(default_factory=lambda: os.cpu_count() or 1)
    force: bool = False

    def __post_init__(self) -> None:
        # child processes run in folders of their own
        for name in PATHS:
            path = getattr(self, name)
            if path is not None:
                object.__setattr__(self, name, path.absolute())
        # a list where options are read back from JSON
        for name in ("frontend_options", "settings"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    @property
    def asked_mhz(self) -> float | None:
        """The clock that folding is done for; None for the board's."""
        return None if isinstance(self.clock_mhz, str) else self.clock_mhz

    @property
    def real_samples(self) -> Path | None:
        """The user's samples: those to verify with or, without, those to quantize by."""
        return self.samples if self.samples is not None else self.quantize

    def inputs(self) -> list[Path | None]:
        """Files and folders that a build reads, besides the model."""
        return [getattr(self, name) for name in INPUTS]

    def load_settings(self) -> LoadSettings:
        """The frontend's settings; raises OptionError for text that is not of the form."""
        shape = None
        if self.input_shape:
            sizes = self.input_shape.replace("x", ",").split(",")
            if all(size.isdecimal() and len(size) < 10 for size in sizes):
                shape = tuple(map(int, sizes))
            if not shape or min(shape) < 1:
                raise OptionError(
                    f"--input-shape is sizes such as 1,1,28,28, not {self.input_shape[:60]!r}"
                )
            if len(shape) > MOST_DIMENSIONS or math.prod(shape) > MOST_ELEMENTS:
                raise OptionError(
                    f"--input-shape {self.input_shape[:60]} is too large: up to "
                    f"{MOST_DIMENSIONS} dimensions and {MOST_ELEMENTS:,} elements are possible"
                )
        pairs = [text.partition("=") for text in self.frontend_options]
        for name, equals, value in pairs:
            if not (name and equals and value):
                raise OptionError(f"--frontend-option is name=value, not {name + equals + value!r}")
        calibration = None
        if self.quantize is not None:
            calibration = Calibration(
                self.quantize, self.samples, self.labels, self.input_type, self.input_scale
            )
        return LoadSettings(shape, {name: value for name, _, value in pairs}, calibration)

    def check(self) -> None:
        """Raise OptionError for values that make no sense."""
        self.load_settings()
        _one_of("flow", self.flow, FLOWS)
        _one_of("engine", self.engine, ENGINES)
        _one_of("verify", self.verify, VERIFY)
        if isinstance(self.clock_mhz, str) and self.clock_mhz != AUTO:
            raise OptionError(f"--clock-mhz is a number or auto, not {self.clock_mhz[:60]!r}")
        for name, value in (("clock-mhz", self.asked_mhz), ("fps", self.fps)):
            if value is not None and not 0 < value < float("inf"):
                raise OptionError(f"--{name} must be positive, not {value}")
        if self.fps is not None and self.fps < LEAST_FPS:
            raise OptionError(f"--fps must be at least {LEAST_FPS:g}, not {self.fps}")
        if self.budget is not None:
            check_budget(self.budget)
            if self.budget == math.inf and self.fps is None:
                raise OptionError("--budget inf needs --fps: there is no fastest without a limit")
        check_batch(self.batch)
        if self.top_k < 0:
            raise OptionError(f"--top-k must be positive, not {self.top_k}")
        for name, percent in (("source", self.source), ("sink", self.sink)):
            if not 1 <= percent <= 100:
                raise OptionError(f"--{name} is a percentage from 1 to 100, not {percent}")
        if self.labels is not None and self.real_samples is None:
            raise OptionError("--labels needs the --samples that they belong to")
        if self.frames is not None and self.frames < 1:
            raise OptionError(f"--frames must be at least 1, not {self.frames}")
        if self.jobs < 1:
            raise OptionError(f"--jobs must be at least 1, not {self.jobs}")

    def allowed(self, device: Resources, shell: Resources) -> Resources:
        """What the accelerator may take: the budget's share, and no more than the shell leaves;
        without limit, reports compare with the device."""
        if self.share == math.inf:
            return device
        return device.scaled(self.share).least(device.less(shell))

    @property
    def share(self) -> float:
        """The budget, by default 80 % without a target and the whole board with one."""
        if self.budget is not None:
            return self.budget
        return 0.8 if self.fps is None else 1.0


class Options(TypedDict, total=False):
    """What `build` takes besides the model and the folder: the fields of `BuildOptions`, paths as
    text too."""

    board: str
    frontend: str | None
    input_shape: str | tuple[int, ...]
    frontend_options: tuple[str, ...]
    clock_mhz: float | Literal["auto"] | None
    fps: float | None
    budget: float | None
    external_weights: bool
    batch: int
    folding: str | Path | None
    settings: tuple[str, ...]
    backend: str
    until: str
    input_type: str
    input_scale: str
    input_name: str
    host_layers: bool
    top_k: int
    samples: str | Path | None
    labels: str | Path | None
    quantize: str | Path | None
    verify: Literal["each", "ends", "none"]
    passes: str
    save_ir: str | Path | None
    stop_after: str
    start_from: str | Path | None
    engine: str
    frames: int | None
    source: int
    sink: int
    flow: Literal["auto", "nextpnr", "vivado"]
    nextpnr: str
    chipdb: str | Path | None
    from_shape: str | Path | None
    prjxray_db: str | Path | None
    updatable: bool
    cache: str | Path
    jobs: int
    force: bool


def _one_of(option: str, given: str, known: Sequence[str]) -> None:
    if given not in known:
        raise OptionError(
            f"--{option} is one of {', '.join(known)}, not {given!r}"
            f"{close_matches(given, list(known))}"
        )
