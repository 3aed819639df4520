# SPDX-License-Identifier: Apache-2.0
"""A few keys and their values in a hash table of two ways, as `qnnc_exceptions` reads it.

A key's place in a way is its low bits, scrambled with its high bits by exclusive-ors; an entry
keeps the high bits, so that place and entry together tell the key. Each key has one place in each
way, and is put into either (cuckoo hashing; up to 40 % full, that works almost always). Keys at
equal distances differ in few bits: where they find no place, more bits are mixed in, and then the
ways grow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qnnc.compiler.ir.facts import IntArray

FULL = 0.4
"""How full a table is at most."""
MIXED = (3, None)
"""High bits of a key that go into each bit of its place, at most: few, and if that does not do,
each of them with an even chance."""
SEEDS = 200


@dataclass(frozen=True)
class HashTable:
    """Both ways of a table.

    Attributes:
        address_bits: of a way.
        tag_bits: high bits of a key, kept in the entry.
        value_bits: of a value, two's complement.
        mixing: for each way and bit of the place, the key's bits whose exclusive-or it is.
        entries: [2, 2**address_bits], tag above value.
    """

    address_bits: int
    tag_bits: int
    value_bits: int
    mixing: tuple[tuple[tuple[int, ...], ...], ...]
    entries: IntArray

    def look_up(self, keys: IntArray) -> IntArray:
        """Values of keys [n], 0 for others."""
        total = np.zeros_like(keys)
        for way in range(2):
            entry = self.entries[way, places(keys, self.mixing[way])]
            tag, value = entry >> self.value_bits, entry & ((1 << self.value_bits) - 1)
            signed = np.where(value >> (self.value_bits - 1), value - (1 << self.value_bits), value)
            total = total + np.where(tag == keys >> self.address_bits, signed, 0)
        return total


def address_bits(count: int, key_bits: int) -> int:
    """Address bits of a way for `count` keys."""
    wanted = int(np.ceil(count / (2 * FULL)))
    return min(max(1, (wanted - 1).bit_length()), key_bits - 1)


def places(keys: IntArray, mixing: tuple[tuple[int, ...], ...]) -> IntArray:
    """Places of keys [n] in a way."""
    found = np.zeros_like(keys)
    for bit, mixed in enumerate(mixing):
        parity = np.zeros_like(keys)
        for source in mixed:
            parity = parity ^ (keys >> source)
        found |= (parity & 1) << bit
    return found


def hash_tables(
    parts: Sequence[tuple[IntArray, IntArray]], key_bits: int, bits: int, value_bits: int
) -> list[HashTable]:
    """Tables of one size for several sets of keys [n] (not negative, distinct in each) and their
    values [n] (not 0).

    Args:
        bits: address bits of a way at least; there are more if some keys find no place.
    """
    for size in range(bits, key_bits):
        tables: list[HashTable] = []
        for keys, values in parts:
            found = _hash_table(keys, values, key_bits, size, value_bits)
            if found is None:
                break
            tables.append(found)
        else:
            return tables
    raise ValueError(f"keys of {key_bits} bits that are not distinct")


def _hash_table(
    keys: IntArray, values: IntArray, key_bits: int, bits: int, value_bits: int
) -> HashTable | None:
    """A table of 2**bits places a way, or None if none of those tried has room for all keys."""
    tag_bits = key_bits - bits
    for most in MIXED:
        for seed in range(SEEDS):
            rng = np.random.default_rng(seed)
            mixing = tuple(
                tuple((bit, *_some(rng, bits, tag_bits, most)) for bit in range(bits))
                for _ in range(2)
            )
            owner = _placed(np.stack([places(keys, mixing[way]) for way in range(2)]), 1 << bits)
            if owner is None:
                continue
            entry = ((keys >> bits) << value_bits) | (values & ((1 << value_bits) - 1))
            # an empty entry has the value 0, so that a key that seems to match it finds nothing
            kept = entry[np.maximum(owner, 0)] if keys.size else owner
            entries = np.where(owner >= 0, kept, 0)
            return HashTable(bits, tag_bits, value_bits, mixing, entries)
    return None


def _some(rng: np.random.Generator, first: int, count: int, most: int | None) -> list[int]:
    """Some of the numbers first..first + count - 1: up to `most`, how many being left to chance
    too, or each with an even chance."""
    if most is None:
        chosen = np.flatnonzero(rng.integers(2, size=count))
    else:
        chosen = rng.choice(count, min(int(rng.integers(most + 1)), count), replace=False)
    return sorted(first + int(i) for i in chosen)


def _placed(where: IntArray, size: int) -> IntArray | None:
    """The key in each place of each way, -1 for none: a key that finds its place taken moves the
    other on to that one's second place."""
    owner = np.full((2, size), -1, dtype=np.int64)
    for key in range(where.shape[1]):
        moving, way = key, 0
        for _ in range(64 + where.shape[1].bit_length() * 8):
            place = where[way, moving]
            moving, owner[way, place] = int(owner[way, place]), moving
            if moving < 0:
                break
            way = 1 - way
        else:
            return None
    return owner
