# SPDX-License-Identifier: Apache-2.0
"""A float model that is to be quantized as it is read: `qnnc build --quantize`."""

from __future__ import annotations

import onnx_ir as ir

from qnnc.compiler.errors import OptionError
from qnnc.compiler.frontend import Frontend, Quantization, set_quantization
from qnnc.compiler.progress import Silent
from qnnc.frontends.qdq import from_proto
from qnnc.quantization.options import HINTS, QuantizeOptions
from qnnc.quantization.run import RealInput, quantized


class FloatFrontend(Frontend):
    """Quantizes float .onnx files with ONNX Runtime's quantizer; chosen by --quantize."""

    name = "float"
    OPTIONS = HINTS

    def accepts(self, source: str) -> bool:
        return False  # without samples there is nothing to quantize by

    def load(self, source: str) -> ir.Model:
        wanted = self.settings.calibration
        if wanted is None:
            raise OptionError("the frontend float needs samples: give --quantize SAMPLES")
        proto, report = quantized(
            source,
            calibrate=wanted.calibrate,
            samples=wanted.samples,
            labels=wanted.labels,
            options=QuantizeOptions.parsed(self.settings.options),
            input_shape=self.settings.input_shape,
            real_input=RealInput(wanted.input_type, wanted.input_scale),
            progress=Silent(),
        )
        kept = proto.SerializeToString()
        model = from_proto(proto)
        set_quantization(model, Quantization(kept, report))
        return model
