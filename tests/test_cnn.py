# SPDX-License-Identifier: Apache-2.0
"""Convolutional networks of every kind, small: dataflow graph and hardware against ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from benchmarks.cnn_networks import (
    cnn_1d,
    ds_cnn,
    mobilenet,
    resnet8,
    super_resolution,
    unet,
)
from qnnc.backends.simulation.simulate import Pressure
from tests.support.build import compile_proto, operators
from tests.support.graph_check import simulated_failure

SMALL: dict[str, Callable[[], onnx.ModelProto]] = {
    "resnet8": lambda: resnet8(3, image=8),
    "mobilenet": lambda: mobilenet(3, image=8, blocks=((6, 1), (8, 2), (8, 1))),
    "ds-cnn": lambda: ds_cnn(3, channels=4, blocks=1),
    "espcn-shuffle": lambda: super_resolution(3, image=6, factor=2, channels=4),
    "espcn-resize": lambda: super_resolution(3, image=5, factor=3, channels=4, shuffle=False),
    "unet": lambda: unet(3, image=8, channels=(2, 3, 4)),
    "cnn-1d": lambda: cnn_1d(3, steps=24, channels=(3, 4)),
}
EXPECTED = {
    "mobilenet": {"VVAU", "GlobalAccPool"},
    "ds-cnn": {"VVAU", "FMPadding", "GlobalAccPool"},
    "resnet8": {"ElementwiseAdd", "DuplicateStreams"},
    "espcn-resize": {"UpsampleNearestNeighbour"},
    "unet": {"UpsampleNearestNeighbour", "StreamingConcat", "DuplicateStreams", "Pool"},
    "cnn-1d": {"ConvolutionInputGenerator", "Pool"},
}


@pytest.mark.parametrize("name", SMALL)
def test_dataflow_graph_is_exact(name: str) -> None:
    model, outcome, _ = compile_proto(SMALL[name](), samples=50, each=False, fold=True)
    assert outcome.mismatches == 0
    assert outcome.samples == 50
    assert EXPECTED.get(name, set()) <= set(operators(model))


@pytest.mark.parametrize("name", ["mobilenet", "unet", "espcn-shuffle"])
def test_hardware_is_exact_under_back_pressure(name: str, cache: Path) -> None:
    pressure = Pressure(source=60, sink=60, seed=1)
    assert simulated_failure(SMALL[name](), cache, pressure) is None
