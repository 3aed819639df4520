# SPDX-License-Identifier: Apache-2.0
"""From a float network to a quantized one that the hardware can take, by ONNX Runtime's quantizer.

```python
from qnnc.quantization import quantize

report = quantize("float.onnx", "quantized.onnx", calibrate="images.npy", labels="labels.npy")
```
"""

if __name__ != "qnnc.quantization":  # a second copy, whose classes would be other ones
    raise ImportError("import qnnc.quantization; the top folders are not packages of their own")

from qnnc.quantization.options import QuantizeOptions
from qnnc.quantization.run import RealInput, quantize

__all__ = ["QuantizeOptions", "RealInput", "quantize"]
