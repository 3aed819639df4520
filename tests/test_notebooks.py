# SPDX-License-Identifier: Apache-2.0
"""The example notebooks run, and show what they are to show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))


def outputs(notebook: Any, kind: str) -> str:
    """All outputs of a kind of a notebook's cells."""
    found = [
        output.get("data", {}).get(kind, "") if kind != "stream" else output.get("text", "")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    ]
    return "\n".join(found)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("brevitas")
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'src'}:{ROOT}")
    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # kept clean
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=600, resources=resources).execute()
    shown = outputs(notebook, "text/html")
    assert '<div class="qnnc-report"' in shown and "<progress" in shown
    assert "mvau_0" in shown and "(0, " in outputs(notebook, "text/plain")
    assert "it can be 1, 2, 4, 8, 16" in outputs(notebook, "stream")
