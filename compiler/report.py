# SPDX-License-Identifier: Apache-2.0
"""report.json: everything a program may want to know of a build. Schema version 1."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from qnnc.compiler.progress import in_notebook
from qnnc.compiler.resources import Resources

SCHEMA_VERSION = 1
MEMORY = "memory"
"""The bottleneck where it is the board's memory."""


class _Part(BaseModel):
    # validators are built when they are first wanted: most commands want few of them
    model_config = ConfigDict(extra="forbid", defer_build=True)


class ResourceCount(_Part):
    """Counts of 7-series primitives."""

    LUT: int
    FF: int
    BRAM18: int
    DSP: int

    @classmethod
    def of(cls, resources: Resources) -> ResourceCount:
        """Rounded to whole primitives."""
        return cls(**{name: round(count) for name, count in resources.as_dict().items()})


class StageReport(_Part):
    """One stage of the build."""

    name: str
    seconds: float
    status: Literal["done", "cached", "skipped", "failed"]
    reason: str = Field("", description="why it was skipped, or what failed")


class PassReason(_Part):
    """Why a pass left a node as it is."""

    node: str
    sources: list[str]
    text: str


class PassReport(_Part):
    """One graph pass."""

    name: str
    seconds: float
    changed: bool
    verified: bool = Field(description="compared with the golden graph after this pass")
    reasons: list[PassReason] = []


class Performance(_Part):
    """Speed; measured figures come from RTL simulation and are null before it."""

    clock_mhz: float
    ii_cycles: float | None = Field(description="measured cycles between frames")
    ii_cycles_estimate: int = Field(
        description="cycles of the slowest node, or of the memory that weights come from"
    )
    latency_cycles: int | None = Field(description="measured, first word in to last word out")
    latency_cycles_estimate: int | None = Field(
        None, description="the same by the nodes' schedules"
    )
    fps: float = Field(description="frames per second at clock_mhz, measured if possible")
    bottleneck: str = Field(description='the slowest layer, or "memory"')
    batch: int = Field(1, description="frames that the accelerator takes in at once")
    memory_bytes: float = Field(
        0.0, description="bytes of weights a frame that come from the board's memory"
    )
    memory_cycles: float = Field(
        0.0, description="least cycles per frame of the memory that weights come from"
    )
    memory_ports: int = Field(1, description="ports to the board's memory in use")


class ResourceReport(_Part):
    """Resources of the whole accelerator."""

    estimate: ResourceCount
    synthesis: ResourceCount | None
    shell: ResourceCount | None = Field(
        None, description="of the shell around it in a bitstream, estimated"
    )
    budget: ResourceCount = Field(
        description="what the accelerator may take: what the board has, times --budget, and no "
        "more than the shell leaves"
    )
    device: ResourceCount = Field(description="what the board has")


class LevelReport(_Part):
    """Verification at one level."""

    level: Literal["dataflow", "emulator", "rtl"]
    samples: int = Field(description="compared, corner samples included")
    corner_samples: int = Field(0, description="of those, made by the build itself")
    mismatches: int
    near_ties: int = 0
    tensors: int = Field(0, description="tensors or streams compared in each sample")
    engine: str = Field("", description="what executed it")
    random_inputs: bool = False
    detail: str = Field("", description="the first mismatch, if any")


class CoverageReport(_Part):
    """How far the samples of the dataflow level have driven a layer, or all of them."""

    thresholds: int = Field(description="that a layer's input can reach, over all channels")
    crossed: int = Field(description="thresholds of which both sides were seen")
    ends: int = Field(description="of the ranges of all channels")
    ends_reached: int = Field(description="ends that were seen")
    range_seen: float = Field(
        description="from least to greatest value seen, as a share of the range, mean over channels"
    )
    table: Literal["exhaustive", "bisected"] | None = Field(
        None,
        description="how a layer's table was read off the network: at every integer that its "
        "input can be, or by bisection",
    )


class WitnessReport(_Part):
    """The quantized network against the module that it was exported from."""

    samples: int
    elements: int = Field(description="of the outputs of all samples")
    differ: int = Field(description="elements that differ by more than float32 rounding of sums")
    largest: float = Field(description="largest difference, as a share of the largest output")
    layer: str = Field("", description="where the difference starts, as the module names it")


class Verification(_Part):
    """Equality with the golden graph, over all levels."""

    samples: int
    corner_samples: int = Field(0, description="of those, made by the build itself")
    mismatches: int
    near_ties: int
    levels: list[LevelReport]
    coverage: CoverageReport | None = Field(None, description="of all layers together")
    witness: WitnessReport | None = Field(
        None, description="where the model is a module that can still be run"
    )


class AccuracyReport(_Part):
    """How many samples are labelled correctly, by the integers that the hardware computes."""

    samples: int
    correct: int = Field(description="by the compiled graph")
    golden_correct: int = Field(description="by the quantized network")
    same: int = Field(description="samples that both answer alike")
    near: int = Field(description="of the others, those in which only float32 rounding decides")
    confusion: list[list[int]] = Field(
        default_factory=list,
        description="samples by label, then by answer; empty beyond 100 classes",
    )


class Histogram(_Part):
    """How often integers occur over a whole range."""

    low: int = Field(description="least integer of the range")
    high: int = Field(description="greatest")
    bin_width: int = Field(description="integers per bin")
    counts: list[int] = Field(description="of each bin, from low up")
    at_ends: float = Field(description="share of values at the least or greatest integer")
    zeros: float = Field(description="share of values that are 0")
    clipped: float | None = Field(
        None,
        description="of a quantizer's codes: share of values that lay beyond its range, over the "
        "first 16 samples that were given",
    )


class PathReport(_Part):
    """The longest path between registers that ends in a layer, by the timing model."""

    ns: float = Field(description="what registers at its ends take is included")
    levels: int = Field(description="LUTs, carry chains' parts and multiplexers on it")
    start: str = Field(description="signal that it starts from, with the instance")
    end: str = Field(description="register that it ends at, and its pin if that is not the data's")


class TimingReport(_Part):
    """How fast the accelerator can be clocked, by a model of the synthesised netlists: before
    place and route, and without the shell."""

    fmax_mhz: float = Field(description="by the slowest layer")
    layer: str = Field(description="the slowest: one of layers[].name")
    delays: str = Field(description="the model: delays of cells, and of wires")


class Work(_Part):
    """When a layer works on the first frames, which come as fast as they are taken, by the nodes'
    schedules."""

    starts: list[int] = Field(description="cycle at which it takes the first element of each frame")
    ends: list[int] = Field(description="cycle at which it has given the last one")


class Layer(_Part):
    """One dataflow node."""

    name: str
    op: str
    instance: str = Field(description="name in the stitched RTL")
    source_nodes: list[str] = Field(description="nodes of the user's model it comes from")
    PE: int | None
    SIMD: int | None
    ram_style: str | None
    weights: str | None = Field(
        None,
        description="where weights are kept: block or distributed memory, block memory as trits "
        "(five ternary weights in 8 bits), or external memory",
    )
    memory_bytes: float = Field(0.0, description="bytes of external weights per frame")
    arithmetic: str | None
    implementation: str | None = Field(None, description="which of several a node has")
    implementation_reason: str = Field("", description="cost of each, or why there is one")
    input_type: str
    output_type: str
    shape: list[int] = Field(description="of the output, batch of one")
    cycles: int
    resources: ResourceCount
    synthesis: ResourceCount | None = None
    timing: PathReport | None = Field(
        default=None, description="null where nothing was synthesised"
    )
    coverage: CoverageReport | None = Field(
        None,
        description="of the table's input, or of what arithmetic gives; null for layers that "
        "only pass elements on",
    )
    depth: int | None = Field(None, description="words that a FIFO holds")
    operations: int = Field(0, description="multiplications and additions per frame, of products")
    weight_values: Histogram | None = Field(None, description="of a product's weights")
    output_values: Histogram | None = Field(
        None, description="of a quantizer's codes, over the samples that are simulated"
    )
    work: Work | None = None
    notes: list[str] = Field(
        default_factory=list, description="what else was decided, such as a FIFO's depth, and why"
    )


class HostSide(_Part):
    """What runs on the host."""

    pre_nodes: list[str] = Field(description="source nodes before the accelerator")
    post_nodes: list[str] = Field(description="source nodes after it")


Place = Literal["dataflow", "host-pre", "host-post", "folded", "open"]
"""Where a node of the user's model can be."""


class NodeOrigin(_Part):
    """Where a node of the user's model went."""

    node: str
    op: str
    places: list[Place] = Field(description="open: the passes ended before it was decided")
    dataflow: list[str] = Field(description="dataflow nodes that do (part of) it")
    folded_by: str = Field("", description="the pass that made it unnecessary")
    reason: str = Field("", description="why it is there")
    remedy: str = Field("", description="what would move it into hardware, where something would")


class StreamPort(_Part):
    """An AXI-Stream of the stitched accelerator."""

    name: str
    tensor: str
    shape: list[int]
    datatype: str
    elements_per_word: int
    tdata_bits: int
    words_per_frame: int
    words_per_batch: int | None = Field(
        default=None, description="of a stream of weights: those of a round, over and over"
    )
    words_per_round: int | None = Field(
        default=None, description="of a stream of weights, after which it begins again"
    )


class Connection(_Part):
    """A stream between two layers, or across the accelerator's boundary."""

    source: int | None = Field(description="index into layers; null: from the host")
    target: int | None = Field(description="index into layers; null: to the host")
    tensor: str = Field(description="that it carries, as its source names it")
    shape: list[int]
    datatype: str
    bits: int = Field(description="of a word")


class ProofCheck(_Part):
    """One check of a bitstream's own bits."""

    name: str
    status: Literal["passed", "failed", "not done"]
    detail: str


class Implementation(_Part):
    """The design placed and routed, shell included."""

    flow: Literal["nextpnr", "vivado"]
    tool: str = Field(description="the tool's name and version")
    fmax_mhz: float = Field(description="highest clock by the tool's timing model")
    seconds: float = Field(description="wall time of the tool")
    memory_mb: float | None = Field(None, description="the tool's peak memory")
    utilisation: dict[str, list[int]] = Field(
        default_factory=dict, description="used and available, by the tool's kinds of cells"
    )
    features: int | None = Field(None, description="FASM features, all resolved")
    payload_sha256: str = Field("", description="of the configuration payload of the .bit file")
    untimed: list[str] = Field(
        default_factory=list, description="paths that the tool's timing model leaves out"
    )
    proof: list[ProofCheck] = Field(
        default_factory=list, description="what the bits were read back for"
    )


class QuantizedLayer(_Part):
    """A layer of a float network after quantization. Errors are root mean squares, as shares of
    the float tensor's own."""

    node: str = Field(description="the float model's name")
    op: str
    weight_error: float | None = Field(None, description="of the weights")
    output_error: float | None = Field(
        None, description="of what the layer gives, errors of the layers before it included"
    )


class QuantizationReport(_Part):
    """A float network against what it was quantized to."""

    onnxruntime: str = Field(description="version of the quantizer")
    method: str = Field(description="how ranges of activations were found")
    calibration_samples: int
    weight_bits: int
    layers: list[QuantizedLayer]
    output_error: float = Field(description="of the outputs, as a share of their size")
    samples: int = Field(description="that both networks were run on")
    same: int | None = Field(
        None, description="samples with the same answer from both, where answers are classes"
    )
    float_correct: int | None = Field(None, description="answers that agree with the labels")
    quantized_correct: int | None = None


class Artifacts(_Part):
    """Paths relative to the build folder; null where a stage has not run."""

    page: str | None = None
    model: str | None = None
    quantized: str | None = None
    golden: str | None = None
    compiled: str | None = None
    dataflow: str | None = None
    folding: str | None = None
    host_pre: str | None = None
    host_post: str | None = None
    rtl: str | None = None
    emulator: str | None = None
    hls: str | None = None
    stitched_ip: str | None = None
    driver: str | None = None
    bitstream: str | None = None


class Report(_Part):
    """A build, as far as it got."""

    schema_version: int = SCHEMA_VERSION
    qnnc_version: str
    status: Literal["ok", "failed"]
    error: str = ""
    warnings: list[str] = Field([], description="what deserves attention, without stopping")
    model: str
    board: str
    part: str
    clock_mhz: float
    until: str
    stages: list[StageReport]
    passes: list[PassReport] = []
    performance: Performance | None = None
    resources: ResourceReport | None = None
    timing: TimingReport | None = Field(None, description="null where nothing was synthesised")
    verification: Verification
    accuracy: AccuracyReport | None = Field(None, description="where labels were given")
    layers: list[Layer] = []
    connections: list[Connection] = []
    host: HostSide | None = None
    implementation: Implementation | None = None
    streams: list[StreamPort] = []
    provenance: list[NodeOrigin] = []
    quantization: QuantizationReport | None = Field(
        None, description="where a float model was given"
    )
    artifacts: Artifacts
    _folder: Path | None = PrivateAttr(None)

    def _repr_html_(self) -> str | None:
        """What a notebook shows; None where the page is not at hand."""
        return _VIEWS[-1](self) if _VIEWS else None

    def show(self) -> None:
        """Show the report: here in a notebook, else report.html in the browser."""
        if in_notebook():
            from IPython.display import display

            display(self)
        elif self._folder is not None and self.artifacts.page is not None:
            import webbrowser

            webbrowser.open((self._folder / self.artifacts.page).absolute().as_uri())

    def lies_in(self, folder: Path) -> None:
        """Say where the build is, for `show`."""
        self._folder = folder


_VIEWS: list[Callable[[Report], str]] = []


def set_view(view: Callable[[Report], str]) -> None:
    """Let notebooks show reports in this way."""
    _VIEWS.append(view)


def json_schema() -> dict[str, object]:
    """The JSON Schema of report.json."""
    return Report.model_json_schema()
