"""Writes tests/nn/pytorch_conv_values.h: convolutions with groups, dilation and rectangles, as make_pytorch_values.py does for
the other layers, with the same waves:
    python tests/nn/make_pytorch_conv_values.py > tests/nn/pytorch_conv_values.h
"""
import math
import textwrap
import torch
from torch import nn

torch.set_default_dtype(torch.float64)


def wave(shape, phase):
    return torch.tensor([math.sin(0.7 * i + phase) for i in range(math.prod(shape))]).reshape(shape)


print(f"// Made by make_pytorch_conv_values.py with PyTorch {torch.__version__.split('+')[0]}; see there.")
print("#pragma once\n\n#include <map>\n#include <string>\n#include <vector>\n\n// clang-format off")
print("inline const std::map<std::string, std::vector<double>> kPyTorchConv = {")
for name, module, shape in [
    ("conv2d", nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2), [2, 4, 5, 6]),
    ("depthwise", nn.Conv2d(3, 6, 3, padding=1, groups=3, bias=False), [2, 3, 4, 4]),
    ("conv_transpose2d", nn.ConvTranspose2d(4, 6, (2, 3), stride=(1, 2), padding=(0, 1), output_padding=(0, 1), groups=2,
                                            dilation=(2, 1)), [2, 4, 3, 3]),
]:
    with torch.no_grad():
        for k, p in enumerate(module.parameters()):
            p.copy_(wave(p.shape, 1 + k))
    x = wave(shape, 0).requires_grad_()
    y = module(x)
    names = ["x"] + [n for n, _ in module.named_parameters()]
    grads = torch.autograd.grad((y * wave(y.shape, 5)).sum(), [x] + list(module.parameters()))
    for label, tensor in [("y", y)] + [("d_" + n, g) for n, g in zip(names, grads)]:
        numbers = ", ".join(f"{float(v):.15g}" for v in tensor.detach().reshape(-1))
        text = f'{{"{name}.{label}", {{{numbers}}}}},'
        print("\n".join(textwrap.wrap(text, 118, initial_indent="    ", subsequent_indent="      ")))
print("};\n// clang-format on")
