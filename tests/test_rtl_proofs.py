# SPDX-License-Identifier: Apache-2.0
"""The library's buffers, converters, credits and arbiters are proved, not only simulated: for all
inputs and any number of cycles, and with their own assertions. Planted defects are refuted."""

from __future__ import annotations

from pathlib import Path

import pytest

from qnnc.backends.design import port_names
from qnnc.backends.rtl.stitch import stitch
from tests.support.nodes import Case, concat, join, model_of, shuffle, split, windows
from tests.support.proof import prove
from tests.support.rtl_lint import macros, modules, with_defect

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


def matrices(*, banks: int, inner: int, outer: int, repeat: int, strided: int) -> str:
    """A proof of the buffer of matrices."""
    text = (PROOFS / "matrix.sv.in").read_text()
    return text.format(banks=banks, inner=inner, outer=outer, repeat=repeat, strided=strided)


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
    "matrices in a row": matrices(banks=2, inner=2, outer=1, repeat=2, strided=0),
    "matrices in strides": matrices(banks=2, inner=2, outer=2, repeat=1, strided=1),
    "read arbiter": (PROOFS / "read_arbiter.sv").read_text(),
    "write arbiter": (PROOFS / "write_arbiter.sv").read_text(),
    "AXI registers": (PROOFS / "axi_registers.sv").read_text(),
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
    ("fifo of 4", "qnnc_fifo", "stored != FULL - 1'b1;", "1'b1;"),  # overflows
    ("fifo of 4", "qnnc_fifo", "wire read = some &", "wire read ="),  # gives what is not there
    ("fifo of 4", "qnnc_fifo", "if (write & ~read) begin", "if (write) begin"),  # loses room
    ("fifo of 4", "qnnc_fifo", "(~m_axis_tvalid | m_axis_tready)", "1'b1"),  # drops a word
    ("register slice", "qnnc_register_slice", "if (move) m_axis_tdata", "m_axis_tdata"),
    ("up by 3", "qnnc_dwc_up", "~last | ~m_axis_tvalid", "1'b1"),
    ("down by 5", "qnnc_dwc_down", "waiting_full & free", "waiting_full"),
    ("credits and FIFO", "qnnc_credit", "left - 1'b1", "left"),  # a credit too many
    ("credits and FIFO", "qnnc_credit", "give & ~take", "give & 1'b0"),  # none returns
    ("replay of vectors", "qnnc_replay_buffer", "~full[write_bank]", "1'b1"),
    ("matrices in a row", "qnnc_matrix_buffer", "~full[write_half]", "1'b1"),
    ("matrices in a row", "qnnc_matrix_buffer", "load & pass_last", "load"),
    ("matrices in strides", "qnnc_matrix_buffer", "begun + 1'b1", "write_address + 1'b1"),
    ("read arbiter", "qnnc_read_arbiter", "~m_arvalid | m_arready", "1'b1"),
    ("write arbiter", "qnnc_write_arbiter", "& m_wlast)", ")"),
]


@pytest.mark.parametrize(("name", "module", "right", "wrong"), DEFECTS)
def test_a_defect_is_refuted(
    name: str, module: str, right: str, wrong: str, tmp_path: Path
) -> None:
    changed = {f"{module}.sv": with_defect(modules()[module], right, wrong)}
    verdict = prove("proof", sources(CASES[name], changed), tmp_path)
    assert not verdict.holds and verdict.cycles is not None


AXI = [
    ("AXI registers", "ANSWER: if (s_axi_bready)", "ANSWER:", "response_holds"),
    ("AXI registers", "if (state == WAIT) s_axi_rdata", "s_axi_rdata", "read_data_holds"),
    ("AXI registers", "    write <= 1'b0;\n", "", "one_access"),
    ("read arbiter", "m_arready & m_arvalid & m_arid == i", "m_arready", "one_grant"),
    ("read arbiter", "m_rvalid & m_rid == i", "m_rvalid", "one_receiver"),
    ("read arbiter", "~m_arvalid | m_arready", "1'b1", "address_holds"),
    ("write arbiter", "asked & turn == i", "asked", "one_grant"),
    ("write arbiter", "busy & m_wready & owner == i", "busy & m_wready", "one_sender"),
    ("write arbiter", "m_bvalid & m_bid == i", "m_bvalid", "one_receiver"),
    ("write arbiter", "~m_awvalid | m_awready", "1'b1", "address_holds"),
    ("write arbiter", "m_wvalid & m_wready & m_wlast", "m_wvalid & m_wlast", "data_holds"),
]


@pytest.mark.parametrize(("name", "right", "wrong", "label"), AXI)
def test_each_assertion_on_axi_can_fail(
    name: str, right: str, wrong: str, label: str, tmp_path: Path
) -> None:
    """Of the assertions of these modules, the one that is labelled so refutes the defect."""
    module = f"qnnc_{name.lower().replace(' ', '_')}"
    text = modules()[module]
    assert text.count(right) == 1 and label in text
    changed = {f"{module}.sv": with_defect(text, right, wrong)}
    verdict = prove("proof", sources(CASES[name], changed), tmp_path, f"dut.{label}*")
    assert not verdict.holds and verdict.assertions == 1


GENERATED = [
    (windows(image=(2, 3), kernel=(2, 2)), "<= room;", "<= 1'b1;", "no_overflow"),
    (windows(image=(2, 3), kernel=(2, 2)), "<= there;", "<= 1'b1;", "no_underflow"),
    (windows(image=(2, 3), kernel=(2, 2)), "if (advance) m_axis_tvalid", "m_axis_tvalid", "m_axis"),
    (shuffle(apart=(1, 2, 2), perm=(0, 2, 1)), "~full[write_half]", "1'b1", "halves_apart"),
    (shuffle(apart=(1, 2, 2), perm=(0, 2, 1)), "~m_axis_tvalid | m_axis_tready", "1'b1", "m_axis"),
    (
        join(op="Add", vectors=(1,), channels=2, kinds=("UINT1", "UINT1")),
        "if (move) m_axis_tdata",
        "m_axis_tdata",
        "m_axis",
    ),
    (
        concat(vectors=(1,), channels=(1, 2), kinds=("UINT1", "UINT1")),
        "turn <= 1;",
        "turn <= 3;",
        "one_turn",
    ),
    (split(vectors=(1,), channels=(1, 2), kind="UINT1"), "turn <= 1;", "turn <= 3;", "one_turn"),
]
"""Of each: a node whose template has a handshake of its own, text, what stands for it, the
assertion that fails."""


def node_sources(case: Case, right: str = "", wrong: str = "") -> dict[str, str]:
    """A generated node with free inputs, after a reset."""
    rtl = stitch(model_of([case])).instances[0].rtl
    inputs, connections = [], [".aclk(aclk)", ".aresetn(aresetn)"]
    for base, bits, free in (
        ("s_axis", rtl.s_bits, ("tdata", "tvalid")),
        ("m_axis", rtl.m_bits, ("tready",)),
    ):
        for port, width in zip(port_names(base, len(bits)), bits, strict=True):
            connections += [f".{port}_{name}({port}_{name})" for name in free]
            inputs += [
                f"input wire [{width - 1 if name == 'tdata' else 0}:0] {port}_{name}"
                for name in free
            ]
    text = (
        f"module proof (input wire aclk, {', '.join(inputs)});\n"
        "  reg aresetn = 1'b0;\n  always @(posedge aclk) aresetn <= 1'b1;\n"
        f"  {rtl.module} dut ({', '.join(connections)});\nendmodule\n"
    )
    node = with_defect(rtl.text, right, wrong) if right else rtl.text
    return sources(text, {f"{rtl.module}.sv": node})


@pytest.mark.parametrize("case", {case.op_type: case for case, *_ in GENERATED}.values())
def test_the_assertions_of_nodes_hold_for_ever(case: Case, tmp_path: Path) -> None:
    verdict = prove("proof", node_sources(case), tmp_path)
    assert verdict.holds, f"refuted in {verdict.cycles} cycles"
    assert verdict.assertions >= 1


@pytest.mark.parametrize(("case", "right", "wrong", "label"), GENERATED)
def test_each_assertion_of_a_node_can_fail(
    case: Case, right: str, wrong: str, label: str, tmp_path: Path
) -> None:
    verdict = prove("proof", node_sources(case, right, wrong), tmp_path, f"dut.{label}*")
    assert not verdict.holds and verdict.assertions == 1
