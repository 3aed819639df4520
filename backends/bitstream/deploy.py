# SPDX-License-Identifier: Apache-2.0
"""Deploying a package: copied to a board, validated and measured there over the user's ssh."""

from __future__ import annotations

import hashlib
import io
import re
import shlex
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from qnnc.backends.bitstream.package.package import NAME
from qnnc.compiler.building.workspace import Workspace
from qnnc.compiler.errors import OptionError, ToolError, WorkspaceError, printable
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
RECORD, NEW = ".qnnc-deployed", ".qnnc-new"
"""Hashes of what was copied to a folder of the board, and where a package is before it takes its
place."""
FOREIGN = 73
"""Exit code where a file of the user's is in the way."""
_UNPACK = """\
mkdir -p {where} && cd {where} && rm -rf {new} && mkdir {new} && tar -xf - -C {new} || exit 1
for f in {names}; do
  if test -L "$f" || test -e "$f"; then
    test ! -L "$f" && grep -qxF "$(sha256sum "$f" 2>/dev/null)" {record} 2>/dev/null || {foreign}
  fi
done
cat {new}/{record} >> {record} || exit 1
for f in {names}; do mv -fT {new}/"$f" "$f" || exit 1; done
mv -f {new}/{record} {record} && rmdir {new}
"""
"""The record names old and new files for as long as either may be there. GNU's coreutils, as on
every board that PYNQ runs on."""


def deploy(
    build: Path,
    target: str,
    *,
    samples: Path | None = None,
    labels: Path | None = None,
    folder: str = "qnnc",
    port: int | None = None,
    force: bool = False,
) -> int:
    """Copy a build's package to a board and run its self-test there, whose output goes to standard
    output.

    Args:
        target: user@host.
        samples: inputs to label on the board.
        labels: of the samples.
        folder: on the board, below the home folder; made if it is not there.
        force: replace files there that are not qnnc's, or have changed since.

    Returns:
        The self-test's exit code: 0 if every golden sample is equal.

    Raises:
        OptionError: an argument is not of its form.
        WorkspaceError: there is no such build, or it has no package or no bitstream; or a file on
            the board that no deployment has put there is in the way.
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
        files = _files(package, samples, labels)
    program = shutil.which("ssh")
    if program is None:
        raise ToolError("deploy needs ssh: apt install openssh-client")
    ssh = [program, *(["-p", str(port)] if port else []), target]
    where = shlex.quote(folder)
    script = _UNPACK.format(
        where=where,
        new=NEW,
        record=RECORD,
        names=" ".join(map(shlex.quote, files)),
        foreign="true" if force else f'{{ printf %s "$f"; rm -rf {NEW}; exit {FOREIGN}; }}',
    )
    _copy([*ssh, script], target, folder, files)
    code = _run([*ssh, f"cd {where} && sudo python3 validate.py"], target)
    if code == 0 and samples is not None:
        code = _run([*ssh, f"cd {where} && sudo python3 {LABEL}"], target)
    return code


def _files(package: Path, samples: Path | None, labels: Path | None) -> dict[str, bytes]:
    """The package, and what is to be labelled."""
    files = {path.name: path.read_bytes() for path in sorted(package.iterdir()) if path.is_file()}
    if samples is not None and labels is not None:
        inputs = read_array(samples)
        for name, array in (("samples", inputs), ("labels", load_labels(labels, len(inputs)))):
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=False)
            files[f"{name}.npy"] = buffer.getvalue()
        files[LABEL] = _LABEL.encode()
    return files


def _archive(files: Mapping[str, bytes]) -> bytes:
    """Files and their hashes, as a tar file."""
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()]
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for name, data in {**files, RECORD: "".join(lines).encode()}.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return whole.getvalue()


def _copy(command: list[str], target: str, folder: str, files: Mapping[str, bytes]) -> None:
    done = subprocess.run(command, input=_archive(files), stdout=subprocess.PIPE, check=False)
    _check_connection(done.returncode, target)
    if done.returncode == FOREIGN:
        name = printable(done.stdout.decode("utf-8", "replace")[:80])
        raise WorkspaceError(
            f"{target} has a file {folder}/{name} that is not qnnc's, or has changed since; choose "
            "another --folder, or give --force to replace it"
        )
    if done.returncode:
        raise ToolError(
            f"{target} did not unpack the package (exit code {done.returncode}); free space there, "
            "or give a --folder that can be written"
        )


def _run(command: list[str], target: str) -> int:
    code = subprocess.run(command, check=False).returncode
    _check_connection(code, target)
    return code


def _check_connection(code: int, target: str) -> None:
    if code == NO_CONNECTION:
        raise ToolError(f"ssh did not get through to {target} (exit code {code})")
