# SPDX-License-Identifier: Apache-2.0
"""A cocotb bench of an accelerator made by qnnc: its frames go in as integers, what comes out is
compared integer by integer.

    fusesoc --cores-root ip run --target=cocotb qnnc::qnnc_accelerator

Needs cocotb and what the core's target asks for, nothing of qnnc. It reads frames.json beside it:
for each stream its element type, elements per word, bytes per word, and the integers of each frame
in the order in which they pass. Element 0 of a word is in the low bits.
"""

import json
import random
from pathlib import Path

import cocotb
from cocotb.triggers import Timer

STREAMS = json.loads(Path("frames.json").read_text(encoding="utf-8"))
HALF = 5  # ns, half a clock cycle
PATIENCE = 10_000_000  # cycles in which no word passes


class Source:
    """Offers words on an AXI-Stream; one that was offered stays until it is taken.

    Weights from memory (`words_file`) come round and round.
    """

    def __init__(self, dut, stream, percent, chance):
        self.valid, self.ready, self.data = signals(dut, stream["name"])
        self.forever = "words_file" in stream
        if self.forever:
            text = Path(stream["words_file"]).read_text(encoding="ascii")
            self.words = [int(line, 16) for line in text.split()]
        else:
            self.words = [w for frame in stream["frames"] for w in packed(frame, stream)]
        self.percent, self.chance = percent, chance
        self.next, self.offering = 0, False
        self.valid.value = 0
        self.data.value = 0

    def drive(self):
        """Offer the next word, or wait for a while."""
        left = self.next < len(self.words)
        if not self.offering and left and self.chance.randrange(100) < self.percent:
            self.offering = True
            self.valid.value = 1
            self.data.value = self.words[self.next]

    def sample(self):
        """See whether the word is taken at the coming clock edge."""
        return self.offering and int(self.ready.value) == 1

    def step(self):
        """The word was taken."""
        self.next += 1
        if self.forever:
            self.next %= len(self.words)
        self.offering = False
        self.valid.value = 0  # unless the next cycle offers another one


class Sink:
    """Takes words from an AXI-Stream and keeps their integers."""

    def __init__(self, dut, stream, percent, chance):
        self.valid, self.ready, self.data = signals(dut, stream["name"])
        self.stream, self.percent, self.chance = stream, percent, chance
        self.wanted = [n for frame in stream["frames"] for n in frame]
        self.found = []
        self.taking = False
        self.ready.value = 0

    def drive(self):
        """Say whether a word would be taken."""
        self.taking = self.chance.randrange(100) < self.percent
        self.ready.value = int(self.taking)

    def sample(self):
        """See whether a word passes at the coming clock edge, and keep it."""
        passes = self.taking and int(self.valid.value) == 1
        if passes:
            self.found += unpacked(int(self.data.value), self.stream)
        return passes

    def complete(self):
        """Whether all integers of all frames have come."""
        return len(self.found) >= len(self.wanted)


def signals(dut, name):
    """TVALID, TREADY and TDATA of a stream."""
    return tuple(getattr(dut, f"{name}_{signal}") for signal in ("tvalid", "tready", "tdata"))


def packed(integers, stream):
    """The words of a frame."""
    bits, lanes = stream["bits"], stream["lanes"]
    codes = [(n + 1) // 2 if stream["bipolar"] else n & (1 << bits) - 1 for n in integers]
    return [
        sum(code << bits * lane for lane, code in enumerate(codes[start : start + lanes]))
        for start in range(0, len(codes), lanes)
    ]


def unpacked(word, stream):
    """The integers of a word."""
    bits = stream["bits"]
    codes = [word >> bits * lane & (1 << bits) - 1 for lane in range(stream["lanes"])]
    if stream["bipolar"]:
        return [2 * code - 1 for code in codes]
    if stream["signed"]:
        return [code - (code >> bits - 1 << bits) for code in codes]
    return codes


async def cycle(dut):
    """The second half of a clock cycle: the rising edge, and back."""
    dut.aclk.value = 1
    await Timer(HALF, "ns")
    dut.aclk.value = 0


async def run(dut, percent):
    """Reset, all frames in and out; streams wait at random where percent is less than 100."""
    chance = random.Random(1)  # noqa: S311
    sources = [Source(dut, s, percent, chance) for s in STREAMS["inputs"]]
    sources += [Source(dut, s, 100, chance) for s in STREAMS["weights"]]
    sinks = [Sink(dut, s, percent, chance) for s in STREAMS["outputs"]]
    dut.aclk.value = 0
    dut.aresetn.value = 0
    for _ in range(16):
        await Timer(HALF, "ns")
        await cycle(dut)
    dut.aresetn.value = 1
    cycles = idle = 0
    while not all(sink.complete() for sink in sinks):
        for end in (*sources, *sinks):
            end.drive()
        await Timer(HALF, "ns")  # now all is settled, and the rising edge comes
        taken = [source for source in sources if source.sample()]
        given = [sink for sink in sinks if sink.sample()]
        await cycle(dut)
        for source in taken:
            source.step()
        cycles += 1
        idle = 0 if taken or given else idle + 1
        assert idle < PATIENCE, f"no word has passed in {PATIENCE} cycles"
    for sink in sinks:
        compare(dut, sink, cycles)


def compare(dut, sink, cycles):
    """Every integer of a stream with the one that it should be."""
    pairs = enumerate(zip(sink.found, sink.wanted))
    wrong = [(at, found, wanted) for at, (found, wanted) in pairs if found != wanted]
    name = sink.stream["name"]
    dut._log.info(
        f"{name}: {len(wrong)} mismatches in {len(sink.wanted)} integers, {cycles} cycles"
    )
    shown = ", ".join(f"{at} is {found}, not {wanted}" for at, found, wanted in wrong[:5])
    assert not wrong, f"{name}: {len(wrong)} of {len(sink.wanted)} integers differ: {shown}"


@cocotb.test()
async def frames_at_full_speed(dut):
    """Words are offered and taken in every cycle."""
    await run(dut, 100)


@cocotb.test()
async def frames_with_pauses(dut):
    """Words are offered and taken in half of the cycles, at random."""
    await run(dut, 50)
