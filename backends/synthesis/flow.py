# SPDX-License-Identifier: Apache-2.0
"""Synthesising a design: distinct nodes once, in parallel, kept in a cache."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from qnnc.backends.design import Design, Instance
from qnnc.backends.simulation.compiler import digest
from qnnc.backends.synthesis.script import DEFINES, library_commands, node_commands
from qnnc.backends.synthesis.stat import cell_counts, resources
from qnnc.backends.yosys import run_script, yosys_version
from qnnc.compiler.files import TEMPORARY_PREFIX, publish_folder
from qnnc.compiler.resources import Resources


@dataclass(frozen=True)
class NodeSynthesis:
    """One instance as synthesised.

    Attributes:
        instance: its name in the design.
        resources: that it takes.
        netlist: the Yosys netlist (JSON) of its module.
        cached: it was not synthesised anew.
    """

    instance: str
    resources: Resources
    netlist: Path
    cached: bool


@dataclass(frozen=True)
class SynthesisResult:
    """A design as synthesised; the stitched top has no logic of its own."""

    nodes: tuple[NodeSynthesis, ...]

    @property
    def total(self) -> Resources:
        """Resources of the whole accelerator."""
        total = Resources()
        for node in self.nodes:
            total += node.resources
        return total


@dataclass(frozen=True)
class _Unit:
    """A module with the contents of its distributed memories; block contents do not matter."""

    instance: Instance
    key: str
    files: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, design: Design, instance: Instance) -> _Unit:
        fixed = {
            p: (f"{p.lower()}.mem", m.text()) for p, m in instance.rtl.memories.items() if m.fixed
        }
        text = instance.rtl.with_files({p: name for p, (name, _) in fixed.items()})
        files = {f"{instance.rtl.module}.sv": text, **design.library_for([text])}
        files.update(dict(fixed.values()))
        script = "\n".join(node_commands([], "top", "out", block_ram=_block_ram(text)))
        key = digest(
            "synthesis",
            yosys_version(),
            DEFINES,
            script,
            *(name + "\n" + body for name, body in sorted(files.items())),
        )
        return cls(instance, key, tuple(sorted(files.items())))


def _block_ram(text: str) -> bool:
    """The module infers block RAM (a FIFO or a RAM told to use it)."""
    return ".BLOCK(1)" in text


def synthesize(
    design: Design, cache: Path, jobs: int, progress: Callable[[int, int], None] | None = None
) -> SynthesisResult:
    """Synthesise every node of a design.

    Args:
        cache: folder for results.
        jobs: Yosys processes to run at once.
        progress: called with (done, of) batches.

    Raises:
        ToolError: Yosys fails.
    """
    units = {instance.name: _Unit.of(design, instance) for instance in design.instances}
    missing = {u.key: u for u in units.values() if not (cache / f"synth-{u.key}").is_dir()}
    fresh = set(missing)
    batches = _batches(list(missing.values()), jobs)
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        for done, _ in enumerate(pool.map(lambda batch: _run(batch, cache), batches), start=1):
            if progress is not None:
                progress(done, len(batches))
    nodes = []
    for name, unit in units.items():
        folder = cache / f"synth-{unit.key}"
        used = resources(cell_counts(folder / "stat.json"))
        nodes.append(NodeSynthesis(name, used, folder / "netlist.json", unit.key not in fresh))
    return SynthesisResult(tuple(nodes))


def _batches(units: Sequence[_Unit], jobs: int) -> list[list[_Unit]]:
    """Spread units over processes, largest text first; starting Yosys costs a second."""
    batches: list[list[_Unit]] = [[] for _ in range(min(jobs, len(units)))]
    sizes = [0] * len(batches)
    for unit in sorted(units, key=lambda u: -sum(len(text) for _, text in u.files)):
        smallest = sizes.index(min(sizes))
        batches[smallest].append(unit)
        sizes[smallest] += sum(len(text) for _, text in unit.files)
    return batches


def _run(batch: Sequence[_Unit], cache: Path) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX, dir=cache) as name:
        work = Path(name)
        commands = library_commands()
        for unit in batch:
            folder = work / unit.key
            folder.mkdir()
            module = unit.instance.rtl.module
            for file, text in unit.files:
                if file == f"{module}.sv":  # $readmemh starts from the working directory
                    text = re.sub(r'= "(\w+\.mem)"', rf'= "{unit.key}/\1"', text)
                (folder / file).write_text(text, encoding="utf-8")
            sources = [f"{unit.key}/{file}" for file, _ in unit.files if file.endswith(".sv")]
            commands += node_commands(
                sources, module, unit.key, block_ram=_block_ram(dict(unit.files)[f"{module}.sv"])
            )
        run_script(commands, work, work / "yosys.log", "synthesis")
        for unit in batch:
            publish_folder(work / unit.key, cache / f"synth-{unit.key}")
