# SPDX-License-Identifier: Apache-2.0
"""remove-channels: channels that nothing depends on are not computed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.dataflow import DataflowNode, declaration, is_dataflow
from qnnc.compiler.dataflow.base import Role, divisors
from qnnc.compiler.dataflow.channels import ChannelLink, repeated_channels
from qnnc.compiler.ir.edit import Editor, constant, remove_unused, shape_of
from qnnc.compiler.ir.facts import IntArray, integer, set_integer, sources
from qnnc.compiler.passes.base import Pass, Reason
from qnnc.compiler.passes.minimize_widths import MinimizeWidths

MORE_LANES = 1.25
"""How many times as many lanes as before fewer channels may take."""


@dataclass
class RemoveChannels(Pass):
    """Remove channels whose weights in all that reads them are zero, or that are constant.

    What a constant channel adds to a sum is taken off the thresholds after it. Channels that
    convolutions, pools, sums and concatenations tie together are removed together or not at all.
    Where fewer channels could not be folded as well, such as 61 instead of 64, some are left.
    """

    name = "remove-channels"
    folds = "its channels are the same for every input, or nothing uses them"

    def run(self, model: ir.Model) -> bool:
        streams = _Streams(model)
        streams.find_live()
        removed = streams.remove(Editor(model.graph))
        if not removed:
            return False
        remove_unused(model)
        for value, before in removed:
            producer = value.producer()
            if producer is None or not is_dataflow(producer):
                continue
            if declaration(producer).reads() is not None:
                text = (
                    f"{before - shape_of(value)[-1]} of {before} channels have no effect: removed"
                )
                self.reasons.append(Reason(producer.name or "", sources(producer), text))
        MinimizeWidths().run(model)
        return True


@dataclass
class _Place:
    """A node that streams go through.

    Attributes:
        node: in the graph.
        found: its declaration; None for a reshape.
        inputs: its input streams.
        links: channels that belong together; None where all are needed.
        reads: [inputs, outputs] of a product.
        constants: of a product, what each input is where it is always the same and not zero.
    """

    node: ir.Node
    found: DataflowNode | None
    inputs: list[ir.Value]
    links: list[ChannelLink] | None
    reads: NDArray[np.bool_] | None = None
    constants: IntArray | None = None


@dataclass
class _Streams:
    """The channels of all streams, in classes that are there together or not at all."""

    model: ir.Model
    first: dict[ir.Value, int] = field(default_factory=dict)
    places: list[_Place] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.count = 0
        pairs: list[tuple[IntArray, IntArray]] = []
        fixed: list[ir.Value] = []
        for node in self.model.graph:
            place = _place(node)
            if place is None:
                fixed += [v for v in (*node.inputs, *node.outputs) if v is not None]
                continue
            self.places.append(place)
            for value in (*place.inputs, *node.outputs):
                if value not in self.first:
                    self.first[value] = self.count
                    self.count += shape_of(value)[-1]
            if place.links is None:
                fixed += [*place.inputs, *node.outputs]
            for link in place.links or ():
                source, target = place.inputs[link.source], node.outputs[link.target]
                pairs.append((self.first[source] + link.before, self.first[target] + link.after))
        fixed += [*self.model.graph.inputs, *self.model.graph.outputs]
        self.labels = _classes(self.count, pairs)
        self.live = np.zeros(self.count, dtype=np.bool_)  # by class
        for value in fixed:
            if value in self.first:
                self.live[self._of(value)] = True

    def _of(self, value: ir.Value) -> IntArray:
        """Classes of a stream's channels."""
        first = self.first[value]
        return self.labels[first : first + shape_of(value)[-1]]

    def find_live(self) -> None:
        """From the ends backwards: what is read by something live, and what else has to stay."""
        while True:
            before = int(self.live.sum())
            for place in reversed(self.places):
                if place.reads is not None:
                    wanted = place.reads[:, self.live[self._of(place.node.outputs[0])]]
                    self.live[self._of(place.inputs[0])[wanted.any(axis=1)]] = True
            if int(self.live.sum()) == before and not self._fill():
                return

    def _fill(self) -> bool:
        """Keep some more channels where a stream has none or could not be folded as well."""
        changed = False
        for value in self.first:
            classes = self._of(value)
            kept = self.live[classes]
            count, now = len(classes), int(kept.sum())
            wanted = next(
                n for n in range(max(1, now), count + 1) if n == count or _as_well(count, n)
            )
            for label in classes[~kept]:
                if int(self.live[classes].sum()) >= wanted:
                    break
                self.live[label] = changed = True
        return changed

    def remove(self, editor: Editor) -> list[tuple[ir.Value, int]]:
        """Remove the others; the streams that have fewer channels now, and how many they had."""
        kept = {value: np.flatnonzero(self.live[self._of(value)]) for value in self.first}
        less = {v: shape_of(v)[-1] for v in self.first if len(kept[v]) < shape_of(v)[-1]}
        for place in self.places:
            inputs = [kept[value] for value in place.inputs]
            outputs = [kept[value] for value in place.node.outputs]
            if place.found is None:
                if place.node.outputs[0] in less:
                    _reshape(editor, place.node, len(outputs[0]))
            elif any(v in less for v in (*place.inputs, *place.node.outputs)):
                self._move_constants(editor, place, inputs[0])
                place.found.keep_channels(editor, inputs, outputs)
        for value in less:
            _keep(value, kept[value])
        return list(less.items())

    def _move_constants(self, editor: Editor, place: _Place, kept: IntArray) -> None:
        """Take what removed inputs would add to each output off the thresholds after it."""
        if place.found is None or place.constants is None:
            return
        gone = place.constants.copy()
        gone[kept] = 0
        if not gone.any():
            return
        # in the order of the graph: the thresholds still have all of their channels
        amounts = gone @ np.rint(place.found.constant_input(1)).astype(np.int64)
        output = place.node.outputs[0]
        following = next(user for user, _ in output.uses())
        declaration(following).shift_input(editor, amounts)
        fact = integer(output)
        assert fact is not None
        set_integer(output, fact.with_(offset=fact.offset + amounts * fact.scale))


def _place(node: ir.Node) -> _Place | None:
    """A node among streams, if it is one."""
    if is_dataflow(node):
        found = declaration(node)
        values = [node.inputs[i] for i in found.stream_inputs]
        inputs = [v for v in values if v is not None]
        links = found.channel_links()
        place = _Place(node, found, inputs, None if links is None else list(links), found.reads())
        if place.reads is not None:
            _leave_out_constants(place)
        return place
    source = node.inputs[0] if node.inputs else None
    if node.op_type != "Reshape" or source is None or integer(source) is None:
        return None
    before, after = shape_of(source)[-1], shape_of(node.outputs[0])[-1]
    links = repeated_channels(before, after // before) if after % before == 0 else None
    return _Place(node, None, [source], links)


def _leave_out_constants(place: _Place) -> None:
    """Inputs of a product that are always zero are not read; nor are other constant ones, if
    thresholds follow that can take what they add."""
    assert place.reads is not None and place.found is not None
    fact = integer(place.inputs[0])
    size = len(place.reads)
    if fact is None or getattr(place.found, "xnor", False):
        return
    if fact.low.size not in (1, size) or fact.high.size not in (1, size):
        return
    low, high = (np.broadcast_to(a.reshape(-1), (size,)) for a in (fact.low, fact.high))
    same = low == high
    users = list(place.node.outputs[0].uses())
    shiftable = (
        len(users) == 1
        and not place.node.outputs[0].is_graph_output()
        and is_dataflow(users[0][0])
        and declaration(users[0][0]).role is Role.THRESHOLDS
    )
    place.reads = place.reads & ~(same & ((low == 0) | shiftable))[:, None]
    if shiftable:
        place.constants = np.where(same, low, 0).astype(np.int64)


def _classes(count: int, pairs: list[tuple[IntArray, IntArray]]) -> IntArray:
    """A number for each channel, the same for those that belong together."""
    from scipy.sparse import coo_array  # slow to load
    from scipy.sparse.csgraph import connected_components

    if not pairs:
        return np.arange(count)
    ends = np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])
    graph = coo_array((np.ones(len(ends[0]), dtype=np.int8), ends), shape=(count, count))
    labels: IntArray = connected_components(graph, directed=False)[1].astype(np.int64)
    return labels


def _as_well(before: int, after: int) -> bool:
    """A vector of `after` elements comes in no more words than one of `before`, for each number of
    lanes that divides that, in hardly more lanes."""
    fewer = divisors(after)
    return all(
        any(lanes <= d * MORE_LANES and after // lanes <= before // d for lanes in fewer)
        for d in divisors(before)
    )


def _keep(value: ir.Value, kept: IntArray) -> None:
    """Give a stream its new shape, and the facts of what is left of it."""
    shape, fact = shape_of(value), integer(value)
    assert fact is not None
    count = shape[-1]

    def part(array: NDArray[np.generic]) -> NDArray[np.generic]:
        return array[..., kept] if array.ndim and array.shape[-1] == count > 1 else array

    order = np.arange(int(np.prod(shape))) if fact.order is None else fact.order
    changed = {name: part(getattr(fact, name)) for name in ("low", "high", "scale", "offset")}
    order = order.reshape(*shape)[..., kept].reshape(-1)
    set_integer(value, fact.with_(**changed, order=order))
    value.shape = ir.Shape((*shape[:-1], len(kept)))


def _reshape(editor: Editor, node: ir.Node, last: int) -> None:
    """A reshape to fewer channels."""
    wanted = constant(node.inputs[1])
    assert wanted is not None
    sizes = [*wanted.tolist()[:-1], last]
    node.replace_input_with(1, editor.initializer(f"{node.name}_shape", np.array(sizes)))
