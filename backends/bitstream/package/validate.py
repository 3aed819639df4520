# SPDX-License-Identifier: Apache-2.0
"""Self-test on the board: runs the golden samples and compares answers: integers exactly,
floating-point numbers up to float32 rounding.

    sudo python3 validate.py

Exit code 0: all equal; 1: some differ or the accelerator failed; 2: this is not the board, or
something is missing.
"""

import os
import platform
import sys

PYNQ_PYTHON = "/usr/local/share/pynq-venv/bin/python3"
"""Images from 2.7 on keep pynq in an environment of its own, which sudo does not enter."""


def find_pynq():
    """Continue in pynq's own environment if this Python has no pynq and the board has one."""
    try:
        import pynq  # noqa: F401
    except ImportError:
        if os.path.exists(PYNQ_PYTHON) and "QNNC_IN_PYNQ" not in os.environ:
            environment = dict(os.environ, QNNC_IN_PYNQ="1")
            environment.setdefault("XILINX_XRT", "/usr")
            os.execve(PYNQ_PYTHON, [PYNQ_PYTHON, *sys.argv], environment)  # noqa: S606


def obstacle():
    """Why the accelerator cannot be reached from here, in one line, or None."""
    here = os.path.dirname(os.path.abspath(__file__))
    if not platform.machine().startswith("arm"):
        return (
            "this folder is for the board: copy it there (scp -r %s xilinx@BOARD:) and run "
            "sudo python3 validate.py in it; on a PC, `qnnc simulate BUILD --board` runs the same "
            "driver on a simulated board" % os.path.basename(here)
        )
    if os.geteuid() != 0:
        return "only root can configure the programmable logic: run sudo python3 validate.py"
    return None


def validate(accelerator, folder):
    """The number of golden samples, and on how many the answer differs."""
    import numpy as np

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
    """Validate and measure; returns the exit code."""
    reason = obstacle()
    if reason is not None:
        print(reason, file=sys.stderr)
        return 2
    find_pynq()
    try:
        from driver import HERE, Accelerator, AcceleratorError
    except ImportError as error:
        print("validate.py needs numpy and the files beside it: %s" % error, file=sys.stderr)
        return 2
    try:
        accelerator = Accelerator()
        count, wrong = validate(accelerator, HERE)
        print("%d of %d golden samples equal" % (count - wrong, count))
        speed = accelerator.throughput()
        print(
            "%.0f frames/s in the accelerator at %g MHz, %.0f with packing and unpacking"
            % (
                speed["frames_per_second"],
                accelerator.clock_mhz,
                speed["frames_per_second_with_host"],
            )
        )
        print("latency %.1f us" % (1e6 * accelerator.latency()["seconds"]))
    except (AcceleratorError, OSError) as error:
        print("failed: %s" % error, file=sys.stderr)
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
