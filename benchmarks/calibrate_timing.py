# SPDX-License-Identifier: Apache-2.0
"""How far the timing model is from nextpnr's routed delays, for single nodes and accelerators.

python -m benchmarks.calibrate_timing NEXTPNR CHIPDB FOLDER

Every design is placed and routed by itself, each of its ports at a register, without pins and
without a processing system. What has been routed lies in FOLDER and is not routed again. Paths to
which nextpnr knows no delays are left out of the model's figure, too, and block RAMs are as slow
as without the output registers that nextpnr does not know.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks.cnn_networks import mobilenet
from qnnc.backends.bitstream.netlist.for_nextpnr import adapt
from qnnc.backends.bitstream.netlist.link import link_accelerator
from qnnc.backends.bitstream.nextpnr.untimed import UNTIMED
from qnnc.backends.rtl.stitch import stitch
from qnnc.backends.synthesis import synthesize
from qnnc.backends.timing import Wires, netlist_timing
from qnnc.backends.timing.cells import Delays, Parameters, delays_of
from qnnc.backends.yosys import run_script
from tests.support import nodes
from tests.support.build import compile_proto

PART = "xc7z020clg400-1"
ASKED_MHZ = 400.0
"""More than any node reaches, so that nextpnr does what it can."""
TFC = Path(__file__).parents[1] / "examples" / "tfc" / "tfc_w2a2.onnx"


def specs() -> list[nodes.Case]:
    """Small nodes of all kinds."""
    rng = np.random.default_rng(1)
    return [
        nodes.windows(image=(16, 16), kernel=(3, 3), channels=16, kind="UINT4", simd=4),
        nodes.windows(image=(32, 32), kernel=(3, 3), channels=3, kind="UINT8", simd=3, prefetch=1),
        nodes.windows(image=(16, 16), kernel=(3, 3), stride=(2, 2), channels=64, simd=64),
        nodes.padding(image=(16, 16), pads=(1, 1, 1, 1), channels=16, kind="UINT4", simd=4),
        nodes.width_converter(elements=192, kind="INT4", lanes_in=3, lanes_out=2),
        nodes.width_converter(elements=192, kind="INT4", lanes_in=1, lanes_out=64),
        nodes.fifo(elements=64, kind="UINT8", lanes=4, depth=128, ram="distributed"),
        nodes.label_select(labels=10, k=1, kind="INT12"),
        nodes.elementwise(rng, op="Mul", channels=16, x="INT8", c="INT6", pe=1, shared=False),
        nodes.join(op="Mul", vectors=(1, 8), channels=16, kinds=("UINT4", "INT4"), pe=4),
        nodes.thresholding(rng, channels=64, steps=15, x="INT12", pe=1),
        nodes.thresholding(rng, channels=256, steps=3, x="INT14", pe=4),
        nodes.pool(out=(8, 8), kernel=(2, 2), channels=16, kind="UINT4", pe=4),
        nodes.total(image=(8, 8), channels=64, kind="UINT4", pe=4),
        nodes.mvau(rng, mw=64, mh=64, x="UINT2", w="TERNARY", pe=1, simd=8),
        nodes.mvau(rng, mw=64, mh=64, x="BINARY", w="BINARY", pe=2, simd=64),
        nodes.mvau(rng, mw=64, mh=64, x="UINT4", w="INT4", pe=4, simd=16, ram_style="block"),
        nodes.vvau(rng, out=(8, 8), kernel=(3, 3), channels=32, x="UINT4", w="TERNARY", pe=8),
    ]


@dataclass(frozen=True)
class Flat:
    """A design to route: its flat netlist, the name of its module, whether it is of many nodes."""

    name: str
    netlist: dict[str, Any]
    top: str
    crowded: bool = False


def single(folder: Path) -> Iterator[Flat]:
    """Each node of `specs`."""
    design = stitch(nodes.model_of(specs()))
    result = synthesize(design, folder / "cache", 2)
    for instance, node in zip(design.instances, result.nodes, strict=True):
        top, flat = instance.rtl.module, folder / f"{instance.name}.flat.json"
        if not flat.exists():
            script = [f"read_json {node.netlist}", f"hierarchy -top {top}", "flatten",
                      "delete t:$scopeinfo", f"write_json {flat}"]  # fmt: skip
            script[2:2] = ["setattr -mod -unset keep_hierarchy A:keep_hierarchy"]
            run_script(script, folder, folder / f"{instance.name}.flat.log", "flattening")
        yield Flat(f"{instance.name} {top}", json.loads(flat.read_text(encoding="utf-8")), top)


def whole(folder: Path) -> Iterator[Flat]:
    """Accelerators: the example at 100,000 frames/s, a depthwise-separable CNN."""
    small = mobilenet(4, 16, ((16, 1), (32, 2)), 10)
    uint8 = {"input_type": "uint8", "input_scale": "1/255", "top_k": 1}
    for name, proto, options in (
        ("TFC-W2A2", onnx.load(TFC), {"fps": 100_000, **uint8}),
        ("CNN", small, {"fps": 20_000}),
    ):
        model, _, _ = compile_proto(proto, samples=1, fold=True, each=False, **options)
        design = stitch(model)
        result = synthesize(design, folder / "cache", 2)
        flat = link_accelerator(design, result, folder / "cache")
        yield Flat(name, json.loads(flat.read_text(encoding="utf-8")), design.top, True)


def registered(netlist: Mapping[str, Any], top: str) -> dict[str, Any]:
    """A netlist with a register at each port and a ring through those at its inputs, so that it
    needs no pins."""
    module = netlist["modules"][top]
    adapt(netlist, top, {})
    cells, ports = module["cells"], module["ports"]
    nets = [net["bits"] for net in module["netnames"].values()]
    nets += [bits for cell in cells.values() for bits in cell["connections"].values()]
    fresh = itertools.count(1 + max(b for bits in nets for b in bits if isinstance(b, int)))
    (clock,) = ports["aclk"]["bits"]

    def cell(name: str, kind: str, inputs: dict[str, Any], output: tuple[str, int]) -> None:
        pins = {**inputs, output[0]: output[1]}
        cells[name] = {
            "type": kind,
            "parameters": {"INIT": "01"} if kind == "LUT1" else {},
            "attributes": {},
            "port_directions": {p: "output" if p == output[0] else "input" for p in pins},
            "connections": {p: [bit] for p, bit in pins.items()},
        }

    ring = first = next(fresh)
    for name, port in ports.items():
        for index, bit in enumerate(port["bits"]):
            pins = {"C": clock, "CE": "1", "R": "0"}
            if port["direction"] == "input" and name != "aclk":
                cell(f"{name}[{index}]", "FDRE", {**pins, "D": ring}, ("Q", bit))
                ring = bit
            elif port["direction"] == "output" and isinstance(bit, int):
                cell(f"{name}[{index}]", "FDRE", {**pins, "D": bit}, ("Q", next(fresh)))
    cell("ring", "LUT1", {"I0": ring}, ("O", first))
    cell("clock", "BUFG", {"I": next(fresh)}, ("O", clock))
    return {"modules": {top: {**module, "ports": {}, "attributes": {"top": "1"}}}}


def routed_mhz(nextpnr: str, chipdb: str, design: Flat, folder: Path) -> float:
    """The highest clock by nextpnr."""
    name = design.name.partition(" ")[0]
    report, netlist = folder / f"{name}.report.json", folder / f"{name}.json"
    if not report.exists():
        netlist.write_text(json.dumps(design.netlist), encoding="utf-8")
        partial = folder / f"{name}.partial"
        done = subprocess.run(
            [nextpnr, "--device", PART, "--chipdb", chipdb, "--json", str(netlist),
             "--freq", str(ASKED_MHZ), "--timing-allow-fail", "--report", str(partial)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        (folder / f"{name}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
        if done.returncode:
            raise SystemExit(f"{name}: {done.stdout[-300:]}{done.stderr[-300:]}")
        partial.rename(report)
    data = json.loads(report.read_text(encoding="utf-8"))
    return float(data["fmax"]["aclk"]["achieved"])


def as_nextpnr(kind: str, parameters: Parameters) -> Delays:
    """The model's delays as far as nextpnr has them, too."""
    delays = delays_of(kind, parameters)
    if kind.startswith("RAMB"):  # it knows no output registers
        return replace(delays, launch=dict.fromkeys(delays.launch, 2.454))
    if UNTIMED.get(kind) == "all pins":
        nothing = dict.fromkeys((*delays.setup, *(pin for pin, _ in delays.through)), -1000000000.0)
        return Delays(delays.kind, {}, nothing, {})
    return replace(delays, launch={}) if kind in UNTIMED else delays


def model_mhz(design: Flat, wires: Wires) -> float:
    """The highest clock by the model."""
    found = netlist_timing(design.netlist, design.top, wires, as_nextpnr).inside
    assert found is not None
    return 1000 / found.ns / (wires.crowded if design.crowded else 1.0)


def main(nextpnr: str, chipdb: str, folder: Path) -> None:
    """Route every design, and print how far the model is from it."""
    folder.mkdir(parents=True, exist_ok=True)
    errors = []
    for design in itertools.chain(single(folder), whole(folder)):
        design.netlist.update(registered(design.netlist, design.top))
        routed = routed_mhz(nextpnr, chipdb, design, folder)
        model = model_mhz(design, Wires())
        errors.append(model / routed - 1)
        count = len(design.netlist["modules"][design.top]["cells"])
        print(f"{design.name.partition(' ')[0]:20} {count:6} cells  routed {routed:6.1f} MHz  "
              f"model {model:6.1f} MHz  {errors[-1]:+5.0%}", flush=True)  # fmt: skip
    sizes = [abs(error) for error in errors]
    print(f"mean {np.mean(sizes):.1%}, worst {max(sizes):.1%}, on average {np.mean(errors):+.1%}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
