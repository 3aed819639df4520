# SPDX-License-Identifier: Apache-2.0
"""Studies run to their end: by one worker, by many, killed, on PostgreSQL, seen in a browser."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.study import lasting, needs_training, write_study

pytestmark = needs_training

KILLS = 10
SEEDED = ("W1A1", "W1A1-seed-7")


def command(folder: Path, out: Path, *more: str) -> list[str]:
    """A study's command line."""
    fixed = ["--data", str(folder / "data"), "--out", str(out), *more]
    return [sys.executable, "-m", "qnnc.cli", "explore", str(folder / "small.toml"), *fixed]


def run(folder: Path, out: Path, *more: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the study to its end, which is to have this exit code."""
    done = subprocess.run(
        command(folder, out, *more), capture_output=True, text=True, check=False, timeout=900
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study that has run undisturbed in `out`."""
    folder = tmp_path_factory.mktemp("study")
    write_study(folder)
    done = run(folder, folder / "out", "--jobs", "2")
    assert "4 of 4 networks, 4 fit Pynq-Z1" in done.stdout
    return folder


def test_what_a_study_leaves(finished: Path) -> None:
    rows = lasting(finished / "out" / "results.csv")
    assert [row["name"] for row in rows] == ["W1A1", "W1A3", "W2A1", "W2A3"]
    for row in rows:
        assert row["labels_differ@1"] == row["labels_differ@2"] == "0"
        assert row["same_speed.dataflow_mismatches"] == "0" and row["fastest.fits"] == "True"
        synthesised = row["name"] == "W2A3"
        assert bool(row["fastest.synthesis.LUT"]) == synthesised
        assert row["fastest.rtl_mismatches"] == ("0" if synthesised else "")
        assert 0 <= float(row["error@2"]) < 30 and float(row["pgd_0.1@2"]) <= 100
    figures = {path.name for path in (finished / "out" / "figures").iterdir()}
    assert {"figure-5-error.svg", "figure-6-resources.png", "fit-map.svg"} <= figures


def test_it_is_done_only_once(finished: Path) -> None:
    before = (finished / "out" / "results.csv").read_bytes()
    assert "done;" not in run(finished, finished / "out").stdout
    assert (finished / "out" / "results.csv").read_bytes() == before


def test_more_seeds_are_added_to_a_finished_study(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished / "out", out)
    assert "4 of 4 networks" in run(finished, out, "--jobs", "1", "--seeds", "1,7").stdout
    rows = lasting(out / "results.csv")
    assert [(row["name"], row["seed"]) for row in rows] == [
        (name, seed) for name in ("W1A1", "W1A3", "W2A1", "W2A3") for seed in ("1", "7")
    ]
    assert rows[::2] == lasting(finished / "out" / "results.csv")
    assert {row["labels_differ@2"] for row in rows} == {"0"}
    networks = [(out / "trials" / name / "epoch-2.onnx").read_bytes() for name in SEEDED]
    assert networks[0] != networks[1]
    done = run(finished, out, "--seeds", "7,1", code=2)
    assert "other settings" in done.stderr


def test_other_settings_are_refused(finished: Path) -> None:
    done = run(finished, finished / "out", "--quick", code=2)
    assert done.stderr.count("\n") == 1 and "other settings" in done.stderr


def written(out: Path) -> set[tuple[str, int]]:
    """Files of the networks in work, with when they were written."""
    found = set()
    for path in (out / "trials").rglob("*"):
        with suppress(OSError):  # it may be a temporary one
            found.add((str(path), path.stat().st_mtime_ns))
    return found


def kill_at_work(study: list[str], out: Path, kill: int) -> None:
    """Run a study until it has written a few files, then kill it: every other time alone, so that
    its worker has to notice, else with its worker."""
    with subprocess.Popen(
        study, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as run:
        before, deadline = written(out), time.monotonic() + 120
        while len(written(out) - before) <= kill % 4 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert run.poll() is None, "it ended before it was killed"
        (os.killpg if kill % 2 else os.kill)(run.pid, signal.SIGKILL)


def test_killed_ten_times(finished: Path, tmp_path: Path) -> None:
    """Whatever moment it is killed in, a study that is run again ends as one left alone."""
    out = tmp_path / "out"
    for kill in range(KILLS):
        kill_at_work(command(finished, out, "--jobs", "1"), out, kill)
    assert "4 of 4 networks" in run(finished, out, "--jobs", "1").stdout
    assert lasting(out / "results.csv") == lasting(finished / "out" / "results.csv")


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[str]:
    """Address of a PostgreSQL of our own."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    if not found:
        pytest.skip("PostgreSQL is not installed")
    bin_folder = found[-1].parent
    base = Path(tmp_path.anchor) / "tmp" / f"qnnc-pg-{tmp_path.name}-{time.time_ns()}"
    base.mkdir()
    owner = "postgres" if os.getuid() == 0 else None  # the server refuses to run as root
    if owner:
        shutil.chown(base, owner)
    data, socket = base / "data", base
    initdb = [str(bin_folder / "initdb"), "-D", str(data), "-A", "trust", "-U", "qnnc"]
    subprocess.run(initdb, check=True, capture_output=True, user=owner, cwd=base)
    options = f"-k {socket} -c listen_addresses='' -c fsync=off"
    control = [str(bin_folder / "pg_ctl"), "-D", str(data), "-w"]
    start = [*control, "-l", str(base / "log"), "-o", options, "start"]
    subprocess.run(start, check=True, stdout=subprocess.DEVNULL, user=owner, cwd=base)
    try:
        yield f"postgresql+psycopg://qnnc@/postgres?host={socket}"
    finally:
        stop = [*control, "-m", "immediate", "stop"]
        subprocess.run(stop, check=False, capture_output=True, user=owner, cwd=base)
        shutil.rmtree(base, ignore_errors=True)


def test_many_machines_share_a_database(finished: Path, tmp_path: Path, postgres: str) -> None:
    """Two runs at once, one of them killed in the middle, make one result."""
    more = ("--storage", postgres, "--jobs", "1", "--heartbeat", "2")
    first, second = (
        subprocess.Popen(
            command(finished, tmp_path / name, *more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("first", "second")
    )
    time.sleep(12)
    first.kill()
    first.communicate()
    out, errors = second.communicate(timeout=900)
    assert second.returncode == 0, errors
    assert "4 of 4 networks" in out
    assert lasting(tmp_path / "second" / "results.csv") == lasting(finished / "out" / "results.csv")


def test_a_search_beyond_the_grid(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(finished, out, "--jobs", "1", "--search", "1", "--quick")
    (first,) = lasting(out / "search.csv")
    more = ("--jobs", "1", "--search", "3", "--quick")
    kill_at_work(command(finished, out, *more), out, kill=1)
    run(finished, out, *more)
    found = lasting(out / "search.csv")
    assert len({row["name"] for row in found}) == len(found) == 3
    assert any(first.items() <= row.items() for row in found)  # others may have more columns
    assert all(len(row["weights"].split("-")) in (1, 3) for row in found)


def test_the_page_in_a_browser(finished: Path) -> None:
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("chromium is not installed")
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr")
    page = (finished / "out" / "study.html").as_uri()
    done = subprocess.run(
        [browser, *options, "--dump-dom", page], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and ":CONSOLE" not in done.stderr
    assert done.stdout.count("<svg") >= 4 and "Small &lt;b&gt;study" in done.stdout
    for part in ("table-2", "findings", "figure-5", "figure-6", "fit-map", "synthesis", "networks"):
        assert f'id="{part}"' in done.stdout
    assert "http" not in done.stdout.replace("http://www.w3.org", "")
