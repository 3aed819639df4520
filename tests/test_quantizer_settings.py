# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime's quantizer: a sample of `benchmarks.quantizer_settings`, each network and each
setting once; the benchmark has all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.quantizer_settings import NETWORKS, SETTINGS, check

PAIRS = [(list(NETWORKS)[index % len(NETWORKS)], setting) for index, setting in enumerate(SETTINGS)]


@pytest.mark.parametrize(("network", "setting"), PAIRS)
def test_what_the_quantizer_writes_is_exact_or_refused(
    network: str, setting: str, tmp_path: Path
) -> None:
    verdict = check(network, setting, tmp_path)
    refused = SETTINGS[setting].refused
    if refused:
        assert verdict.ends == "refused" and refused in verdict.text
    else:
        assert verdict.ends == "exact", verdict.text
