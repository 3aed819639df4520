# SPDX-License-Identifier: Apache-2.0
"""qnnc: a compiler from quantized ONNX networks to streaming dataflow accelerators."""

__version__ = "0.2.0"
