# SPDX-License-Identifier: Apache-2.0
"""Self-test on the board: runs the golden samples and compares answers: integers exactly,
floating-point numbers up to float32 rounding.

    python3 validate.py

Exit code 0: all equal; 1: some differ or the accelerator failed.
"""

import os
import sys

import numpy as np
from driver import HERE, Accelerator, AcceleratorError


def validate(accelerator, folder=HERE):
    """The number of golden samples, and on how many the answer differs."""
    with np.load(os.path.join(folder, "golden.npz"), allow_pickle=False) as data:
        inputs = [data[name] for name in sorted(data.files) if name.startswith("input")]
        expected = [data[name] for name in sorted(data.files) if name.startswith("output")]
    found = accelerator.predict(inputs)
    found = found if isinstance(found, list) else [found]
    count = len(inputs[0])
    wrong = np.zeros(count, dtype=bool)
    for have, want in zip(found, expected):
        apart = np.abs(np.asarray(have, np.float64).reshape(want.shape) - want)
        reach = 1e-5 * np.abs(want).max() if want.dtype.kind == "f" else 0
        wrong |= ~(apart.reshape(count, -1).max(axis=1) <= reach)
    return count, int(wrong.sum())


def main():
    """Validate and measure."""
    try:
        accelerator = Accelerator()
        count, wrong = validate(accelerator)
        print("%d of %d golden samples equal" % (count - wrong, count))
        speed = accelerator.throughput()
        print(
            "%.0f frames/s in the accelerator, %.0f with packing and unpacking"
            % (speed["frames_per_second"], speed["frames_per_second_with_host"])
        )
        print("latency %.1f us" % (1e6 * accelerator.latency()["seconds"]))
    except AcceleratorError as error:
        print(f"failed: {error}")
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
