# SPDX-License-Identifier: Apache-2.0
"""The example plug-in package, installed by pip into a fresh environment and used from there."""

from __future__ import annotations

import importlib.util
import itertools
import json
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conftest import ROOT, once

PACKAGE = ROOT / "examples" / "plugins" / "qnnc-sklearn"
Array = NDArray[np.float32]
SAVE = """
import sys
from types import SimpleNamespace
import numpy as np
from qnnc_sklearn import save
with np.load(sys.argv[1]) as a:
    n = int(a["layers"])
    save(
        SimpleNamespace(
            coefs_=[a[f"w{i}"] for i in range(n)],
            intercepts_=[a[f"b{i}"] for i in range(n)],
            activation=str(a["activation"]),
            out_activation_=str(a["out"]),
            classes_=np.arange(max(2, a[f"b{n - 1}"].size)),
        ),
        sys.argv[2],
        a["rows"],
    )
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment that has what this one has, and the plug-in."""
    if importlib.util.find_spec("pip") is None or importlib.util.find_spec("setuptools") is None:
        pytest.skip("needs pip and setuptools, which are not installed")
    with once(tmp_path_factory, "sklearn-plugin") as folder:
        interpreter = folder / "venv" / "bin" / "python"
        if (folder / "done").exists():
            return interpreter
        venv.create(folder / "venv", with_pip=False, symlinks=True)
        here = [path for path in sys.path if path.endswith("site-packages")]
        lines = [f"import site; site.addsitedir({path!r})" for path in here]
        site = next((folder / "venv").glob("lib/python*/site-packages"))
        (site / "host.pth").write_text("\n".join(lines) + "\n")
        source = shutil.copytree(PACKAGE, folder / "source")  # setuptools builds in the source
        run(
            *(sys.executable, "-m", "pip", "--python", interpreter, "install", "--quiet"),
            *("--no-deps", "--no-build-isolation", "--no-index", source),
        )
        (folder / "done").touch()
    return interpreter


def run(*command: str | Path, code: int = 0) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def network(sizes: tuple[int, ...], activation: str, out: str = "softmax") -> dict[str, Array]:
    """Arrays of a random network, and the rows to calibrate it with."""
    rng = np.random.default_rng(3)
    arrays = {
        "layers": np.array(len(sizes) - 1),
        "activation": np.array(activation),
        "out": np.array(out),
        "rows": rng.integers(0, 16, size=(200, sizes[0])).astype(np.float32),
    }
    for i, (k, m) in enumerate(itertools.pairwise(sizes)):
        arrays[f"w{i}"] = (rng.normal(size=(k, m)) / np.sqrt(k) / (8 if i == 0 else 1)).astype(
            np.float32
        )
        arrays[f"b{i}"] = rng.normal(size=m).astype(np.float32) / 4
    return arrays


def scores(arrays: dict[str, Array]) -> Array:
    """In float, as scikit-learn computes them before softmax."""
    functions = {
        "identity": lambda x: x,
        "relu": lambda x: np.maximum(x, 0),
        "tanh": np.tanh,
        "logistic": lambda x: 1 / (1 + np.exp(-x)),
    }
    x, count = arrays["rows"], int(arrays["layers"])
    for i in range(count):
        x = x @ arrays[f"w{i}"] + arrays[f"b{i}"]
        if i < count - 1:
            x = functions[str(arrays["activation"])](x)
    return x


def saved(python: Path, arrays: dict[str, Array], folder: Path) -> Path:
    np.savez(folder / "plain.npz", **arrays)
    run(python, "-c", SAVE, folder / "plain.npz", folder / "net.npz")
    return folder / "net.npz"


@pytest.fixture(scope="module")
def archive(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(python, network((16, 12, 5), "relu"), tmp_path_factory.mktemp("archive"))


def build(python: Path, model: Path, *extra: str | Path) -> list[str | Path]:
    out = model.with_name("out")
    command = [python, "-m", "qnnc.cli", "build", model, "--out", out, "--top-k", "1"]
    return [*command, "--fps", "100000", "--until", "estimate", "--json", *extra]


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_network_compiles_to_what_it_was(activation: str, python: Path, tmp_path: Path) -> None:
    arrays = network((16, 12, 8, 5), activation)
    model = saved(python, arrays, tmp_path)
    samples = tmp_path / "samples.npy"
    np.save(samples, arrays["rows"])
    extra = ("--samples", samples, "--input-type", "uint4")
    report = json.loads(run(*build(python, model, *extra)))
    assert report["verification"]["mismatches"] == 0
    checked = report["verification"]
    assert checked["samples"] - checked["corner_samples"] == 200
    assert [layer["op"] for layer in report["layers"]].count("MVAU") == 3
    assert report["host"]["pre_nodes"] == []
    labels = tmp_path / "labels.npy"
    np.save(labels, np.argmax(scores(arrays), axis=1))
    verify = ("verify", model.with_name("out"), "--samples", samples, "--labels", labels)
    lines = run(python, "-m", "qnnc.cli", *verify).splitlines()
    assert lines[1] == "same as golden 200 of 200"
    assert int(lines[0].split()[1]) >= 190, lines[0]  # as many as 8 bits leave as they were


def test_two_classes_get_an_output_each(python: Path, tmp_path: Path) -> None:
    arrays = network((16, 12, 1), "relu", "logistic")
    model = saved(python, arrays, tmp_path)
    run(*build(python, model))
    np.save(tmp_path / "x.npy", arrays["rows"])
    wanted = (scores(arrays)[:, 0] > 0).astype(np.int64)
    assert 20 < wanted.sum() < 180
    np.save(tmp_path / "y.npy", wanted)
    files = ("--samples", tmp_path / "x.npy", "--labels", tmp_path / "y.npy")
    first = run(python, "-m", "qnnc.cli", "verify", model.with_name("out"), *files).split()
    assert int(first[1]) >= 190


def test_options_are_the_plug_ins(python: Path, archive: Path, tmp_path: Path) -> None:
    model = shutil.copy(archive, tmp_path / "net.npz")
    extra = ("--frontend", "sklearn-mlp", "--frontend-option")
    report = json.loads(run(*build(python, model, *extra, "activation-bits=3")))
    assert "UINT3" in {layer["output_type"] for layer in report["layers"]}
    for option, names in (
        ("activation-bits=9", "from 1 to 8"),
        ("activation-bit=3", "did you mean activation-bits"),
    ):
        error = run(*build(python, model, *extra, option), code=2)
        assert error.count("\n") == 1 and names in error


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"activation": np.array("softplus")}, ("'softplus'", "'relu'")),
        ({"weights1": np.zeros((3, 5), np.float32)}, ("'weights1'", "[3, 5]")),
        ({"biases0": np.full(12, np.nan, np.float32)}, ("'biases0'", "finite")),
        ({"rows": np.array(["a"])}, ("'rows'",)),
        ({"rows": np.array([{}], dtype=object)}, ("not an archive of plain arrays",)),
        ({"format": np.array("qnnc-sklearn 0")}, ("save the classifier again",)),
    ],
)
def test_a_wrong_archive_is_refused_in_one_line(
    change: dict[str, Array], names: tuple[str, ...], python: Path, archive: Path, tmp_path: Path
) -> None:
    model = tmp_path / "net.npz"
    with np.load(archive) as arrays:
        spoilt = {**arrays, **change}
    with model.open("wb") as file:
        np.savez(
            file, **spoilt
        )  # pickles what is not an array of numbers: what a stranger might send
    error = run(*build(python, model), code=2)
    assert error.count("\n") == 1 and all(name in error for name in names), error


def test_other_archives_are_left_alone(python: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.npz", "w") as archive:
        archive.writestr("x.npy", b"")
    error = run(*build(python, tmp_path / "other.npz"), code=2)
    assert "no frontend" in error and "sklearn-mlp" in error


def test_scikit_learn_itself(python: Path, tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    script = PACKAGE / "digits.py"
    printed = subprocess.run(
        [python, script], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    files = ("--samples", tmp_path / "samples.npy", "--labels", tmp_path / "labels.npy")
    report = json.loads(run(*build(python, tmp_path / "digits.npz", *files)))
    assert report["verification"]["mismatches"] == 0
    lines = run(python, "-m", "qnnc.cli", "verify", tmp_path / "out", *files).splitlines()
    before, after = float(printed.split("%")[0]), 100 * int(lines[0].split()[1]) / 500
    assert after >= before - 1 and lines[1] == "same as golden 500 of 500"
