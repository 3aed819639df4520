# SPDX-License-Identifier: Apache-2.0
"""Spoiling samples, labels, options and the files of a build's folder."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.corrupted_inputs.spoil_model import FLOATS, bytes_spoilt

NUMBERS = ("0", "-1", "1", "nan", "inf", "-inf", "1e308", "1e-308", "1e-50", "", "x", "0x10", "1_0")
WHOLE = ("0", "-1", "1", "2", "99999999999999999999", "1.5", "", "x", "2147483648")
OPTIONS: dict[str, tuple[str, ...]] = {
    "--clock-mhz": NUMBERS,
    "--fps": NUMBERS,
    "--budget": NUMBERS,
    "--batch": WHOLE,
    "--top-k": WHOLE,
    "--frames": WHOLE,
    "--jobs": ("0", "-1", "1", "x"),
    "--input-type": (
        "uint0", "int0", "int1", "uint1", "uint8", "int8", "uint32", "int32", "uint33", "bipolar",
        "binary", "ternary", "float32", "float16", "scaledint8", "fixed<8,4>", "uint99999999999",
        "", "int-3", "uint", "uint8 ", "arbprec", "fixed<0,0>", "uint2.5",
    ),
    "--input-scale": (
        "0", "-1", "nan", "inf", "1/0", "0/1", "1/255", "1e-50", "1e50", "1e-45", "1/1e-50",
        "1/3/5", "", "/", "1e308/1e308", "1e400", "exit()", "0x1p3", "1_0",
    ),
    "--input-shape": (
        "", "0", "-1", "1", "1,6", "6", "1,0", "1,99999999999", "1x6", "1,6,", "9" * 400,
        "1,6,1,1,1,1", ",".join(["1"] * 2000), "1,2147483647", "a,b",
    ),
    "--input-name": ("x", "y", "", "\x1b[31m", "x" * 3000),
    "--board": ("Pynq-Z2", "", "pynq-z1", "../x", "\x1b[31m"),
    "--backend": ("rtl", "hls", "auto", "rtl,MVAU=hls", "rtl,=", ",", "", "vhdl", "rtl,No=hls"),
    "--until": ("passes", "estimate", "", "nothing"),
    "--frontend": ("qonnx", "qdq", "brevitas", "finn", "", "keras"),
    "--frontend-option": ("a=b", "=", "a=", "export=qcdq", ""),
    "--passes": (
        "...", "", ",", "tidy", "set-folding", "...,set-folding",
        "tidy,...,absorb-tails{max-elements=1}", "absorb-tails{max-elements=-1},...",
        "absorb-tails{x=1}", "tidy{", "}", "...,...",
        "absorb-tails{max-elements=99999999999999999999}", "to-dataflow", "insert-fifos,...",
        "minimize-widths", "host-boundary,tidy", "merge-thresholds,...", "tidy,tidy,tidy,...",
        "set-folding{fps=nan},...", "set-folding{budget=0}",
        "...,insert-width-converters,insert-fifos",
    ),
    "--stop-after": ("tidy", "absorb-tails", "set-folding", "nothing", "import"),
    "--verify": ("each", "ends", "none", "never"),
    "--engine": ("auto", "x"),
    "--start-from": (".", "/dev/null", "absent.onnx"),
    "--save-ir": ("/dev/null", "/proc/x"),
    "--host-layers": (),
    "--updatable": (),
}  # fmt: skip


def options_spoilt(rng: random.Random) -> list[str]:
    """One to three options with values from the ends of what they take, and beyond."""
    chosen = rng.sample(list(OPTIONS), rng.choice((1, 1, 2, 3)))
    arguments: list[str] = []
    for name in chosen:
        arguments += [f"{name}={rng.choice(OPTIONS[name])}"] if OPTIONS[name] else [name]
    return arguments


def samples_spoilt(rng: random.Random, shape: tuple[int, ...]) -> tuple[str, bytes]:
    """The name and the contents of a file that claims to hold samples of a shape."""
    size = (5, *shape)
    kind = rng.randrange(16)
    good = np.random.default_rng(rng.randrange(1 << 30)).normal(size=size).astype(np.float32)
    array: Any = good
    if kind == 0:
        array = good[..., :-1]
    elif kind == 1:
        array = np.zeros((0, *shape))
    elif kind == 2:
        array = good.astype(rng.choice(["f2", "f8", "i1", "u8", "c8", "?", "M8[s]", "S3", "U2"]))
    elif kind == 3:
        array = np.array([{}, None, "x"], dtype=object)
    elif kind == 4:
        array = np.full(size, rng.choice(FLOATS))
    elif kind == 5:
        array = np.full(size, rng.choice((1e300, -1e300, 3.4e38, 1e-320)))
    elif kind == 6:
        array = np.zeros(())
    elif kind == 7:
        array = np.full(size, 2**70 + 0.5)
    elif kind == 8:
        array = good.T
    elif kind == 9:
        array = np.zeros((5,), dtype=[("a", "f4"), ("b", "i4")])
    elif kind == 10:
        return "samples.npy", _huge_header(rng)
    elif kind == 11:
        return "samples.idx", _idx(rng, size)
    name = rng.choice(("samples.npy", "samples.npz"))
    data = _saved(name, array)
    return name, bytes_spoilt(rng, data) if kind > 11 else data


def _saved(name: str, array: Any) -> bytes:
    buffer = io.BytesIO()
    if name.endswith(".npz"):
        np.savez_compressed(buffer, x=array)
    else:
        np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def _huge_header(rng: random.Random) -> bytes:
    shape = rng.choice(
        ("(99999999999,)", "(-1, 6)", "(1 << 60,)", "(5, 6", "'x'", "(5.0, 6)", "()")
    )
    kind = rng.choice(("<f4", "|O", "<U999999999", "nonsense", "|V0"))
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    header = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(120)


def _idx(rng: random.Random, size: tuple[int, ...]) -> bytes:
    head = bytes([0, 0, rng.choice((8, 13, 14, 99)), rng.choice((0, 1, len(size), 255))])
    dims = b"".join(int(n).to_bytes(4, "big") for n in size)
    return head + rng.choice((dims, b"\xff" * 16, b"")) + bytes(rng.choice((0, 30, 31, 4096)))


def labels_spoilt(rng: random.Random) -> bytes:
    """Five labels that are not quite."""
    choices: list[Any] = [
        np.array(["a", "b", "c", "d", "e"]),
        np.full(5, np.nan),
        np.full(5, -1),
        np.full(5, 2**63 - 1),
        np.full(5, 0.5),
        np.full(5, 1e300),
        np.arange(4),
        np.array([{}], dtype=object),
        np.arange(5),
        np.zeros((5, 1), dtype=bool),
        np.zeros(5, dtype="c8"),
    ]
    data = _saved("labels.npy", rng.choice(choices))
    return bytes_spoilt(rng, data) if rng.random() < 0.2 else data


def folder_spoilt(rng: random.Random, folder: Path) -> None:
    """One file of a build's folder spoilt: a field of its settings, or any bytes."""
    if rng.random() < 0.6:
        path = folder / "build.json"
        settings = json.loads(path.read_text())
        whole = rng.random()
        if whole < 0.15:
            settings = rng.choice([None, [], 1, "x", {}, {"options": 3}, {"options": {}}])
        else:
            options = settings["options"]
            name = rng.choice([*options, "speed"])
            options[name] = rng.choice(
                [None, -1, 0, 1e308, "", "x", [], {}, True, "../../etc", "a" * 5000, [1], 1 << 70]
            )
            if whole < 0.25:
                del options[name]
        path.write_text(json.dumps(settings))
        return
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    path = rng.choice(files)
    kind = rng.random()
    if kind < 0.2:
        path.unlink()
    else:
        path.write_bytes(bytes_spoilt(rng, path.read_bytes()))
