# SPDX-License-Identifier: Apache-2.0
"""Deploying a package: copied to a board, validated and measured there over the user's ssh."""

from __future__ import annotations

import io
import re
import shlex
import shutil
import subprocess
import tarfile
from pathlib import Path

import numpy as np

from qnnc.backends.bitstream.package.package import NAME
from qnnc.compiler.building.workspace import Workspace
from qnnc.compiler.errors import OptionError, ToolError, WorkspaceError
from qnnc.compiler.samples import load_labels, read_array

PACKAGE = "package"
TARGET = re.compile(r"([A-Za-z0-9_][\w.-]*@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][\w.-]*)")
FOLDER = re.compile(r"[A-Za-z0-9_][\w.-]*(/[A-Za-z0-9_][\w.-]*)*")
NO_CONNECTION = 255
"""Exit code of ssh itself."""
_LABEL = """\
import validate
validate.find_pynq()
import numpy
from driver import Accelerator
samples, labels = numpy.load("samples.npy"), numpy.load("labels.npy")
found = numpy.asarray(Accelerator().predict(samples))
found = found.reshape(len(samples), -1)
found = found.argmax(axis=1) if found.shape[1] > 1 else found[:, 0]
right = int((found == labels).sum())
print("correct %d of %d (%.2f %%)" % (right, len(labels), 100.0 * right / len(labels)))
"""
LABEL = "label.py"


def deploy(
    build: Path,
    target: str,
    *,
    samples: Path | None = None,
    labels: Path | None = None,
    folder: str = "qnnc",
    port: int | None = None,
) -> int:
    """Copy a build's package to a board and run its self-test there, whose output goes to standard
    output.

    Args:
        target: user@host.
        samples: inputs to label on the board.
        labels: of the samples.
        folder: on the board, below the home folder; made if it is not there.

    Returns:
        The self-test's exit code: 0 if every golden sample is equal.

    Raises:
        OptionError: an argument is not of its form.
        WorkspaceError: there is no such build, or it has no package or no bitstream.
        ToolError: there is no ssh, it does not reach the board, or the board cannot take the files.
    """
    if TARGET.fullmatch(target) is None:
        raise OptionError(f"a board is user@host, not {target[:80]!r}")
    if FOLDER.fullmatch(folder) is None:
        raise OptionError(f"--folder is a path below the home folder, not {folder[:80]!r}")
    if (samples is None) != (labels is None):
        raise OptionError("--samples and --labels belong together")
    workspace = Workspace(build)
    with workspace.reading():
        package = workspace.path(PACKAGE)
        if not package.is_dir():
            raise WorkspaceError(f"{build} has no package; build with --until driver or beyond")
        if not (package / f"{NAME}.bit").is_file():
            raise WorkspaceError(
                f"{package} has no {NAME}.bit: there was no place-and-route tool when it was made; "
                f"{package / 'README.md'} says how to get one"
            )
        archive = _archive(package, samples, labels)
    program = shutil.which("ssh")
    if program is None:
        raise ToolError("deploy needs ssh: apt install openssh-client")
    ssh = [program, *(["-p", str(port)] if port else []), target]
    where = shlex.quote(folder)
    _run([*ssh, f"mkdir -p {where} && tar -xf - -C {where}"], target, archive)
    code = _run([*ssh, f"cd {where} && sudo python3 validate.py"], target)
    if code == 0 and samples is not None:
        code = _run([*ssh, f"cd {where} && sudo python3 {LABEL}"], target)
    return code


def _archive(package: Path, samples: Path | None, labels: Path | None) -> bytes:
    """The package, and what is to be labelled, as a tar file."""
    files = {path.name: path.read_bytes() for path in sorted(package.iterdir()) if path.is_file()}
    if samples is not None and labels is not None:
        inputs = read_array(samples)
        for name, array in (("samples", inputs), ("labels", load_labels(labels, len(inputs)))):
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=False)
            files[f"{name}.npy"] = buffer.getvalue()
        files[LABEL] = _LABEL.encode()
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return whole.getvalue()


def _run(command: list[str], target: str, data: bytes | None = None) -> int:
    done = subprocess.run(command, input=data, check=False)
    if done.returncode == NO_CONNECTION:
        raise ToolError(f"ssh did not get through to {target} (exit code {done.returncode})")
    if data is not None and done.returncode:
        raise ToolError(
            f"{target} did not unpack the package (exit code {done.returncode}); free space there, "
            "or give a --folder that can be written"
        )
    return done.returncode
