# SPDX-License-Identifier: Apache-2.0
"""`python -m qnnc.cli` is `qnnc`."""

from qnnc.cli.main import main

main()
