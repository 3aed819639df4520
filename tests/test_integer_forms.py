# SPDX-License-Identifier: Apache-2.0
"""Linear operators on integers against ONNX Runtime on the values, for every input there is.

Each operator stands alone: its inputs are integer tensors of few elements and few values, times
scales and plus offsets of all kinds. The pass that moves it onto integers is run, both graphs are
evaluated for every tensor of inputs, and every integer tensor is held against its range.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from qnnc.compiler.datatypes import carrier, smallest_type
from qnnc.compiler.ir.edit import QNNC, constant
from qnnc.compiler.ir.facts import Integer, integer, reason, set_integer
from qnnc.compiler.ir.intervals import Interval
from qnnc.compiler.passes.scaled_integer import ScaledInteger
from qnnc.compiler.reference import Session, expand
from tests.test_intervals import check, combinations, draw, is_complete

Array = NDArray[Any]
OPSET = 18


@dataclass
class Case:
    """A graph under construction: integer inputs and weights, and operators on them.

    Attributes:
        facts: of inputs and of constants, by name.
        shapes: of the inputs.
        turn: the number of the case, from which choices are made.
    """

    rng: np.random.Generator
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    facts: dict[str, Integer] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    turn: int = 0

    def pick(self, count: int) -> int:
        """One of so many choices: by turns as long as `turn` has any left, then by chance."""
        if self.turn == 0:
            return int(self.rng.integers(count))
        self.turn, found = divmod(self.turn, count)
        return found

    def constant(self, array: Any, dtype: Any = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def sizes(self, *numbers: int) -> str:
        return self.constant(numbers, np.int64)

    def op(self, op: str, inputs: Sequence[str], count: int = 1, **attributes: Any) -> list[str]:
        index = len(self.nodes)
        names = [f"t{index}_{i}" for i in range(count)]
        self.nodes.append(helper.make_node(op, list(inputs), names, f"n{index}", **attributes))
        return names

    def input(self, shape: Sequence[int], x: Interval | None = None) -> str:
        """An integer input of few values, exactly as quantizers give them."""
        name = f"x{len(self.shapes)}"
        x = draw(self.rng, shape) if x is None else x
        self.shapes[name] = tuple(shape)
        self.facts[name] = Integer.of(x.low, x.high, golden=name, quantized=True)
        return name

    def weights(self, codes: Array) -> str:
        name = self.constant(codes)
        self.facts[name] = Integer.of(codes.min(), codes.max())
        return name

    def form(self, x: str, scale: Any, offset: Any = 0) -> str:
        """Values that integers stand for."""
        y = self.op("Mul", [x, self.constant(scale)])[0]
        return self.op("Add", [y, self.constant(offset)])[0] if np.any(offset) else y

    def built(self, outputs: Sequence[str]) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "forms",
            [
                helper.make_tensor_value_info(n, TensorProto.FLOAT, s)
                for n, s in self.shapes.items()
            ],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs],
            self.constants,
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(QNNC, 1)]
        return onnx.shape_inference.infer_shapes(
            helper.make_model(graph, opset_imports=opsets, ir_version=9)
        )


def judged(case: Case, outputs: Sequence[str], *, exact: bool = True) -> str:
    """Both graphs for every input: the same values, all integers in their ranges, and in tensors
    that hold them; where `exact`, the ends of the last sums are reached.

    Returns:
        Why an operator was left as it is; empty where none was.
    """
    proto = case.built(outputs)
    model = ir.from_proto(proto)
    for value in [*model.graph.inputs, *model.graph.initializers.values()]:
        set_integer(value, case.facts.get(str(value.name)))
    ScaledInteger().run(model)
    left = [reason(node) for node in model.graph if reason(node)]
    if left:
        return left[0]
    names, shapes = list(case.shapes), list(case.shapes.values())
    both = _beside([case.facts[n] for n in names], shapes)
    flat = combinations(case.rng, both, (1, both.low.size))
    parts = np.split(flat, np.cumsum([np.prod(s) for s in shapes])[:-1], axis=1)
    feeds = {
        n: p.reshape(-1, *s[1:]).astype(np.float32)
        for n, p, s in zip(names, parts, shapes, strict=True)
    }
    for value in proto.graph.input:
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    del proto.graph.value_info[:]
    quiet = ort.SessionOptions()
    quiet.log_severity_level = 3
    quiet.intra_op_num_threads = 1
    session = ort.InferenceSession(
        proto.SerializeToString(), quiet, providers=["CPUExecutionProvider"]
    )
    expected = session.run(None, feeds)
    computed = [v for node in model.graph for v in node.outputs if integer(v) is not None]
    ends = list(model.graph.outputs)
    found = Session(expand(model, outputs=[*computed, *ends], any_batch=True)).run(feeds)
    for value, other in zip(ends, expected, strict=True):
        mine = found[str(value.name)]
        assert mine.shape == other.shape
        assert np.allclose(mine, other, rtol=1e-6, atol=1e-6)
    complete = is_complete(both, (1, both.low.size))
    last = {v for end in ends for v in _before(end)}
    for value in computed:
        fact = integer(value)
        assert fact is not None
        bounds = Interval.of(fact.low, fact.high)
        check(bounds, found[str(value.name)], exact and complete and value in last)
        narrow = carrier(smallest_type(bounds.least, bounds.greatest))
        assert narrow == np.float32 or value.dtype == ir.DataType.DOUBLE
        if fact.golden is not None and fact.golden in {e.name for e in ends}:
            golden = expected[list(outputs).index(fact.golden)]
            stands_for = found[str(value.name)] * fact.scale + fact.offset
            assert np.allclose(stands_for.reshape(golden.shape), golden, rtol=1e-6, atol=1e-6)
    assert any(node.domain == QNNC or integer(node.outputs[0]) for node in model.graph)
    return ""


def _beside(facts: Sequence[Integer], shapes: Sequence[tuple[int, ...]]) -> Interval:
    ends = [
        [np.broadcast_to(end, s).reshape(1, -1) for end in (f.low, f.high)]
        for f, s in zip(facts, shapes, strict=True)
    ]
    return Interval.of(*(np.concatenate([e[i] for e in ends], axis=1) for i in (0, 1)))


def _before(value: ir.Value) -> list[ir.Value]:
    """What a Dequantize at the end reads."""
    node = value.producer()
    found = [v for v in node.inputs if v is not None and constant(v) is None] if node else []
    return [v for v in found if integer(v) is not None]


Step = Callable[[Case], tuple[list[str], bool]]
"""Adds an operator; gives its outputs, and whether it must be possible."""


def some_scale(rng: np.random.Generator, shape: Sequence[int], axis: int = 1) -> Array:
    """One scale, or one for each place along an axis; negative ones and zero among them."""
    kind = int(rng.integers(4))
    if kind < 2:
        return np.asarray(rng.choice([0.5, 1.0, 2.0, 0.25, -0.5, 3.0]))
    sizes = [int(s) if i == axis else 1 for i, s in enumerate(shape)][1:]
    choices = [0.5, 1.0, -1.0, 2.0] if kind == 2 else [0.0, 1.0, 0.5]
    return rng.choice(choices, sizes)


def some_offset(rng: np.random.Generator, shape: Sequence[int], axis: int = 1) -> Array:
    if rng.random() < 0.5:
        return np.zeros(())
    if rng.random() < 0.5:
        return np.asarray(rng.choice([1.0, -2.0, 0.5, 6.0]))
    sizes = [int(s) if i == axis else 1 for i, s in enumerate(shape)][1:]
    return rng.choice([1.0, -2.0, 0.0, 4.0], sizes)


def uniform(array: Array) -> bool:
    return bool(np.all(array == array.ravel()[0]))


def bipolar_form(case: Case, shape: Sequence[int]) -> str:
    scale = float(case.rng.choice([1.0, 2.0, 0.5]))
    return case.form(case.input(shape, Interval.of(0, 1)), 2 * scale, -scale)


def matmul(case: Case) -> tuple[list[str], bool]:
    rng = case.rng
    k, m = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    shape = (1, *([2] if rng.random() < 0.3 and k < 3 else []), k)
    two_valued = rng.random() < 0.3
    if two_valued:
        x, fine = bipolar_form(case, shape), True
    else:
        scale = some_scale(rng, shape, len(shape) - 1)
        offset = some_offset(rng, shape, len(shape) - 1)
        x, fine = case.form(case.input(shape), scale, offset), uniform(scale)
    kind = case.pick(4)
    if kind == 0:
        codes = rng.integers(0, 2, (k, m))
        w = case.form(case.weights(codes), rng.choice([1.0, 2.0]), 0)
        if rng.random() < 0.7:
            w = case.form(case.weights(codes), 2.0, -1.0)
    elif kind == 1:  # scales of their own, whose ratios are powers of two
        codes = rng.integers(-3, 4, (k, m))
        w = case.form(case.weights(codes), rng.choice([0.5, 1.0, 4.0], (k, m)))
    else:
        codes = rng.integers(-3, 4, (k, m)) * int(rng.choice([1, 3]))
        w = case.form(case.weights(codes), some_scale(rng, (1, k, m), 2).reshape(-1))
    return case.op("MatMul", [x, w]), fine


def geometry(rng: np.random.Generator, rank: int, kernel: Sequence[int]) -> tuple[Any, list[int]]:
    strides = rng.integers(1, 3, rank).tolist()
    dilations = rng.integers(1, 3, rank).tolist()
    pads = [int(rng.integers(0, k)) for k in [*kernel, *kernel]]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    image = [
        max(1, r - pads[i] - pads[i + rank] + int(rng.integers(0, 2))) for i, r in enumerate(reach)
    ]
    chosen: dict[str, Any] = {"strides": strides, "dilations": dilations}
    kind = int(rng.integers(4))
    if kind == 0:
        chosen["auto_pad"] = str(rng.choice(["SAME_UPPER", "SAME_LOWER", "VALID"]))
        chosen["dilations"] = [1] * rank
        image = [max(i, k) for i, k in zip(image, kernel, strict=True)]
    elif kind < 3:
        chosen["pads"] = pads
    else:
        image = [i + pads[n] + pads[n + rank] for n, i in enumerate(image)]
    return chosen, image


def conv(case: Case) -> tuple[list[str], bool]:
    rng = case.rng
    rank, group = int(rng.integers(1, 3)), int(rng.choice([1, 1, 2]))
    per_group, outputs = int(rng.integers(1, 3)), group * int(rng.integers(1, 3))
    kernel = rng.integers(1, 3, rank).tolist()
    attributes, image = geometry(rng, rank, kernel)
    shape = (1, per_group * group, *image)
    padded = attributes.get("auto_pad", "").startswith("SAME") or any(attributes.get("pads", ()))
    if rng.random() < 0.25:
        x, fine = bipolar_form(case, shape), True
    else:
        scale, offset = some_scale(rng, shape), some_offset(rng, shape)
        grouped = np.broadcast_to(scale, shape[1:]).reshape(group, -1)
        fine = all(uniform(g) for g in grouped) and not (padded and np.any(offset))
        x = case.form(case.input(shape), scale, offset)
    codes = rng.integers(-3, 4, (outputs, per_group, *kernel))
    if rng.random() < 0.3:
        codes = rng.integers(0, 2, codes.shape)
        w = case.form(case.weights(codes), 2.0, -1.0)
    elif rng.random() < 0.3:
        w = case.form(case.weights(codes), rng.choice([0.5, 1.0, 4.0], codes.shape))
    else:
        w = case.form(case.weights(2 * codes), some_scale(rng, (1, *codes.shape), 1))
    return case.op("Conv", [x, w], group=group, kernel_shape=kernel, **attributes), fine


def transposed(case: Case) -> tuple[list[str], bool]:
    rng = case.rng
    rank, group = int(rng.integers(1, 3)), int(rng.choice([1, 1, 2]))
    per_group, outputs = int(rng.integers(1, 3)), int(rng.integers(1, 3))
    kernel = rng.integers(1, 4, rank).tolist()
    shape = (1, per_group * group, *([2] * rank))
    strides = rng.integers(1, 3, rank).tolist()
    dilations = rng.integers(1, 3, rank).tolist()
    pads = [int(rng.integers(0, min(k, 2))) for k in [*kernel, *kernel]]
    scale = some_scale(rng, shape)
    fine = all(uniform(g) for g in np.broadcast_to(scale, shape[1:]).reshape(group, -1))
    x = case.form(case.input(shape), scale)
    codes = rng.integers(-3, 4, (shape[1], outputs, *kernel))
    if group == 1 and rng.random() < 0.5:
        w = case.form(case.weights(codes), some_scale(rng, (1, 1, outputs, *kernel), 2))
    else:
        w = case.form(case.weights(codes), 0.5)
    found = case.op(
        "ConvTranspose", [x, w], group=group, strides=strides, dilations=dilations, pads=pads
    )
    return found, fine


def max_pool(case: Case) -> tuple[list[str], bool]:
    rng = case.rng
    rank = int(rng.integers(1, 3))
    kernel = rng.integers(1, 3, rank).tolist()
    attributes, image = geometry(rng, rank, kernel)
    shape = (1, int(rng.integers(1, 3)), *image)
    x = case.form(case.input(shape), some_scale(rng, shape), some_offset(rng, shape))
    if rng.random() < 0.2:
        return case.op("GlobalMaxPool", [x]), True
    if "pads" in attributes or "auto_pad" in attributes:
        attributes["strides"] = [1] * rank  # no window in the padding alone
    else:
        attributes["ceil_mode"] = int(rng.integers(2))
    return case.op("MaxPool", [x], kernel_shape=kernel, **attributes), False


def average(case: Case) -> tuple[list[str], bool]:
    rng = case.rng
    rank = int(rng.integers(1, 3))
    shape = (1, int(rng.integers(1, 3)), *rng.integers(2, 4 - (rank > 1), rank).tolist())
    x = case.form(case.input(shape), some_scale(rng, shape), some_offset(rng, shape))
    kind = case.pick(5)
    if kind == 0:
        return case.op("GlobalAveragePool", [x]), True
    if kind == 1:
        keep, choices = case.pick(2), [[2], [3], [2, 3], [-1], [-2, -1]][: 5 if rank == 2 else 1]
        made = (case.op("ReduceMean", [x, case.sizes(*a)], keepdims=keep) for a in choices)
        return [y for outputs in made for y in outputs], True
    if kind == 2:
        keep = int(rng.integers(2))
        axes_ = case.constant([-1], np.int64)
        return case.op("ReduceSum", [x, axes_], keepdims=keep), True
    kernel = rng.integers(1, 3, rank).tolist()
    pads = [int(rng.integers(0, k)) for k in [*kernel, *kernel]]
    extra = {"pads": pads} if kind == 3 else {"ceil_mode": 1}
    include, strides = int(rng.integers(2)), rng.integers(1, 3, rank).tolist()
    found = case.op(
        "AveragePool", [x], kernel_shape=kernel, strides=strides, count_include_pad=include, **extra
    )
    return found, False


def two(case: Case) -> tuple[list[str], bool]:
    rng = case.rng
    shape = (1, *rng.integers(1, 3, int(rng.integers(1, 3))).tolist())
    op = ["Add", "Sub", "Mul"][case.pick(3)]
    scale, offset = some_scale(rng, shape), some_offset(rng, shape)
    x = case.form(case.input(shape), scale, offset)
    if op == "Mul" and rng.random() < 0.3:
        y, ratio = x, np.ones(())
    else:
        ratio = np.asarray(rng.choice([1.0, 3.0, 0.5, 1 / 3, 0.75, -2.0, 256.0]))
        other = scale * ratio
        shift = some_offset(rng, shape)
        y = case.form(case.input(shape), other, shift)
        whole = [np.all((o == 0) | (o % np.where(s == 0, 1, s) == 0))
                 for s, o in ((scale, offset), (other, shift))]  # fmt: skip
        return case.op(op, [x, y]), op != "Mul" or (all(whole) and ratio != 1 / 3)
    return case.op(op, [x, y]), False


def concat(case: Case) -> tuple[list[str], bool]:
    rng = case.rng
    axis = int(rng.integers(1, 4))
    parts = []
    for _ in range(int(rng.integers(2, 4))):
        shape = [1, 1, 2, 1]
        shape[axis] = int(rng.integers(1, 3))
        scale = some_scale(rng, shape, int(rng.integers(1, 4)))
        offset = some_offset(rng, shape) if rng.random() < 0.5 else np.asarray(1.0)
        parts.append(case.form(case.input(shape), scale, offset))
    return case.op("Concat", parts, axis=axis - int(rng.integers(2)) * 4), True


def move(case: Case) -> tuple[list[str], bool]:
    rng = case.rng
    kind = case.pick(7)
    shape = (1, 4, 1, 2) if kind == 0 else (1, 2, 2, 2)
    axis = int(rng.integers(1, 4))
    scale, offset = some_scale(rng, shape, axis), some_offset(rng, shape)
    x = case.form(case.input(shape), scale, offset)

    if kind == 0:
        return case.op("DepthToSpace", [x], blocksize=2, mode=str(rng.choice(["DCR", "CRD"]))), True
    if kind == 1:
        return case.op("SpaceToDepth", [x], blocksize=2), True
    if kind == 2:
        return case.op("Split", [x, case.sizes(1, 1)], 2, axis=axis), True
    if kind == 3:
        start, step = (1, -1) if rng.random() < 0.5 else (0, 2)
        end = -9 if step < 0 else 9
        numbers = [case.sizes(n) for n in (start, end, axis, step)]
        return case.op("Slice", [x, *numbers]), True
    if kind == 4:
        rule = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        scales = case.constant([1, 1, *rng.choice([1, 1.5, 2], 2)])
        return case.op("Resize", [x, "", scales], mode="nearest", **rule), True
    if kind == 5:
        mode = str(rng.choice(["constant", "edge"]))
        pads = case.sizes(0, 0, int(rng.integers(2)), 1, 0, 0, 1, int(rng.integers(2)))
        value = [case.constant(rng.choice([0.0, 1.0]))] if mode == "constant" else []
        return case.op("Pad", [x, pads, *value], mode=mode), False
    return case.op("Expand", [x, case.sizes(1, 2, 2, 2)]), True


def layout(case: Case) -> tuple[list[str], bool]:
    """Something that is added to itself, so that the integers are wanted."""
    rng, shape = case.rng, (1, 2, 1, 3)
    scale = some_scale(rng, shape, int(rng.integers(1, 4)))
    x = case.form(case.input(shape), scale, some_offset(rng, shape))

    kind = case.pick(6)
    if kind == 0:
        y = case.op("Reshape", [x, case.sizes(0, 3, 2)])[0]
    elif kind == 1:
        y = case.op("Flatten", [x], axis=1)[0]
    elif kind == 2:
        y = case.op("Squeeze", [x, case.sizes(2)])[0]
    elif kind == 3:
        y = case.op("Unsqueeze", [x, case.sizes(int(rng.integers(1, 4)))])[0]
    elif kind == 4:
        perm = [0, *(1 + rng.permutation(3)).tolist()]
        y = case.op("Transpose", [x], perm=perm)[0]
    else:
        y = case.op("Reshape", [x, case.sizes(0, -1, 2)])[0]
        y = case.op("Transpose", [y], perm=[0, 2, 1])[0]
    return case.op("Add", [y, y]), True


def interpolated(case: Case) -> tuple[list[str], bool]:
    rng = case.rng
    rank = int(rng.integers(1, 3))
    shape = (1, int(rng.integers(1, 3)), *([2] if rank == 1 else [1, 2]))
    x = case.form(case.input(shape), some_scale(rng, shape), some_offset(rng, shape))
    factors = [int(rng.choice([1, 2, 4])) for _ in range(rank)]
    rule = str(rng.choice(["half_pixel", "pytorch_half_pixel", "asymmetric"]))
    if rule == "pytorch_half_pixel" and rank == 2:
        factors[0] = 2  # a result of one row would be the first one
    scales = case.constant([1, 1, *factors])
    return (
        case.op("Resize", [x, "", scales], mode="linear", coordinate_transformation_mode=rule),
        True,
    )


def clips(case: Case) -> tuple[list[str], bool]:
    """Between a quantizer and a sum."""
    rng = case.rng
    shape = (1, int(rng.integers(1, 4)))
    scale, offset = float(rng.choice([0.5, 2.0])), float(rng.choice([0.0, 1.0, -3.0]))
    x = case.form(case.input(shape), scale, offset)
    bound = [float(scale * rng.integers(-6, 7) + offset) for _ in range(2)]
    if rng.random() < 0.3:
        y = case.op("Relu", [x])[0]
        fine = offset % scale == 0
    else:
        which = int(rng.integers(3))
        low, high = (case.constant(b) for b in bound)
        y = case.op("Clip", [[x, low], [x, "", high], [x, low, high]][which])[0]
        fine = True
    return case.op("Add", [y, y]), fine


STEPS: dict[str, Step] = {
    "matmul": matmul,
    "conv": conv,
    "transposed": transposed,
    "max_pool": max_pool,
    "average": average,
    "two": two,
    "concat": concat,
    "move": move,
    "layout": layout,
    "interpolated": interpolated,
    "clips": clips,
}
INEXACT = {"two", "interpolated", "layout", "average", "clips", "transposed"}
"""Ranges may be wider: one tensor is used twice, or is spread before it is weighed."""


@pytest.mark.parametrize("half", range(2))
@pytest.mark.parametrize("name", STEPS)
def test_integers_stand_for_what_the_operator_gives(name: str, half: int) -> None:
    rng = np.random.default_rng(sum(map(ord, name)) + 1000 * half)
    computed = 0
    for turn in range(15):
        case = Case(rng, turn=30 + 2 * turn + half)  # more digits than choices
        outputs, possible = STEPS[name](case)
        why = judged(case, outputs, exact=name not in INEXACT)
        computed += not why
        assert not (why and possible), why
    assert computed >= 5
