# SPDX-License-Identifier: Apache-2.0
"""A generated module and the contents of its memories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

WEIGHT_PORT = "s_axis_weights"
"""A module's stream of external weights."""
LOGIC, BLOCK, LUTS = 0, 1, 2
"""Styles of a `qnnc_rom`."""


@dataclass(frozen=True)
class Memory:
    """Contents of a ROM.

    Attributes:
        words: one integer a word, unsigned.
        width: bits per word.
        style: what it is kept in (`qnnc_rom`): LOGIC contents are part of the design, BLOCK and
            LUTS are memories whose contents do not shape it.
        path: instance path of the qnnc_rom inside the module, dots between.
    """

    words: Sequence[int]
    width: int
    style: int
    path: str

    @property
    def fixed(self) -> bool:
        """Contents are part of the design."""
        return self.style == LOGIC

    def text(self) -> str:
        """A $readmemh file."""
        digits = max(1, -(-self.width // 4))
        return "".join(f"{word:0{digits}x}\n" for word in self.words)


def port_names(base: str, count: int) -> list[str]:
    """Names of a module's streams: numbered if there are several."""
    return [base] if count == 1 else [f"{base}_{index}" for index in range(count)]


@dataclass(frozen=True)
class NodeRtl:
    """A generated module.

    Attributes:
        module: its name, made from the operator and a hash of the text, so that nodes alike
            share one module.
        text: SystemVerilog of the module and its helpers.
        memories: by the string parameter that names their file.
        s_bits: width of each input stream's words.
        m_bits: width of each output stream's words.
        weights: words of the weight stream, one pass over the matrix [words, bytes], if the
            module takes external weights.
    """

    module: str
    text: str
    memories: Mapping[str, Memory] = field(default_factory=dict)
    s_bits: tuple[int, ...] = ()
    m_bits: tuple[int, ...] = ()
    weights: NDArray[np.uint8] | None = None

    @property
    def s_ports(self) -> list[tuple[str, int]]:
        """Names and widths of the input streams, that of weights last."""
        found = list(zip(port_names("s_axis", len(self.s_bits)), self.s_bits, strict=True))
        if self.weights is not None:
            found.append((WEIGHT_PORT, 8 * self.weights.shape[1]))
        return found

    @property
    def m_ports(self) -> list[tuple[str, int]]:
        """Names and widths of the output streams."""
        return list(zip(port_names("m_axis", len(self.m_bits)), self.m_bits, strict=True))

    def with_files(self, files: Mapping[str, str]) -> str:
        """The text with default file names for some memory parameters, to stand on its own."""
        text = self.text
        for parameter, file in files.items():
            text = text.replace(f'parameter {parameter} = ""', f'parameter {parameter} = "{file}"')
        return text
