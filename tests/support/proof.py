# SPDX-License-Identifier: Apache-2.0
"""Unbounded proofs of SystemVerilog assertions: Yosys translates, ABC's property-directed
reachability (`pdr`) finds an inductive invariant or a counterexample. Both come with pyosys."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qnnc.backends.yosys import run_script, share_folder

SECONDS = 60
"""After which a proof is given up, which fails the test."""

_TRANSLATE = """\
prep -top {top}
flatten
memory_map
opt -full
async2sync
chformal -lower
dffunmap
formalff -setundef -clk2ff -ff2anyinit
setundef -undriven -anyseq
opt -full
setundef -anyseq
techmap
opt -fast
aigmap
opt_clean
setundef -anyseq
write_aiger -zinit proof.aig"""


@dataclass(frozen=True)
class Verdict:
    """What became of a proof.

    Attributes:
        holds: every assertion holds in every state that can be reached.
        assertions: how many there are.
        cycles: length of the counterexample, if there is one.
    """

    holds: bool
    assertions: int
    cycles: int | None = None


def prove(top: str, sources: Mapping[str, str], folder: Path, only: str = "") -> Verdict:
    """Prove the assertions of a module and of all below it, from reset on.

    Args:
        top: the module; its inputs are free.
        sources: text of every file, by name.
        folder: an empty folder to work in.
        only: label of the assertions to prove; by default all.
    """
    for name, text in sources.items():
        (folder / name).write_text(text, encoding="utf-8")
    files = " ".join(sorted(name for name in sources if name.endswith(".sv")))
    read = f"read_verilog -defer -formal -sv -DQNNC_ASSERTIONS {files}"
    prune = [f"delete t:$assert t:$check %u c:*{only} %d"] if only else []
    prepare, flatten, *rest = _TRANSLATE.format(top=top).splitlines()
    commands = [read, prepare, flatten, *prune, *rest]
    run_script(commands, folder, folder / "yosys.log", f"translating {top}")
    done = subprocess.run(
        [str(share_folder().parent / "yosys-abc"), "-c", "read_aiger proof.aig; fold; pdr"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS,
    )
    header = (folder / "proof.aig").read_bytes().split(b"\n", 1)[0].decode().split()
    assertions = int(header[6]) if len(header) > 6 else 0
    if "Property proved" in done.stdout:
        return Verdict(True, assertions)
    found = re.search(r"was asserted in frame (\d+)", done.stdout)
    assert found, done.stdout
    return Verdict(False, assertions, int(found[1]) + 1)
