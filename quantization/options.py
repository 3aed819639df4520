# SPDX-License-Identifier: Apache-2.0
"""What a user can say about quantization."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from qnnc.compiler.errors import OptionError
from qnnc.compiler.plugins import close_matches

METHODS = ("minmax", "entropy", "percentile")
"""ONNX Runtime's calibration methods: the extremes; the range that loses least information (KL
divergence); the range of all but a share of the values."""
LEAST_BITS, MOST_BITS = 2, 8
HINTS = {
    "bits": "bits of the weights, 2 to 8 (8)",
    "method": f"how ranges of activations are found: {', '.join(METHODS)} (minmax)",
    "percentile": "share of the values that a range covers, in percent (99.99)",
    "count": "samples used to calibrate, spread over the file (256)",
}


@dataclass(frozen=True)
class QuantizeOptions:
    """Options of a quantization; the defaults are those of the command line.

    Attributes:
        bits: of the weights; activations have 8.
        method: one of METHODS.
        percentile: for that method, in percent.
        count: samples used to calibrate, at most.
    """

    bits: int = 8
    method: str = "minmax"
    percentile: float = 99.99
    count: int = 256

    @staticmethod
    def parsed(texts: Mapping[str, str]) -> QuantizeOptions:
        """Of text, such as bits=4; raises OptionError for what is not a number."""
        kinds = {"bits": int, "percentile": float, "count": int}
        given: dict[str, object] = {}
        for name, text in texts.items():
            try:
                given[name] = kinds.get(name, str)(text)
            except ValueError:
                raise OptionError(f"{name} is a number, not {text!r}") from None
        known = {field.name for field in fields(QuantizeOptions)}
        return QuantizeOptions(**{n: v for n, v in given.items() if n in known})  # type: ignore[arg-type]

    def check(self) -> None:
        """Raise OptionError for values that make no sense."""
        if not LEAST_BITS <= self.bits <= MOST_BITS:
            advice = (
                "train networks of 1-bit weights with Brevitas (docs/frontends/brevitas.md)"
                if self.bits == 1
                else "activations and weights of more bits need too many thresholds"
            )
            raise OptionError(
                f"--bits is from {LEAST_BITS} to {MOST_BITS}, not {self.bits}; {advice}"
            )
        if self.method not in METHODS:
            raise OptionError(
                f"--method is one of {', '.join(METHODS)}, not {self.method!r}"
                f"{close_matches(self.method, list(METHODS))}"
            )
        if not 50 < self.percentile <= 100:
            raise OptionError(f"--percentile is above 50 and up to 100, not {self.percentile:g}")
        if self.count < 1:
            raise OptionError(f"--count must be at least 1, not {self.count}")
