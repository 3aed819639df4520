# SPDX-License-Identifier: Apache-2.0
"""Small models that real use brought up, which lie beside the project: each ends as it should.

A row says the file and what is right: EXACT, that is the passes end well and the compiled graph
equals what others than qnnc compute of the file; or that it is refused in one line with certain
words in it. New rows go under the folder that they are of.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from qnnc.compiler import api
from qnnc.compiler.errors import QnncError
from tests.conftest import shared_file
from tests.generator import Case as Drawn
from tests.oracle import Oracle
from tests.support import second_opinion as opinion
from tests.support import witness

SAMPLES = 24
CLOSE = 2.0**-20
"""Outputs are equal integers times a scale, which float32 may round differently: of the largest
output, a difference of less than a step."""


@dataclass(frozen=True)
class Case:
    """A model and what it should end in.

    Attributes:
        path: file under shared/cases.
        refused: words that the one line of the refusal holds; empty where it must be exact.
        samples: .npy file under shared/cases, used beside random samples.
        options: of the build.
    """

    path: str
    refused: tuple[str, ...] = ()
    samples: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.path.removesuffix(".onnx")


def exact(path: str, samples: str = "", **options: Any) -> Case:
    """A model that compiles and computes what others say."""
    return Case(path, (), samples, options)


def refused(path: str, *words: str, **options: Any) -> Case:
    """A model that is refused in one line that holds these words."""
    return Case(path, words, "", options)


CASES = [
    # --- exact/ ---------------------------------------------------------------------------------
    exact("exact/concat_along_image_1.onnx", "exact/concat_along_image.npy"),
    exact("exact/concat_along_image_2.onnx", "exact/concat_along_image.npy"),
    exact("exact/concat_h_high.onnx"),
    exact("exact/ap.onnx"),
    exact("exact/bits28_in.onnx"),
    exact("exact/zero_gammas_square.onnx"),
    exact("exact/deadch.onnx"),
    exact("exact/thrrelu_wide.onnx"),
    exact("exact/resize_linear.onnx"),
    exact("exact/maxpool_idx.onnx"),
    exact("exact/out_is_init.onnx"),
    exact("exact/pad_shift.onnx"),
    refused("exact/bn_training.onnx", "n15", "training mode"),
    refused("exact/bn_zero_var.onnx", "n15", "c14", "divides by zero"),
    exact("exact/empty_init.onnx"),
    exact("exact/out_is_input.onnx"),
    # --- public/ --------------------------------------------------------------------------------
    exact("public/allowzero_flatten.onnx", "public/allowzero_flatten.npy"),
    exact("public/batch_moved.onnx"),
    exact("public/chunk_chain.onnx"),
    exact("public/const_outputs.onnx"),
    exact("public/global_skip.onnx"),
    exact("public/pad_chain.onnx"),
    exact("public/squeeze_excite.onnx"),
    exact("public/upsample_bilinear.onnx"),
    refused("public/yolo_fpn.onnx", "'/h1/Conv'", "'/Concat'", "quantizer"),
    exact("public/shuffle_deep.onnx"),
    # --- qdq/ -----------------------------------------------------------------------------------
    refused("qdq/convtranspose_qoperator.onnx", "'up'", "'w3'", "QDQ"),
    exact("qdq/squeeze_excite_qdq.onnx"),
    exact("qdq/tie_channel.onnx"),
    # --- types/ ---------------------------------------------------------------------------------
    refused("types/f4.onnx", "'w'", "FLOAT4E2M1", "INT8"),
    refused("types/f8.onnx", "'w'", "FLOAT8E4M3FN", "INT8"),
    # --- toolkits/ ------------------------------------------------------------------------------
    exact("toolkits/hgq_perelem.onnx"),
    refused("toolkits/nncf_torch_ts.onnx", "FakeQuantize", "nncf.quantize"),
    refused("toolkits/ppq_xint8.onnx", "'/fc/Gemm'", "Gemm", "'fc.weight'", "quantize its weights"),
    refused("toolkits/pt2e_x86_fold.onnx", "'node_add'", "'node_conv2d_2'", "quantizer"),
    exact("toolkits/quark_XINT8.onnx"),
    refused("toolkits/tfl_16x8.onnx", "'arith.constant'", "INT64", "INT8"),
    # --- recurrent/ -----------------------------------------------------------------------------
    exact("recurrent/unrolled3.onnx"),
    refused("recurrent/torch_LSTM.onnx", "'/LSTM'", "LSTM", "state", "QuantLSTM"),
    refused("recurrent/torch_GRU.onnx", "'/GRU'", "GRU", "state", "QuantLSTM"),
    # --- attention/ -----------------------------------------------------------------------------
    exact("attention/seqfirst.onnx"),
    exact("attention/att_relu.onnx"),
    exact("attention/att_soft.onnx"),
    exact("attention/att_ln.onnx"),  # LayerNormalization comes last and stays on the host
    # --- residual_binary/ -----------------------------------------------------------------------
    exact("residual_binary/reb_M2_sum_pow2.onnx"),
    exact("residual_binary/reb_M2_terms_learned.onnx"),
    exact("residual_binary/reb_M3_sum_learned.onnx"),
    # --- sparse/ --------------------------------------------------------------------------------
    exact("sparse/small_dense.onnx"),
    exact("sparse/small_sp90.onnx"),
    exact("sparse/small_in90.onnx"),
    exact("sparse/small_out75.onnx"),
    exact("sparse/jet_dense.onnx"),
    exact("sparse/jet_sp90.onnx"),
    exact("sparse/jet_in90.onnx"),
    exact("sparse/jet_nm18.onnx"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_ends_as_it_should(case: Case, tmp_path: Path) -> None:
    path = shared_file(f"cases/{case.path}")
    out = tmp_path / "build"
    if case.refused:
        with pytest.raises(QnncError) as refusal:
            api.compile(path, out=out, **case.options)
        text = str(refusal.value)
        assert "\n" not in text
        for word in case.refused:
            assert word in text, f"{word!r} is not in {text!r}"
        return
    api.compile(path, out=out, **case.options)
    inputs = witness.random_inputs(path, SAMPLES)
    if case.samples:
        more = np.load(shared_file(f"cases/{case.samples}"))[:SAMPLES]
        inputs = {
            name: np.concatenate([x, more.reshape(-1, *x.shape[1:]).astype(x.dtype)])
            for name, x in inputs.items()
        }
    agree(out, path, inputs)
    golden = witness.run(out / "model" / "golden.onnx", inputs)  # it runs, too, on any batch
    assert [len(array) for array in golden.values()] == [len(next(iter(inputs.values())))] * len(
        golden
    )


def agree(out: Path, path: Path, inputs: dict[str, np.ndarray]) -> None:
    """The build's compiled graph gives what others say of the user's file."""
    expected = witness.run(path, inputs)
    found = witness.run(out / "model" / "compiled.onnx", inputs)
    assert len(found) == len(expected)
    for (name, mine), (_, theirs) in zip(found.items(), expected.items(), strict=True):
        largest = float(np.abs(theirs).max(initial=0))
        difference = np.abs(mine.reshape(theirs.shape) - theirs).max(initial=0)
        assert difference <= largest * CLOSE, f"{name} differs by up to {difference:g}"


def test_wide_rows_compute_what_float32_may(tmp_path: Path) -> None:
    """qdq/wide_rows: its scales (0.05, 0.02) make every fiftieth sum an exact tie, which ONNX
    Runtime itself decides one way or the other by the order in which it sums. A code is right if
    float32 arithmetic in some order gives it, by the oracle's float64; no other is."""
    path = shared_file("cases/qdq/wide_rows.onnx")
    case = Drawn(0, "qdq", onnx.load(path), witness.random_inputs(path, 8))
    oracle = Oracle(case.proto)
    observed = opinion.observe(opinion.compile_case(case), case.feeds, oracle.run(case.feeds))
    found = opinion.judge(case, oracle, observed)
    assert not found.faults, found.faults[0]
    assert found.compared >= 4
    assert found.open > 0, "there are ties, as the case is meant to have"
    report = api.compile(path, out=tmp_path / "build")
    assert report.status == "ok" and report.verification.mismatches == 0


@pytest.mark.parametrize("name", ["lstm_bf", "lstm_head", "bilstm_qonnx"])
def test_lstms_compile(name: str, tmp_path: Path) -> None:
    """These files cannot be run by anything but qnnc, which has the golden graph alone to compare
    them with; `test_recurrence.py` holds the same cells against Brevitas' own forward."""
    report = api.compile(shared_file(f"cases/recurrent/{name}.onnx"), out=tmp_path / "build")
    assert report.status == "ok" and report.verification.mismatches == 0


@pytest.mark.parametrize(("name", "wrong"), [("pe_3_of_8", "3"), ("pe_0", "0")])
def test_a_folding_that_does_not_divide_is_refused(name: str, wrong: str, tmp_path: Path) -> None:
    with pytest.raises(QnncError, match=rf"PE cannot be {wrong}; it can be 1, 2, 4, 8"):
        api.compile(
            shared_file("cases/folding/digits.onnx"),
            out=tmp_path / "build",
            start_from=shared_file(f"cases/folding/{name}.onnx"),
            input_type="uint8",
            input_scale="1/16",
            top_k=1,
        )
