# SPDX-License-Identifier: Apache-2.0
"""Words of a stream in memory: packing and unpacking."""

import numpy as np
from qnnc_errors import AcceleratorError


class Layout:
    """How a tensor lies in memory: codes of `bits` bits, `lanes` to a word, a word in
    `memory_bytes` bytes, element 0 lowest."""

    def __init__(self, stream):
        self.name = stream["name"]
        self.shape = tuple(stream["shape"][1:])
        self.bits = int(stream["bits"])
        self.signed = bool(stream["signed"])
        self.bipolar = bool(stream["bipolar"])
        self.lanes = int(stream["lanes"])
        self.words = int(stream["words"])
        self.memory_bytes = int(stream["memory_bytes"])
        self.frame_bytes = self.words * self.memory_bytes
        self.registers = int(stream["registers"])
        self.low, self.high = int(stream["low"]), int(stream["high"])
        # words of up to 8 bytes are one number, longer ones several of 8 bytes
        self.part = "<u%d" % min(self.memory_bytes, 8)
        self.parts = max(1, self.memory_bytes // 8)
        self.part_bits = 8 * min(self.memory_bytes, 8)

    @property
    def plain(self):
        """A word is one element, and memory holds it as numpy does."""
        return self.lanes == 1 and self.bits in (8, 16, 32) and self.bits == 8 * self.memory_bytes

    def pack(self, values, out):
        """Write a batch [n, ...] of integers as memory words into bytes `out`."""
        frames = len(values)
        flat = np.ascontiguousarray(values).reshape(frames * self.words, self.lanes)
        check = flat.size and (
            flat.dtype.kind == "f" or flat.min() < self.low or flat.max() > self.high
        )
        if check:
            if flat.dtype.kind == "f":
                rounded = np.rint(flat)
                if not np.array_equal(rounded, flat):
                    raise AcceleratorError(f"{self.name} takes integers")
                flat = rounded
            if flat.min() < self.low or flat.max() > self.high:
                raise AcceleratorError(
                    "%s takes values from %d to %d" % (self.name, self.low, self.high)
                )
        words = out[: frames * self.frame_bytes].view(self.part).reshape(-1, self.parts)
        if self.plain:
            kind = "<i%d" if self.signed else "<u%d"
            words.view(kind % self.memory_bytes)[:] = flat
            return
        if self.bits == 1:
            rows = out[: frames * self.frame_bytes].reshape(-1, self.memory_bytes)
            packed = np.packbits(flat > 0, axis=1, bitorder="little")
            rows[:, : packed.shape[1]] = packed
            rows[:, packed.shape[1] :] = 0
            return
        codes = self._codes(flat)
        if self.parts == 1 and self.lanes == 1:
            words[:] = codes
            return
        sums = np.zeros((self.parts, len(flat)), dtype=self.part)
        for lane in range(self.lanes):
            part, shift = divmod(lane * self.bits, self.part_bits)
            code = codes[:, lane]
            sums[part] |= code << code.dtype.type(shift) if shift else code
            if shift + self.bits > self.part_bits:
                sums[part + 1] |= code >> code.dtype.type(self.part_bits - shift)
        words[:] = sums.T

    def _codes(self, flat):
        """Unsigned codes in numbers as wide as a part of a word."""
        wide = flat
        if flat.dtype.kind == "f":
            wide = flat.astype(np.int64)
        codes = wide.astype(self.part)
        if self.signed and self.bits < self.part_bits:
            codes &= codes.dtype.type((1 << self.bits) - 1)
        return codes

    def unpack(self, data, frames):
        """The integers [frames, *shape] in memory words."""
        words = data[: frames * self.frame_bytes].view(self.part).reshape(-1, self.parts)
        if self.plain:
            kind = "<i%d" if self.signed else "<u%d"
            return words.view(kind % self.memory_bytes).reshape((frames, *self.shape)).copy()
        if self.bits == 1:
            rows = data[: frames * self.frame_bytes].reshape(-1, self.memory_bytes)
            result = np.unpackbits(rows, axis=1, count=self.lanes, bitorder="little")
            result = 2 * result.view("i1") - 1 if self.bipolar else result
            return result.reshape((frames, *self.shape))
        columns = words.T
        small = "i1" if self.bits < 8 else "i2" if self.bits < 16 else "i4"
        if self.bits > 31:
            small = "i8"
        result = np.empty((len(words), self.lanes), dtype=small)
        for lane in range(self.lanes):
            part, shift = divmod(lane * self.bits, self.part_bits)
            kind = columns.dtype.type
            code = columns[part] >> kind(shift) if shift else columns[part]
            if shift + self.bits > self.part_bits:
                code = code | columns[part + 1] << kind(self.part_bits - shift)
            if self.bits < self.part_bits:
                code = code & kind((1 << self.bits) - 1)
            result[:, lane] = code
        if self.signed and self.bits < 8 * result.itemsize:
            sign = result.dtype.type(1 << (self.bits - 1))
            result = (result ^ sign) - sign
        return result.reshape((frames, *self.shape))
