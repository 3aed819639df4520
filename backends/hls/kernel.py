# SPDX-License-Identifier: Apache-2.0
"""A dataflow node in C++: a class of the template library, and the tables that it reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from qonnx.core.datatype import BaseDataType

from qnnc.compiler.dataflow import Ports, Stream
from qnnc.compiler.datatypes import BIPOLAR, TERNARY
from qnnc.compiler.errors import PluginError

PREFIX = "qnnc_"


@dataclass(frozen=True)
class Table:
    """Constants of a kernel.

    Attributes:
        word: what a word of it is called within the kernel's class; `word`_word reads it.
        datatype: of an element.
        values: [rows, columns, lanes], or [rows, lanes] for one word per row.
        style: "block", "distributed" or "" for the tool's choice.
        partition: dimension of the array of words whose elements are read at once: 1 or 2, 0 for
            both, -1 for none; by default the columns, where there are any.
    """

    word: str
    datatype: BaseDataType
    values: NDArray[np.int64]
    style: str = ""
    partition: int | None = None

    @property
    def partitioned(self) -> int:
        """`partition`, resolved."""
        if self.partition is not None:
            return self.partition
        return 2 if len(self.dimensions) == 2 else -1

    @property
    def dimensions(self) -> tuple[int, ...]:
        """Of the array of words."""
        return tuple(self.values.shape[:-1])


@dataclass(frozen=True)
class Header:
    """A C++ header that lies in a folder of a package.

    Attributes:
        package: that folder's.
        file: its name there.
    """

    package: str
    file: str

    @classmethod
    def beside(cls, module: str, file: str) -> Header:
        """A header beside a module, given by the module's `__name__`."""
        return cls(module.rpartition(".")[0], file)

    @property
    def name(self) -> str:
        """What it is called beside the library's own headers."""
        return self.file if self.file.startswith(PREFIX) else f"{PREFIX}{self.file}"

    def text(self) -> str:
        """What is in it."""
        return files(self.package).joinpath(self.file).read_text(encoding="utf-8")


@dataclass(frozen=True)
class Kernel:
    """What a node runs.

    Attributes:
        header: that has the class.
        template: the class, without its namespace, such as "mvau<...>"; its function `run`
            takes the input streams, the output streams and the tables.
        ports: the streams.
        tables: in the order of the arguments.
        includes: headers of other nodes that `header` includes; the library is always there.
    """

    header: Header
    template: str
    ports: Ports
    tables: tuple[Table, ...] = ()
    includes: tuple[Header, ...] = ()


def cpp_type(kind: BaseDataType) -> str:
    """The library's class of an element type."""
    if kind == BIPOLAR:
        return "qnnc::bipolar"
    if kind == TERNARY:
        return "qnnc::ternary"
    return f"qnnc::integer<{kind.bitwidth()}, {_flag(kind.min() < 0)}>"


def _flag(value: bool) -> str:
    return "true" if value else "false"


def template(name: str, *arguments: BaseDataType | int | bool | str) -> str:
    """A class of the library with its arguments."""
    return f"{name}<{', '.join(_argument(a) for a in arguments)}>"


def _argument(value: BaseDataType | int | bool | str) -> str:
    if isinstance(value, bool):
        return _flag(value)
    if isinstance(value, int):
        return str(value)
    return value if isinstance(value, str) else cpp_type(value)


def word_type(stream: Stream) -> str:
    """C++ type of a stream's words."""
    return f"qnnc::word_t<{cpp_type(stream.datatype)}, {stream.lanes}>"


def stream_type(stream: Stream) -> str:
    """C++ type of a stream."""
    return f"qnnc::stream<{word_type(stream)} >"


@lru_cache(maxsize=1)
def library() -> dict[str, str]:
    """Text of every header of the library, by name."""
    folder = files("qnnc.backends.hls").joinpath("library")
    return {
        file.name: file.read_text(encoding="utf-8")
        for file in sorted(folder.iterdir(), key=lambda f: f.name)
        if file.name.endswith(".h")
    }


def headers(kernels: Iterable[Kernel]) -> dict[str, str]:
    """Text of every header that kernels need, the library's among them, by name.

    Raises:
        PluginError: two packages have different headers of one name.
    """
    found = dict(library())
    for header in dict.fromkeys(h for kernel in kernels for h in (kernel.header, *kernel.includes)):
        text = header.text()
        if found.setdefault(header.name, text) != text:
            raise PluginError(
                f"the C++ header {header.file} of package {header.package} has the name of another "
                "one; rename it"
            )
    return found


def hex_word(elements: Sequence[int], kind: BaseDataType) -> str:
    """A word's code in hexadecimal, element 0 in the low bits."""
    bits = kind.bitwidth()
    mask, code = (1 << bits) - 1, 0
    for element in reversed(elements):
        value = (element + 1) // 2 if kind == BIPOLAR else element
        code = (code << bits) | (value & mask)
    return f"{code:x}"
