"""Writes tests/nn/pytorch_values.h: what PyTorch computes in f64 for every layer and optimizer of nn/.

Run once, with any recent PyTorch (the committed file: 2.15.0); the tests need no Python:
    python tests/nn/make_pytorch_values.py > tests/nn/pytorch_values.h

Inputs are waves, sin(0.7 i + phase) in row-major order, which the C++ tests make in the same way: the input has phase 0,
parameter k has phase 1 + k (in the order of parameters()), the cotangent of the output phase 5.
"""
import math
import torch
from torch import nn

torch.set_default_dtype(torch.float64)
values = {}


def wave(shape, phase):
    n = math.prod(shape)
    return torch.tensor([math.sin(0.7 * i + phase) for i in range(n)]).reshape(shape)


def put(key, tensor):
    assert key not in values
    values[key] = [float(v) for v in tensor.detach().reshape(-1)]


def set_parameters(module):
    with torch.no_grad():
        for k, p in enumerate(module.parameters()):
            p.copy_(wave(p.shape, 1 + k))


def differentiate(name, module, x):
    y = module(x)
    put(name + ".y", y)
    inputs = ([x] if x.is_floating_point() else []) + list(module.parameters())
    grads = torch.autograd.grad((y * wave(y.shape, 5)).sum(), inputs)
    labels = (["x"] if x.is_floating_point() else []) + [n for n, _ in module.named_parameters()]
    for label, grad in zip(labels, grads):
        put(f"{name}.d_{label}", grad)


def layer(name, module, shape, scale=1.0):
    set_parameters(module)
    differentiate(name, module, (scale * wave(shape, 0)).requires_grad_())
    return module


layer("linear", nn.Linear(3, 2), [4, 3])
layer("linear_rank3", nn.Linear(3, 2, bias=False), [2, 2, 3])
layer("conv2d", nn.Conv2d(2, 3, 3, stride=2, padding=1), [2, 2, 5, 5])
layer("conv_transpose2d", nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1), [2, 2, 3, 3])
for name, module, shape in [
    ("batch_norm1d", nn.BatchNorm1d(3), [4, 3]),
    ("batch_norm1d_length", nn.BatchNorm1d(3, momentum=0.3), [2, 3, 4]),
    ("batch_norm2d", nn.BatchNorm2d(3, eps=1e-3), [2, 3, 2, 2]),
]:
    layer(name, module, shape)
    module(2 * wave(shape, 3) + 1)
    put(name + ".running_mean", module.running_mean)
    put(name + ".running_var", module.running_var)
    assert module.num_batches_tracked == 2
    module.eval()
    differentiate(name + "_eval", module, wave(shape, 0).requires_grad_())
layer("batch_norm2d_bare", nn.BatchNorm2d(3, affine=False, track_running_stats=False).eval(), [2, 3, 2, 2])
layer("layer_norm", nn.LayerNorm([3, 2, 2]), [2, 3, 2, 2])
layer("layer_norm_last", nn.LayerNorm(5, eps=1e-3), [2, 3, 5])
layer("instance_norm2d", nn.InstanceNorm2d(3, affine=True), [2, 3, 2, 3])
layer("instance_norm2d_bare", nn.InstanceNorm2d(3), [2, 3, 2, 3])
for name, module in [
    ("relu", nn.ReLU()), ("leaky_relu", nn.LeakyReLU()), ("leaky_relu02", nn.LeakyReLU(0.2)), ("elu", nn.ELU()),
    ("elu2", nn.ELU(2.0)), ("tanh", nn.Tanh()), ("sigmoid", nn.Sigmoid()), ("softplus", nn.Softplus()),
    ("softplus3", nn.Softplus(3.0)), ("gelu", nn.GELU()),
]:
    layer(name, module, [7], scale=3.0)
layer("upsample", nn.Upsample(scale_factor=2), [1, 2, 2, 3])
layer("avg_pool2d", nn.AvgPool2d(2), [1, 2, 4, 6])

embedding = nn.Embedding(4, 3)
set_parameters(embedding)
differentiate("embedding", embedding, torch.tensor([[2, 0, 2], [3, 3, 1]]))

for name, module, shape in [
    ("sn_linear", nn.Linear(3, 4), [2, 3]),
    ("sn_conv2d", nn.Conv2d(2, 3, 2), [1, 2, 3, 3]),
    ("sn_conv_transpose2d", nn.ConvTranspose2d(2, 3, 2, bias=False), [1, 2, 2, 2]),
]:
    module = nn.utils.spectral_norm(module)
    set_parameters(module)  # in the order bias, weight_orig
    module.weight_u.copy_(wave(module.weight_u.shape, 3) / 2)
    module.weight_v.copy_(wave(module.weight_v.shape, 4) / 2)
    module(wave(shape, 2))
    differentiate(name, module, wave(shape, 0).requires_grad_())
    put(name + ".u", module.weight_u)
    put(name + ".v", module.weight_v)
    module.eval()
    put(name + ".y_eval", module(wave(shape, 1)))

for name, make in [
    ("sgd", lambda p: torch.optim.SGD(p, lr=0.1)),
    ("sgd_momentum", lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.05)),
    ("sgd_nesterov", lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8, nesterov=True)),
    ("rmsprop", lambda p: torch.optim.RMSprop(p)),
    ("rmsprop_momentum", lambda p: torch.optim.RMSprop(p, lr=0.02, alpha=0.9, momentum=0.7, weight_decay=0.05)),
    ("adam", lambda p: torch.optim.Adam(p)),
    ("adam_gan", lambda p: torch.optim.Adam(p, lr=0.02, betas=(0.5, 0.9), eps=1e-4, weight_decay=0.05)),
]:
    module = nn.Linear(3, 2)
    set_parameters(module)
    optimizer = make(module.parameters())
    for step in range(5):
        for k, p in enumerate(module.parameters()):
            p.grad = wave(p.shape, 10 + step + 7 * k)
        optimizer.step()
    put(name + ".weight", module.weight)
    put(name + ".bias", module.bias)

print("// Made by make_pytorch_values.py with PyTorch " + torch.__version__.split("+")[0] + "; see there.")
print("#pragma once\n\n#include <map>\n#include <string>\n#include <vector>\n")
print("// clang-format off")
print("inline const std::map<std::string, std::vector<double>> kPyTorch = {")
for key, numbers in values.items():
    line = f'    {{"{key}", {{'
    for i, v in enumerate(numbers):
        text = f"{v:.15g}" + ("}}," if i + 1 == len(numbers) else ", ")
        if len(line) + len(text) > 110:
            print(line.rstrip())
            line = "      "
        line += text
    print(line.rstrip())
print("};")
