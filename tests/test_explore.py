# SPDX-License-Identifier: Apache-2.0
"""Studies: what their files may say, images, formats, findings, and the page."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from qnnc.compiler.errors import OptionError, WorkspaceError
from qnnc.explore.data import load_images
from qnnc.explore.energy import Product, frame_uj
from qnnc.explore.formats import quantize
from qnnc.explore.report import files
from qnnc.explore.results import to_csv
from qnnc.explore.study import Widths, load_study, shipped
from tests.support.build import run_main
from tests.support.study import needs_training, result, write_images, write_study

Capture = pytest.CaptureFixture[str]
WORKERS = 6
NUMBERS = (0.136, 0.357, 0.639, 1.135, 2)
TABLE_1 = {
    1: (1, 1, 1, 1, 1),
    2: (0, 0, 1, 1, 1),
    3: (0, 0.5, 0.5, 1, 1.5),
    4: (0.25, 0.25, 0.75, 1.25, 1.75),
    5: (0.125, 0.375, 0.625, 1.125, 1.875),
    6: (0.125, 0.375, 0.625, 1.125, 1.9375),
    7: (0.125, 0.34375, 0.625, 1.125, 1.96875),
    8: (0.140625, 0.359375, 0.640625, 1.140625, 1.984375),
}
"""The paper's table 1: numbers in formats of 1 to 8 bits."""


@pytest.mark.parametrize("bits", TABLE_1)
def test_table_1(bits: int) -> None:
    assert quantize(NUMBERS, bits).tolist() == list(TABLE_1[bits])
    assert quantize([-x for x in NUMBERS], bits).tolist() == [-x for x in TABLE_1[bits]]


@needs_training
@pytest.mark.parametrize("bits", TABLE_1)
def test_table_1_in_brevitas(bits: int) -> None:
    import torch

    from qnnc.explore.training.network import linear, quantizer

    layer = linear(len(NUMBERS), 1, bits)
    numbers = torch.tensor([NUMBERS])
    layer.weight.data = numbers
    assert layer.quant_weight().value.tolist()[0] == list(TABLE_1[bits])
    assert quantizer(bits)(numbers).tolist()[0] == list(TABLE_1[bits])


def test_the_papers_study() -> None:
    study = load_study("bacchus2020")
    assert "bacchus2020" in shipped()
    assert (study.network.inputs, study.network.hidden) == (784, (1024, 1024, 1024))
    assert study.training.epochs == (10, 20, 30, 50, 100)
    names = [widths.name for widths in study.grid()]
    assert len(names) == 64 and len(set(names)) == 64 and {"W1A1", "W8A8", "W3A7"} <= set(names)
    assert len(load_study("bacchus2020", quick=True).grid()) == 16


def test_names_of_networks() -> None:
    assert Widths((2, 2, 2), (4, 4, 4)).name == "W2A4"
    assert Widths((1, 2, 2), (4, 4, 4)).name == "W1-2-2A4"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("weights = [1, 9]", "quantization.weights.1: Input should be less than or equal to 8"),
        ("weights = []", "quantization.weights"),
        ("wieghts = [1]", "quantization.wieghts: Extra inputs are not permitted"),
        ("weights = 3", "quantization.weights"),
        ("weights = [", "study bad: "),
    ],
)
def test_a_study_with_a_mistake(
    change: str, words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, _ = write_study(tmp_path)
    text = path.read_text().replace("weights = [1, 2]", change)
    (tmp_path / "bad.toml").write_text(text)
    code, _, errors = run_main(capfd, "explore", tmp_path / "bad.toml", "--out", tmp_path / "o")
    assert code == 2 and errors.count("\n") == 1 and words in errors
    assert not (tmp_path / "o").exists()


def test_refusals(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for arguments, words in (
        (("bacchus2002",), "bacchus2020"),
        (("bacchus2020", "--epochs", "3,1"), "must ascend"),
        (("bacchus2020", "--epochs", "three"), "--epochs must be numbers"),
        (("bacchus2020", "--data", tmp_path / "no"), str(tmp_path / "no")),
    ):
        code, _, errors = run_main(capfd, "explore", *arguments, "--out", tmp_path / "o")
        assert code == 2 and errors.count("\n") == 1 and words in errors


def test_test_images_alone_are_split(tmp_path: Path) -> None:
    path, folder = write_study(tmp_path)
    study = load_study(str(path))
    images = load_images(folder, study.data, study.network)
    assert images.train.shape == (120, 16) and images.test.shape == (40, 16)
    rows = {tuple(row) for row in images.train} & {tuple(row) for row in images.test}
    assert not rows
    assert "120" in images.source and "test images" in images.source


def test_training_images_are_used_where_they_are(tmp_path: Path) -> None:
    path, folder = write_study(tmp_path)
    write_images(folder, "train", 30, seed=2)
    study = load_study(str(path))
    images = load_images(folder, study.data, study.network)
    assert len(images.train) == 30 and len(images.test) == 160


def test_images_that_do_not_fit(tmp_path: Path) -> None:
    path, folder = write_study(tmp_path)
    study = load_study(str(path), network={"inputs": 17})
    with pytest.raises(WorkspaceError, match="do not fit a network of 17 inputs"):
        load_images(folder, study.data, study.network)
    study = load_study(str(path), network={"classes": 2})
    with pytest.raises(WorkspaceError, match="not from 0 to 1"):
        load_images(folder, study.data, study.network)


def test_energy_grows_with_every_width_and_with_memory_outside() -> None:
    def energy(weights: int, inputs: int, external: float = 0.0) -> float:
        return frame_uj([Product(100, 10, weights, inputs, external)])

    assert energy(1, 1) < energy(2, 1) < energy(2, 2) < energy(8, 8) < energy(8, 8, 8000.0)


@pytest.mark.parametrize("finished", [(), ((2, 3),), ((1, 1), (2, 3))])
def test_the_page_of_a_study_that_is_not_finished(
    finished: tuple[tuple[int, int], ...], tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    from qnnc.explore.report.page import write_report

    study = load_study(str(write_study(tmp_path)[0]))
    results = {f"W{w}A{a}": result(w, a) for w, a in finished}
    page = write_report(study, results, {"W1A3": "no <room>"}, {}, tmp_path / "out").read_text()
    assert f"{len(finished)} of 4" in page and "no &lt;room&gt;" in page


def test_columns_of_the_table() -> None:
    text = to_csv({"W1A1": result(1, 1), "W2A1": result(2, 1)})
    header, *rows = text.splitlines()
    assert header.startswith("name,weights,activations,compression,error@2,training_seconds@2")
    assert rows[1].startswith("W2A1,2,1,16.0,5.0,1.0") and "fastest.estimate.LUT" in header


@pytest.mark.filterwarnings("ignore:Heartbeat")  # asks without working
def test_no_network_is_taken_twice(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    from qnnc.explore.store import Store, local_storage

    bits = list(range(1, 5))
    changes = {"quantization": {"weights": bits, "activations": bits}}
    study = load_study(str(write_study(tmp_path)[0]), **changes)
    url = local_storage(tmp_path)
    Store(study, url).queue_grid()
    ready, taken = threading.Barrier(WORKERS), []

    def take(store: Store) -> None:
        ready.wait()
        while store.waiting():
            taken.append(store.trials.ask().number)

    workers = [threading.Thread(target=take, args=(Store(study, url),)) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(set(taken)) == len(taken) >= len(study.grid())


FOREIGN = (
    "results.csv",
    "study.html",
    "figures/pareto.png",
    "figures",
    "trials.db",
    "test-images.npy",
    ".study.json",
)


@pytest.mark.parametrize("name", FOREIGN)
def test_a_folder_of_somebody_elses(name: str, tmp_path: Path, capfd: Capture) -> None:
    """Refused before anything is trained or written, and named."""
    study, data = write_study(tmp_path)
    out = tmp_path / "out"
    (out / name).parent.mkdir(parents=True)
    (out / name).write_text("mine")
    command = ("explore", study, "--data", data, "--out", out)
    code, _, errors = run_main(capfd, *command)
    assert code == 2 and errors.count("\n") == 1
    assert str(out / name) in errors and "--force" in errors
    left = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    assert left - {".lock"} == {name} and (out / name).read_text() == "mine"


def test_reports_replace_only_reports(tmp_path: Path) -> None:
    def write(text: str) -> Callable[[Path], None]:
        def into(folder: Path) -> None:
            (folder / "figures").mkdir()
            for name in ("results.csv", "study.html", "figures/pareto.svg"):
                (folder / name).write_text(text)

        return into

    def texts() -> dict[str, str]:
        found = (p for p in tmp_path.rglob("*") if p.is_file() and p.name != files.RECORD)
        return {p.relative_to(tmp_path).as_posix(): p.read_text() for p in found}

    names = ("results.csv", "study.html", "figures/pareto.svg")
    (tmp_path / "notes.txt").write_text("mine")
    for text in ("first", "second"):
        files.claim(tmp_path)
        files.publish(tmp_path, write(text))
        assert texts() == {**dict.fromkeys(names, text), "notes.txt": "mine"}
    (tmp_path / "results.csv").write_text("mine")
    for step in (files.claim, lambda out: files.publish(out, write("third"))):
        with pytest.raises(WorkspaceError, match=r"results\.csv.*--force"):
            step(tmp_path)
    expected = dict.fromkeys(names, "second") | {"results.csv": "mine", "notes.txt": "mine"}
    assert texts() == expected
    files.claim(tmp_path, force=True)
    files.publish(tmp_path, write("third"), force=True)
    assert texts() == {**dict.fromkeys(names, "third"), "notes.txt": "mine"}
    files.claim(tmp_path)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    out.mkdir()
    other.mkdir()
    (out / "figures").symlink_to(other)
    for force in (False, True):
        with pytest.raises(WorkspaceError, match="is a link"):
            files.claim(out, force=force)
    assert list(other.iterdir()) == []


def test_an_unknown_storage(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    from qnnc.explore.store import Store

    study = load_study(str(write_study(tmp_path)[0]))
    with pytest.raises(OptionError, match="postgresql") as raised:
        Store(study, "nonsense://me:secret@host/base")
    assert "secret" not in str(raised.value)
