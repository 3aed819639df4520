# SPDX-License-Identifier: Apache-2.0
"""The intermediate representation: an onnx_ir model with typed facts, and how to run it."""
