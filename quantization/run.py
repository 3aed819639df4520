# SPDX-License-Identifier: Apache-2.0
"""The whole of `qnnc quantize`: prepare, calibrate, quantize, measure, check."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from qnnc.compiler.errors import ModelError, OptionError, QnncError
from qnnc.compiler.files import write_bytes
from qnnc.compiler.passes.declare_input import parse_scale
from qnnc.compiler.progress import Progress, Silent
from qnnc.compiler.report import QuantizationReport
from qnnc.compiler.samples import load_labels, read_array, shaped
from qnnc.quantization.ends import free_ends
from qnnc.quantization.measure import compare_answers, compare_layers
from qnnc.quantization.options import QuantizeOptions
from qnnc.quantization.prepare import prepared, quiet, the_input
from qnnc.quantization.weights import round_weights

Array = NDArray[np.float32]
FULL_BITS = 8


@dataclass(frozen=True)
class RealInput:
    """What the real input is, where it is integers times a scale.

    Attributes:
        type: such as "uint8"; empty where the network's own input is given.
        scale: a number or a fraction such as "1/255".
    """

    type: str = ""
    scale: str = "1"

    def times_scale(self, samples: Array) -> Array:
        """Samples as the network wants them."""
        numerator, denominator = parse_scale(self.scale)
        return samples * np.float32(numerator) / np.float32(denominator)


def quantize(
    model: str | Path,
    out: str | Path,
    *,
    calibrate: str | Path | Array,
    samples: str | Path | Array | None = None,
    labels: str | Path | Array | None = None,
    options: QuantizeOptions | None = None,
    input_shape: tuple[int, ...] | None = None,
    real_input: RealInput | None = None,
    host_layers: bool = False,
    force: bool = False,
    progress: Progress | None = None,
) -> QuantizationReport:
    """Quantize a float network, as `qnnc quantize` does, and write it to a file.

    Args:
        model: an ONNX file.
        out: the file to write.
        calibrate: samples [n, ...] that ranges of activations are taken from, or their file.
        samples: what float and quantized network are compared on; by default those of `calibrate`.
        labels: of the samples, or their file.
        options: how.
        input_shape: of the model's input, batch of 1 included, where the model does not say it.
        real_input: where samples are integers that the network wants times a scale.
        host_layers: let layers that are not quantized run on the host.
        force: replace a file that is not qnnc's.
        progress: notified of what is going on.

    Raises:
        QnncError: something the user can fix; its text is one line.
    """
    from qnnc.compiler.ir.saved import refuse_to_overwrite, write_own

    out = Path(out)
    refuse_to_overwrite(out, "-o", force=force)
    proto, report = quantized(
        str(model),
        calibrate=calibrate,
        samples=samples,
        labels=labels,
        options=options or QuantizeOptions(),
        input_shape=input_shape,
        real_input=real_input or RealInput(),
        progress=progress or Silent(),
    )
    if progress is not None:
        progress.detail("checking that the hardware can take it", 0.9)
    check_hardware(proto, real_input or RealInput(), host_layers)
    write_own(out, proto)
    return report


def quantized(
    model: str,
    *,
    calibrate: str | Path | Array,
    samples: str | Path | Array | None,
    labels: str | Path | Array | None,
    options: QuantizeOptions,
    input_shape: tuple[int, ...] | None,
    real_input: RealInput,
    progress: Progress,
) -> tuple[onnx.ModelProto, QuantizationReport]:
    """The quantized network and how it compares; see `quantize`. Whether the hardware takes it is
    not checked."""
    import onnxruntime

    options.check()
    with tempfile.TemporaryDirectory(prefix="qnnc-quantize-") as name:
        folder = Path(name)
        progress.detail("reading the float model", 0.0)
        before = prepared(model, input_shape, folder)
        shape = tuple(d.dim_value for d in the_input(before).type.tensor_type.shape.dim)
        calibration = real_input.times_scale(_samples(calibrate, shape))
        tested = (
            calibration if samples is None else real_input.times_scale(_samples(samples, shape))
        )
        wanted = None if labels is None else _labels(labels, len(tested))
        few = calibration[_spread(len(calibration), options.count)]
        progress.detail(f"calibrating on {len(few)} samples", 0.1)
        after = _quantized(before, few, options, real_input, folder)
        progress.detail("comparing layers", 0.5)
        layers = compare_layers(before, after, few, folder)
        progress.detail(f"comparing answers to {len(tested)} samples", 0.6)
        answers = compare_answers(before, after, tested, wanted)
    correct = answers.correct or (None, None)
    report = QuantizationReport(
        onnxruntime=onnxruntime.__version__,
        method=options.method,
        calibration_samples=len(few),
        weight_bits=options.bits,
        layers=layers,
        output_error=answers.output_error,
        samples=len(tested),
        same=answers.same,
        float_correct=correct[0],
        quantized_correct=correct[1],
    )
    return after, report


def check_hardware(proto: onnx.ModelProto, real_input: RealInput, host_layers: bool) -> None:
    """Run the compiler's passes as far as dataflow nodes.

    Raises:
        QnncError: the reason why there is no such hardware.
    """
    from qnnc.compiler.building.optimize import optimize
    from qnnc.compiler.building.options import BuildOptions

    with tempfile.TemporaryDirectory(prefix="qnnc-quantize-") as folder:
        path = Path(folder) / "quantized.onnx"
        write_bytes(path, proto.SerializeToString())
        optimize(
            BuildOptions(
                model=str(path),
                out=Path(folder) / "unused",
                frontend="qdq",
                input_type=real_input.type,
                input_scale=real_input.scale,
                host_layers=host_layers,
                passes="tidy,...,to-dataflow",
                verify="none",
            )
        )


def _quantized(
    before: onnx.ModelProto,
    samples: Array,
    options: QuantizeOptions,
    real_input: RealInput,
    folder: Path,
) -> onnx.ModelProto:
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    name = the_input(before).name
    proto = onnx.ModelProto()
    proto.CopyFrom(before)
    overrides: dict[str, list[dict[str, Any]]] = {}
    if options.bits < FULL_BITS:
        for weights, (axis, scales) in round_weights(proto.graph, options.bits).items():
            zero = np.array(0, dtype=np.int8)
            overrides[weights] = [
                {"axis": axis, "quant_type": QuantType.QInt8, "scale": one, "zero_point": zero}
                for one in map(np.asarray, scales)
            ]
    kept = _as_it_is(real_input)
    if kept is not None:
        signed, scale = kept
        overrides[name] = [
            {
                "quant_type": QuantType.QInt8 if signed else QuantType.QUInt8,
                "scale": np.array(scale, dtype=np.float32),
                "zero_point": np.array(0, dtype=np.int8 if signed else np.uint8),
            }
        ]
    source, target = folder / "rounded.onnx", folder / "quantized.onnx"
    onnx.save(proto, source)
    methods = {
        "minmax": CalibrationMethod.MinMax,
        "entropy": CalibrationMethod.Entropy,
        "percentile": CalibrationMethod.Percentile,
    }
    reader: Any = _Reader(name, samples)  # not of their class, of which only get_next is called
    try:
        with quiet():
            quantize_static(
                source,
                target,
                reader,
                quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
                calibrate_method=methods[options.method],
                extra_options={
                    # codes from 0 after a Relu, else symmetric ones: no zero point in sums
                    "ActivationRestrictedAsymmetric": True,
                    "WeightSymmetric": True,
                    "TensorQuantOverrides": overrides,
                    "QDQOpTypePerChannelSupportToAxis": {"MatMul": -1},
                    "CalibPercentile": options.percentile,
                },
            )
    except QnncError:
        raise
    except Exception as error:  # its own, of many kinds
        text = " ".join(str(error).split())[:300] or type(error).__name__
        raise ModelError(f"ONNX Runtime's quantizer cannot take the model: {text}") from error
    after = onnx.load(target)
    free_ends(after)
    return after


def _as_it_is(real_input: RealInput) -> tuple[bool, np.float32] | None:
    """Sign and scale of codes that are the real input's integers; None where those are not of 8
    bits or fewer."""
    from qnnc.compiler.datatypes import datatype

    if not real_input.type:
        return None
    kind = datatype(real_input.type)
    if kind.min() < -128 or kind.max() > (127 if kind.min() < 0 else 255):
        return None
    numerator, denominator = parse_scale(real_input.scale)
    return kind.min() < 0, np.float32(numerator) / np.float32(denominator)


class _Reader:
    """Hands samples to ONNX Runtime's calibration, one by one."""

    def __init__(self, name: str, samples: Array) -> None:
        self._rows: Iterator[dict[str, Array]] = ({name: sample[None]} for sample in samples)

    def get_next(self) -> dict[str, Array] | None:
        return next(self._rows, None)


def _samples(given: str | Path | Array, shape: tuple[int, ...]) -> Array:
    if isinstance(given, str | Path):
        return shaped(read_array(Path(given)), shape, Path(given))
    return shaped(np.asarray(given), shape, Path("the array of samples"))


def _labels(given: str | Path | Array, count: int) -> NDArray[np.int64]:
    if isinstance(given, str | Path):
        found: NDArray[np.int64] = load_labels(Path(given), count)
        return found
    array = np.asarray(given).reshape(-1)
    if len(array) != count:
        raise OptionError(f"there are {len(array)} labels for {count} samples")
    return array.astype(np.int64)


def _spread(count: int, wanted: int) -> NDArray[np.int64]:
    """Indices of so many samples, evenly over the file."""
    return np.unique(np.linspace(0, count - 1, min(count, wanted)).round().astype(np.int64))
