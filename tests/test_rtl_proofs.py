# SPDX-License-Identifier: Apache-2.0
"""The library's buffers, converters, credits and arbiters are proved, not only simulated: for all
inputs and for ever, and with their own assertions. Defects that are planted are refuted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.proof import prove
from tests.support.rtl_lint import macros, modules

PROOFS = Path(__file__).parent / "proofs"


def stream(module: str, pushed: int, popped: int, capacity: int, **parameters: int) -> str:
    """A proof of a module between two streams; words in and out in units of one bit."""
    given = {"WIDTH": 1, **parameters}
    return (
        (PROOFS / "stream.sv.in")
        .read_text()
        .format(
            module=module,
            pushed=pushed,
            popped=popped,
            capacity=capacity,
            parameters=", ".join(f".{name}({value})" for name, value in given.items()),
        )
    )


def credit(module: str, depth: int) -> str:
    """A proof of credits and the output buffer that they guard."""
    return (PROOFS / "credit.sv.in").read_text().format(module=module, depth=depth)


def replay(sf: int, nf: int, latency: int) -> str:
    """A proof of the replay buffer."""
    return (PROOFS / "replay.sv.in").read_text().format(sf=sf, nf=nf, latency=latency)


CASES = {
    "fifo of 2": stream("qnnc_fifo", 1, 1, 2, DEPTH=2),
    "fifo of 4": stream("qnnc_fifo", 1, 1, 4, DEPTH=4),
    "fifo in block RAM": stream("qnnc_fifo", 1, 1, 3, DEPTH=3, BLOCK=1),
    "register slice": stream("qnnc_register_slice", 1, 1, 2),
    "up by 2": stream("qnnc_dwc_up", 1, 2, 3, RATIO=2),
    "up by 3": stream("qnnc_dwc_up", 1, 3, 5, RATIO=3),
    "down by 3": stream("qnnc_dwc_down", 3, 1, 7, RATIO=3),
    "down by 5": stream("qnnc_dwc_down", 5, 1, 12, RATIO=5),
    "credit and register": credit("qnnc_output_buffer", 1),
    "credits and registers": credit("qnnc_output_buffer", 3),
    "credits and FIFO": credit("qnnc_output_fifo", 5),
    "replay of vectors": replay(2, 2, 2),
    "replay of words": replay(1, 3, 1),
    "no replay": replay(3, 1, 1),
    "read arbiter": (PROOFS / "read_arbiter.sv").read_text(),
    "write arbiter": (PROOFS / "write_arbiter.sv").read_text(),
}


def sources(proof: str, changed: dict[str, str] | None = None) -> dict[str, str]:
    """Every file that a proof may need, some with other text."""
    library = {f"{name}.sv": text for name, text in modules().items()}
    scoreboard = (PROOFS / "scoreboard.sv").read_text()
    own = {"proof.sv": proof, "scoreboard.sv": scoreboard}
    return {**library, **macros(), **own, **(changed or {})}


@pytest.mark.parametrize("name", CASES)
def test_the_assertions_hold_for_ever(name: str, tmp_path: Path) -> None:
    verdict = prove("proof", sources(CASES[name]), tmp_path)
    assert verdict.holds, f"{name}: refuted in {verdict.cycles} cycles"
    assert verdict.assertions >= 4


DEFECTS = [
    ("fifo of 4", "qnnc_fifo", "stored != FULL;", "1'b1;"),  # overflows
    ("fifo of 4", "qnnc_fifo", "(stored != 0) &", ""),  # gives what is not there
    ("fifo of 4", "qnnc_fifo", "if (write & ~read) stored", "if (write) stored"),  # loses room
    ("fifo of 4", "qnnc_fifo", "(~m_axis_tvalid | m_axis_tready)", "1'b1"),  # drops a word
    ("register slice", "qnnc_register_slice", "if (move) m_axis_tdata", "m_axis_tdata"),
    ("up by 3", "qnnc_dwc_up", "~last | ~m_axis_tvalid", "1'b1"),
    ("down by 5", "qnnc_dwc_down", "waiting_full & (~busy | (advance & last))", "waiting_full"),
    ("credits and FIFO", "qnnc_credit", "left - 1'b1", "left"),  # a credit too many
    ("credits and FIFO", "qnnc_credit", "give & ~take", "give & 1'b0"),  # none returns
    ("replay of vectors", "qnnc_replay_buffer", "~full[write_bank]", "1'b1"),
    ("read arbiter", "qnnc_read_arbiter", "~m_arvalid | m_arready", "1'b1"),
    ("write arbiter", "qnnc_write_arbiter", "& m_wlast)", ")"),
]


@pytest.mark.parametrize(("name", "module", "right", "wrong"), DEFECTS)
def test_a_defect_is_refuted(
    name: str, module: str, right: str, wrong: str, tmp_path: Path
) -> None:
    text = modules()[module]
    assert text.count(right) >= 1
    changed = {f"{module}.sv": re.sub(re.escape(right), wrong, text)}
    verdict = prove("proof", sources(CASES[name], changed), tmp_path)
    assert not verdict.holds and verdict.cycles is not None
