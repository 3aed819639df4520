# SPDX-License-Identifier: Apache-2.0
"""The host's parts of the network, in onnxruntime or numpy."""

import os

import numpy as np
from qnnc_errors import AcceleratorError


def _clip(x, low=None, high=None):
    return np.clip(x, -np.inf if low is None else low, np.inf if high is None else high)


def _reshape(x, shape, allowzero=0):
    wanted = [x.shape[i] if d == 0 and not allowzero else int(d) for i, d in enumerate(shape)]
    return np.reshape(x, wanted)


def _top_k(x, k, axis=-1, largest=1, sorted=1):
    order = np.argsort(-x if largest else x, axis=axis, kind="stable")
    index = np.take(order, np.arange(int(np.ravel(k)[0])), axis=axis)
    return np.take_along_axis(x, index, axis), index.astype(np.int64)


def _arg_max(x, axis=0, keepdims=1, select_last_index=0):
    result = np.argmax(x, axis=axis).astype(np.int64)
    return np.expand_dims(result, axis) if keepdims else result


def _softmax(x, axis=-1):
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def _flatten(x, axis=1):
    return np.reshape(x, (int(np.prod(x.shape[:axis])), -1))


def _squeeze(x, axes=None):
    return np.squeeze(x, None if axes is None else tuple(int(a) for a in np.ravel(axes)))


def _unsqueeze(x, axes):
    for axis in sorted(int(a) % (x.ndim + np.size(axes)) for a in np.ravel(axes)):
        x = np.expand_dims(x, axis)
    return x


OPERATORS = {
    "Identity": lambda x: x,
    "Cast": lambda x, to: x.astype(to),
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": lambda x, perm=None: np.transpose(x, perm),
    "Concat": lambda *x, axis: np.concatenate(x, axis),
    "Gather": lambda x, i, axis=0: np.take(x, i.astype(np.int64), axis),
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": lambda x, y: x // y if x.dtype.kind in "iu" else np.divide(x, y),
    "Neg": np.negative,
    "Abs": np.abs,
    "Sign": np.sign,
    "Sqrt": np.sqrt,
    "Exp": np.exp,
    "Tanh": np.tanh,
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Relu": lambda x: np.maximum(x, 0),
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Round": np.rint,
    "Min": lambda x, *y: x if not y else np.minimum(x, y[0]),
    "Max": lambda x, *y: x if not y else np.maximum(x, y[0]),
    "Clip": _clip,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Equal": np.equal,
    "Where": np.where,
    "MatMul": np.matmul,
    "ArgMax": _arg_max,
    "TopK": _top_k,
    "Softmax": _softmax,
}


def _stacked(tensor):
    """One frame's tensor as [1, ...]: a batch of one that it has already is that dimension."""
    tensor = np.asarray(tensor)
    return tensor if tensor.ndim and tensor.shape[0] == 1 else tensor[None]


class HostPart:
    """A host-side part of the network, in onnxruntime or numpy."""

    def __init__(self, folder, name, steps, use_numpy=None):
        self.steps, self.session = steps, None
        path = os.path.join(folder, name + ".onnx")
        if use_numpy is not True:
            try:
                import onnxruntime

                options = onnxruntime.SessionOptions()
                options.log_severity_level = 3
                self.session = onnxruntime.InferenceSession(
                    path, options, providers=["CPUExecutionProvider"]
                )
            except ImportError:
                if use_numpy is False:
                    raise
        if self.session is None:
            unknown = sorted({s["op"] for s in steps["nodes"]} - set(OPERATORS))
            if unknown:
                raise AcceleratorError(
                    "{} uses {}, which needs onnxruntime".format(name, ", ".join(unknown))
                )
            with np.load(os.path.join(folder, name + ".npz"), allow_pickle=False) as data:
                self.constants = {key: data[key] for key in data.files}

    def run(self, arrays):
        """Outputs by position, for inputs by position, [frames, ...] each."""
        if not self.steps.get("one_frame"):
            return self._run(arrays)
        frames = range(len(arrays[0]) if arrays else 1)
        parts = [self._run([array[i : i + 1] for array in arrays]) for i in frames]
        return [np.concatenate([_stacked(part) for part in column]) for column in zip(*parts)]

    def _run(self, arrays):
        if self.session is not None:
            names = [value.name for value in self.session.get_inputs()]
            return self.session.run(None, dict(zip(names, arrays)))
        values = {"": None}
        values.update(self.constants)
        values.update(zip(self.steps["inputs"], arrays))
        for node in self.steps["nodes"]:
            found = OPERATORS[node["op"]](
                *[values[name] for name in node["inputs"]], **node["attributes"]
            )
            found = found if isinstance(found, tuple) else (found,)
            values.update(zip(node["outputs"], found))
        return [values[name] for name in self.steps["outputs"]]
