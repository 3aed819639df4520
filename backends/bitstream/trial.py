# SPDX-License-Identifier: Apache-2.0
"""Trying the tools that were found on a tiny design: a counter at the processing system."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from qnnc.backends.bitstream.fasm import Database, assemble, needed_database
from qnnc.backends.bitstream.netlist.for_nextpnr import adapt
from qnnc.backends.bitstream.nextpnr import find_nextpnr, route
from qnnc.backends.bitstream.nextpnr.tool import GET
from qnnc.backends.bitstream.prove import Check, examine
from qnnc.backends.yosys import run_script
from qnnc.compiler.errors import ToolError, VerificationError

_TOP = "trial"
_CLOCK_MHZ = 100.0
_DESIGN = """\
module trial;
  wire [3:0] clocks, resets;
  wire clock;
  reg [7:0] count;
  always @(posedge clock) count <= resets[0] ? count + 8'd1 : 8'd0;
  BUFG buffer (.I(clocks[0]), .O(clock));
  (* keep *) PS7 processing_system (
    .FCLKCLK(clocks), .FCLKRESETN(resets), .DDRARB(4'd0), .EMIOGPIOI({56'd0, count}));
endmodule
"""


def try_tools(
    part: str,
    program: str = "",
    chipdb: Path | None = None,
    prjxray_db: Path | None = None,
    notify: Callable[[str], None] = lambda text: None,
) -> list[Check]:
    """Take a counter from Verilog to a bitstream, and prove that.

    Args:
        part: to make it for.
        program: a nextpnr, instead of looking for one.
        notify: called with each step.

    Returns:
        What the proof checked.

    Raises:
        WorkspaceError: there is no database, or it is broken.
        ToolError: a tool is missing or fails.
        VerificationError: the bitstream is not the counter.
    """
    tool = find_nextpnr(part, program, chipdb)
    if tool is None:
        raise ToolError(f"no nextpnr was found: {GET}")
    root = needed_database(prjxray_db, part)
    with tempfile.TemporaryDirectory(prefix="qnnc-trial-") as name:
        folder = Path(name)
        (folder / "trial.v").write_text(_DESIGN, encoding="utf-8")
        run_script(
            ["read_verilog trial.v", f"synth_xilinx -family xc7 -flatten -noiopad -top {_TOP}",
             "write_json trial.json"],
            folder, folder / "yosys.log", "synthesis of the trial",
        )  # fmt: skip
        netlist = json.loads((folder / "trial.json").read_text(encoding="utf-8"))
        adapt(netlist, _TOP, {})
        (folder / "netlist.json").write_text(json.dumps(netlist), encoding="utf-8")
        notify(f"{tool.version()} places and routes a counter")
        routed = route(tool, part, folder / "netlist.json", folder, _CLOCK_MHZ)
        fasm = routed.fasm.read_text(encoding="utf-8").splitlines()
        payload = assemble(fasm, Database(root, part), "trial")
        proof = examine(payload, root, part, fasm, netlist["modules"][_TOP], notify)
    if proof.failed:
        first = proof.faults[0]
        raise VerificationError(
            f"these tools do not fit together: {first.kind} at {first.where}: {first.what}"
        )
    return proof.checks
