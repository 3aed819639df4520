# SPDX-License-Identifier: Apache-2.0
"""qnnc prove: a bitstream, from its own bits."""

from __future__ import annotations

from typing import Annotated

import typer

from qnnc.cli.options import BuildFolder, BuildPrjxrayDb, Json


def prove(
    build: BuildFolder,
    prjxray_db: BuildPrjxrayDb = None,
    count: Annotated[
        int, typer.Option(min=0, help="Frames on the simulated board; 0 for none.")
    ] = 64,
    json: Json = False,
) -> None:
    """Read a build's bitstream back into a netlist and prove that it is the network.

    Every set bit is explained, check bits and CRC are right, each wire has one driver, every
    flip-flop its clock; the netlist read back equals the one that was routed, and gives the golden
    graph's answers on the simulated board. Exit code 1 if anything is wrong.
    """
    from qnnc.backends.bitstream.proof_of_build import prove as run

    proof = run(build, prjxray_db, count, lambda text: typer.echo(f"{text} …", err=True))
    if json:
        import json as library
        from dataclasses import asdict

        plain = {
            "checks": [asdict(check) for check in proof.checks],
            "faults": [asdict(fault) for fault in proof.faults],
        }
        typer.echo(library.dumps(plain, indent=2))
    else:
        for check in proof.checks:
            typer.echo(f"{check.name:12} {check.status:9} {check.detail}")
        for fault in proof.faults[:40]:
            net = f" (net {fault.net})" if fault.net else ""
            typer.echo(f"{fault.kind}: {fault.where}: {fault.what}{net}")
        if len(proof.faults) > 40:
            typer.echo(f"… and {len(proof.faults) - 40} more (--json shows all)")
    if proof.failed:
        raise typer.Exit(1)
