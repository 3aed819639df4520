# SPDX-License-Identifier: Apache-2.0
"""The paper's findings asked of made-up results, and the statistics under them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qnnc.explore.report.findings import SAME, findings
from qnnc.explore.report.statistics import columns, paired, shares, shares_of_variance
from qnnc.explore.study import Study, load_study
from tests.support.study import result

WIDTHS = range(1, 9)
ALL = "bacchus2020"


def paper() -> Study:
    """The paper's grid, measured twice."""
    return load_study(ALL, training={"epochs": [10, 50]})


def results(errors: Any, spread: float = 0.05, **resources: Any) -> dict[str, dict[str, Any]]:
    """64 networks with errors(w, a, epochs) plus noise, and resources by name(w, a)."""
    rng = np.random.default_rng(5)
    found = {}
    for w in WIDTHS:
        for a in WIDTHS:
            one = result(w, a, **{name: value(w, a) for name, value in resources.items()})
            one["epochs"] = {
                str(e): {"error": errors(w, a, e) + rng.normal(0, spread), "training_seconds": 1.0}
                for e in (10, 50)
            }
            found[f"W{w}A{a}"] = one
    return found


def as_in_the_paper(w: int, a: int, epochs: int) -> float:
    """Error in percent: weights decide, the gap of few bits closes, 3 bits are enough."""
    few = {1: 2.0, 2: 0.9}.get(w, 0.0) * (1.0 if epochs == 10 else 0.15)
    return 1.6 + (1.0 if w == 1 else 0.0) + few + {1: 0.5, 2: 0.2}.get(a, 0.0)


def said(study: Study, found: dict[str, dict[str, Any]]) -> list[bool | None]:
    """Whether each finding holds."""
    return [finding.holds for finding in findings(study, found)]


def test_a_run_that_is_as_the_paper_says() -> None:
    found = results(
        as_in_the_paper,
        BRAM18=lambda w, a: 100 * w,
        FF=lambda w, a: 100 * a + w,
        LUT=lambda w, a: 1000 * (w + a),
    )
    assert said(paper(), found) == [True] * 11


def test_a_run_that_is_the_reverse() -> None:
    """Activations decide errors and BRAM, weights FF; the gap opens; wide weights are better."""

    def errors(w: int, a: int, epochs: int) -> float:
        return 9 - w * (0.4 if epochs == 10 else 0.8) + 4 / a

    found = results(
        errors,
        BRAM18=lambda w, a: 100 * a,
        FF=lambda w, a: 100 * w,
        LUT=lambda w, a: 1000 * w,
    )
    found["W1A1"]["fastest"] = {"fits": False, "reason": "too large"}
    holds = said(paper(), found)
    # more bits of weights are better also here, and activations lose less than weights from 1 to 8
    assert holds == [False, False, False, True, False, None, False, False, False, True, False]


def test_what_is_within_chance_is_not_said() -> None:
    noise = said(paper(), results(lambda w, a, e: 2.0, spread=1.0))
    assert noise[3] is None and noise[4] is None and noise[5] in (None, False)
    assert noise[9] is None


def test_what_needs_more_epochs_is_not_denied() -> None:
    few = load_study(ALL, training={"epochs": [10]})
    holds = {f.text: f for f in findings(few, results(as_in_the_paper))}
    (two,) = (f for text, f in holds.items() if "2 bit weights are almost" in text)
    assert two.holds is None and "not trained for so long" in two.evidence


def test_what_was_measured_is_what_is_said() -> None:
    """Not after few epochs, if there are none; after fewer than 50, that it is already so."""
    late = load_study(ALL, training={"epochs": [50]})
    (gap,) = (f for f in findings(late, results(as_in_the_paper)) if "After few epochs" in f.text)
    assert gap.holds is None and "not measured after fewer" in gap.evidence
    early = load_study(ALL, training={"epochs": [10]})
    equal = findings(early, results(lambda w, a, e: 2.0))
    (two,) = (f for f in equal if "2 bit weights are almost" in f.text)
    assert two.holds is True and two.evidence.endswith("already then")


def test_missing_networks_leave_a_coarser_grid() -> None:
    study = paper()
    names = [widths.name for widths in study.order()]
    assert sorted(names) == sorted(widths.name for widths in study.grid())
    assert names[:4] == ["W1A1", "W1A8", "W8A1", "W8A8"]
    for count in range(len(names) + 1):
        whole = study.complete(set(names[:count]))
        side = int(count**0.5)
        if count:
            assert len(whole.grid()) >= max(1, side * side)
            assert {w.name for w in whole.grid()} <= set(names[:count])
    assert study.complete(set(names)).quantization == study.quantization
    found = results(as_in_the_paper, BRAM18=lambda w, a: 100 * w)
    del found["W7A7"]
    assert said(study, found)[:2] == [None, None]
    assert said(study.complete(found), found)[0] is True


def test_seeds_are_averaged() -> None:
    found = results(as_in_the_paper, spread=0.0)
    plain = [f.evidence for f in findings(paper(), found)]
    for one in found.values():
        low, high = ({**one, "epochs": shifted(one["epochs"], by)} for by in (-0.3, 0.3))
        one["epochs"] = low["epochs"]
        one["repeats"] = [high]
    assert [f.evidence for f in findings(paper(), found)] == plain


def shifted(epochs: dict[str, Any], by: float) -> dict[str, Any]:
    """Errors moved."""
    return {e: {**v, "error": v["error"] + by} for e, v in epochs.items()}


def test_intervals_cover_what_they_should() -> None:
    """Of 4,000 samples with a known mean, 95 % of the intervals hold it, within four deviations."""
    rng = np.random.default_rng(0)
    tries, true = 4000, 0.7
    effects = [paired(rng.normal(true, 2.0, 8)) for _ in range(tries)]
    held = sum(e is not None and e.low <= true <= e.high for e in effects) / tries
    assert abs(held - 0.95) < 4 * (0.95 * 0.05 / tries) ** 0.5


def test_an_interval_worked_by_hand() -> None:
    effect = paired(np.array([1.0, 2.0, 3.0]))  # deviation 1, t(2) at 97.5 % is 4.302653
    assert effect is not None and effect.value == 2.0
    assert effect.high == pytest.approx(2 + 4.302653 / 3**0.5, abs=1e-5)
    assert effect.above(-1) is True and effect.above(5) is False and effect.above(SAME) is None


def test_columns_that_are_missing() -> None:
    table = np.array([[1.0, 2.0], [3.0, np.nan]])
    assert columns(table, [0], [1]) is None and columns(table, [0], []) is None
    assert paired(np.array([])) is None
    one = paired(np.array([0.5]))
    assert one is not None and not one.known and one.above(0) is None


def test_shares_of_variance_by_brute_force() -> None:
    """Against sums of squares written out cell by cell."""
    rng = np.random.default_rng(1)
    for _ in range(20):
        table = rng.normal(size=(4, 5))
        mean = table.sum() / 20
        total = sum((cell - mean) ** 2 for cell in table.flat)
        by_column = sum(4 * (table[:, j].sum() / 4 - mean) ** 2 for j in range(5))
        by_row = sum(5 * (table[i].sum() / 5 - mean) ** 2 for i in range(4))
        found = shares_of_variance(table)
        assert found is not None
        assert np.allclose(found, (by_column / total, by_row / total), rtol=1e-9)
        both = shares(table)
        assert both is not None and all(e.low <= e.value <= e.high for e in both)
    assert shares_of_variance(np.ones((2, 2))) is None
