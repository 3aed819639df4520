# SPDX-License-Identifier: Apache-2.0
"""A constant matrix in da4ml's Verilog; runs in an environment that has da4ml.

python da4ml_matrix.py MATRIX.npz FOLDER

MATRIX.npz holds `weights` [inputs, outputs], `constants` [outputs], `low` and `high` of the inputs.
"""

from __future__ import annotations

import sys

import numpy as np
from da4ml.codegen import RTLModel
from da4ml.trace import FixedVariableArray, HWConfig, comb_trace


def main() -> None:
    """An adder graph with a register after every adder."""
    given = np.load(sys.argv[1])
    weights = given["weights"].astype(np.float64)
    ends = [np.full(len(weights), float(given[name])) for name in ("low", "high")]
    x = FixedVariableArray.from_lhs(*ends, np.ones(len(weights)), HWConfig(1, -1, -1))
    graph = comb_trace(x, x @ weights + given["constants"].astype(np.float64))
    RTLModel(graph, "da4ml_matrix", sys.argv[2], latency_cutoff=1, print_latency=False).write()


if __name__ == "__main__":
    main()
