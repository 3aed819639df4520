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
        """Memory holds elements as numpy does."""
        return self.bits in (8, 16, 32) and not self.bipolar

    @property
    def in_byte(self):
        """Elements in a byte that lie side by side in it, or 0 if some lie across a border."""
        return 8 // self.bits if self.bits in (2, 4) else 0

    def _elements(self, data):
        """Memory of plain elements, without what fills words up: [words, lanes]."""
        kind = ("<i%d" if self.signed else "<u%d") % (self.bits // 8)
        rows = data.reshape(-1, self.memory_bytes)
        return rows.view(kind)[:, : self.lanes]

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
        rows = out[: frames * self.frame_bytes].reshape(-1, self.memory_bytes)
        if self.plain:
            used = self.lanes * self.bits // 8
            rows[:, used:] = 0
            self._elements(rows)[:] = flat
            return
        if self.bits == 1:
            packed = np.packbits(flat > 0, axis=1, bitorder="little")
            rows[:, : packed.shape[1]] = packed
            rows[:, packed.shape[1] :] = 0
            return
        if self.in_byte:
            self._pack_bytes(flat, rows)
            return
        if self.parts == 1 and self.lanes == 1:
            words[:] = self._codes(flat)
            return
        sums = np.zeros((self.parts, len(flat)), dtype=self.part)
        for lane in range(self.lanes):
            part, shift = divmod(lane * self.bits, self.part_bits)
            code = self._codes(flat[:, lane])
            sums[part] |= code << code.dtype.type(shift) if shift else code
            if shift + self.bits > self.part_bits:
                sums[part + 1] |= code >> code.dtype.type(self.part_bits - shift)
        words[:] = sums.T

    def _pack_bytes(self, flat, rows):
        """Elements of which several fill a byte exactly."""
        codes = flat.astype(np.int8).view(np.uint8)
        if self.signed:
            codes &= np.uint8((1 << self.bits) - 1)
        used = -(-self.lanes // self.in_byte)
        rows[:, used:] = 0
        for place in range(self.in_byte):
            column = codes[:, place :: self.in_byte]
            if place == 0:
                rows[:, :used] = column
            else:
                rows[:, : column.shape[1]] |= column << np.uint8(place * self.bits)

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
        rows = data[: frames * self.frame_bytes].reshape(-1, self.memory_bytes)
        if self.plain:
            return self._elements(rows).reshape((frames, *self.shape)).copy()
        if self.in_byte:
            return self._unpack_bytes(rows).reshape((frames, *self.shape))
        if self.bits == 1:
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

    def _unpack_bytes(self, rows):
        """The reverse of _pack_bytes."""
        used = -(-self.lanes // self.in_byte)
        result = np.empty((len(rows), used, self.in_byte), np.int8 if self.signed else np.uint8)
        for place in range(self.in_byte):
            # the element moves to the upper end of the byte, and back down with its sign
            up = rows[:, :used] << np.uint8(8 - (place + 1) * self.bits)
            result[:, :, place] = up.view(result.dtype) >> result.dtype.type(8 - self.bits)
        return result.reshape(len(rows), -1)[:, : self.lanes]
