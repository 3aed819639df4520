# SPDX-License-Identifier: Apache-2.0
"""Whether a model compiles, and computes what ONNX Runtime says."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

import onnx

from qnnc.compiler.errors import QnncError
from tests.support.build import compile_proto


def failure(model: onnx.ModelProto, samples: int = 50) -> str | None:
    """Take a model through all passes and compare every tensor of the dataflow graph with the
    golden one; None if all is well, or else what is wrong, without names and numbers, so that
    equal faults give equal texts."""
    try:
        compile_proto(model, samples=samples, each=False, fold=True)
    except QnncError as error:
        return f"{type(error).__name__}: {_general(str(error))}"
    except Exception as error:  # a fault of any kind is what is looked for
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name} in {place.name}"
        return f"{type(error).__name__} at {where}: {_general(str(error))}"
    return None


def _general(text: str) -> str:
    return re.sub(r"[0-9.e+-]*[0-9]", "#", re.sub(r"'[^']*'", "'*'", text.splitlines()[0]))[:200]
