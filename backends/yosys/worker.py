# SPDX-License-Identifier: Apache-2.0
"""Child process: run the Yosys commands on standard input, one per line."""

from __future__ import annotations

import sys


def main() -> None:
    """Run them; an error in Yosys ends the process."""
    from pyosys import libyosys  # pyright: ignore[reportAttributeAccessIssue]

    design = libyosys.Design()
    for command in sys.stdin.read().splitlines():
        if command.strip():
            libyosys.run_pass(command, design)


if __name__ == "__main__":
    main()
