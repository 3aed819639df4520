# SPDX-License-Identifier: Apache-2.0
"""The package's notebook, for the board's Jupyter."""

from __future__ import annotations

import json
from typing import Any

_CELLS = (
    (
        "markdown",
        "# {name} for {board}\n\nA quantized neural network in the programmable logic. Run the "
        "cells from the top; Jupyter on the board has to run as root, as it does on PYNQ's images.",
    ),
    (
        "code",
        "import numpy as np\n\nfrom driver import Accelerator\n\naccelerator = Accelerator()\n"
        "accelerator.clock_mhz",
    ),
    ("markdown", "Golden samples: the network's own answers, from the build."),
    (
        "code",
        'golden = np.load("golden.npz")\n'
        'inputs = [golden[f"input_{{i}}"] for i in range({inputs})]\n'
        "answers = accelerator.predict(inputs if len(inputs) > 1 else inputs[0])\n"
        "answers = answers if isinstance(answers, list) else [answers]\n"
        "for i, answer in enumerate(answers):\n"
        '    wanted = golden[f"output_{{i}}"]\n'
        "    print(i, np.abs(np.asarray(answer, float).reshape(wanted.shape) - wanted).max())",
    ),
    ("markdown", "Frames per second by the accelerator's counter, and the time of one frame."),
    ("code", "accelerator.throughput()"),
    ("code", "accelerator.latency()"),
    (
        "markdown",
        "Cycles in which each stream's receiver waited, and in which a word waited: which side is "
        "slower.",
    ),
    ("code", "accelerator.stalls()"),
)


def notebook(name: str, board: str, inputs: int) -> str:
    """The notebook's text.

    Args:
        inputs: of the network.
    """
    cells: list[dict[str, Any]] = []
    for number, (kind, text) in enumerate(_CELLS):
        source = text.format(name=name, board=board, inputs=inputs)
        cell: dict[str, Any] = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}}
        cell["source"] = source.splitlines(keepends=True)
        if kind == "code":
            cell |= {"execution_count": None, "outputs": []}
        cells.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1) + "\n"
