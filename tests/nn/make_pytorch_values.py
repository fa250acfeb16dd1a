"""Writes what PyTorch computes in f64: for every layer and optimizer of nn/, and for what is made of several.

Run once, with any recent PyTorch (the committed file: 2.15.0); the tests need no Python:
    python tests/nn/make_pytorch_values.py values > tests/nn/pytorch_values.h
    python tests/nn/make_pytorch_values.py blocks > tests/nn/pytorch_block_values.h

Inputs are waves, sin(0.7 i + phase) in row-major order, which the C++ tests make in the same way: the input has phase 0,
parameter k has phase 1 + k (in the order of parameters()), the cotangent of the output phase 5.
"""
import math
import sys

import torch
import torch.nn.functional as F
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
    ("softplus3", nn.Softplus(3.0)), ("gelu", nn.GELU()), ("silu", nn.SiLU()), ("prelu", nn.PReLU()),
]:
    layer(name, module, [7], scale=3.0)
layer("prelu_channels", nn.PReLU(3), [1, 3, 2], scale=3.0)
layer("group_norm", nn.GroupNorm(2, 4), [2, 4, 3])
layer("group_norm_bare", nn.GroupNorm(3, 6, eps=1e-3, affine=False), [1, 6])
layer("zero_pad2d", nn.ZeroPad2d((1, 0, 2, 1)), [1, 1, 1, 2])
layer("reflection_pad2d", nn.ReflectionPad2d((1, 2, 0, 1)), [1, 1, 2, 3])
layer("max_pool2d", nn.MaxPool2d(2), [1, 1, 5, 4])
layer("max_pool2d_overlap", nn.MaxPool2d((3, 2), stride=(2, 1), padding=1), [1, 1, 5, 3])
layer("avg_pool2d_overlap", nn.AvgPool2d((3, 2), stride=(2, 1), padding=1), [1, 1, 5, 3])
layer("upsample", nn.Upsample(scale_factor=2), [1, 2, 2, 3])
layer("avg_pool2d", nn.AvgPool2d(2), [1, 2, 4, 6])
embedding = nn.Embedding(4, 3)
set_parameters(embedding)
differentiate("embedding", embedding, torch.tensor([[2, 0, 2], [3, 3, 1]]))

for name, module, shape in [
    ("wn_linear", nn.Linear(3, 2), [1, 3]),
    ("wn_conv_transpose2d", nn.ConvTranspose2d(2, 3, 2, bias=False), [1, 2, 2, 2]),
]:
    layer(name, nn.utils.weight_norm(module), shape)  # in the order bias, weight_g, weight_v
layer("wn_linear_dim1", nn.utils.weight_norm(nn.Linear(3, 2), dim=1), [1, 3])

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

embedding = nn.utils.spectral_norm(nn.Embedding(4, 3))
set_parameters(embedding)
embedding.weight_u.copy_(wave([4], 3) / 2)
embedding.weight_v.copy_(wave([3], 4) / 2)
differentiate("sn_embedding", embedding, torch.tensor([[2, 0, 2], [3, 3, 1]]))
put("sn_embedding.u", embedding.weight_u)
put("sn_embedding.v", embedding.weight_v)

for name, make in [
    ("sgd", lambda p: torch.optim.SGD(p, lr=0.1)),
    ("sgd_momentum", lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.05)),
    ("sgd_nesterov", lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8, nesterov=True)),
    ("rmsprop", lambda p: torch.optim.RMSprop(p)),
    ("rmsprop_momentum", lambda p: torch.optim.RMSprop(p, lr=0.02, alpha=0.9, momentum=0.7, weight_decay=0.05)),
    ("adam", lambda p: torch.optim.Adam(p)),
    ("adam_gan", lambda p: torch.optim.Adam(p, lr=0.02, betas=(0.5, 0.9), eps=1e-4, weight_decay=0.05)),
    ("adamw", lambda p: torch.optim.AdamW(p)),
    ("adamw_gan", lambda p: torch.optim.AdamW(p, lr=0.02, betas=(0.5, 0.9), eps=1e-4, weight_decay=0.3)),
    ("adam_groups", lambda p: torch.optim.Adam([{"params": [p[0]]}, {"params": [p[1]], "lr": 0.1, "weight_decay": 0.0}],
                                               lr=0.02, weight_decay=0.3)),
    ("sgd_groups", lambda p: torch.optim.SGD([{"params": [p[1]]}, {"params": [p[0]], "weight_decay": 0.5}],
                                             lr=0.1, momentum=0.9)),
]:
    module = nn.Linear(3, 2)
    set_parameters(module)
    optimizer = make(list(module.parameters()))
    for step in range(5):
        for k, p in enumerate(module.parameters()):
            p.grad = wave(p.shape, 10 + step + 7 * k)
        optimizer.step()
    put(name + ".weight", module.weight)
    put(name + ".bias", module.bias)

for name, make in [
    ("step_lr", lambda o: torch.optim.lr_scheduler.StepLR(o, 3, gamma=0.5)),
    ("linear_lr", lambda o: torch.optim.lr_scheduler.LinearLR(o)),
    ("linear_lr_down", lambda o: torch.optim.lr_scheduler.LinearLR(o, start_factor=1.0, end_factor=0.0, total_iters=8)),
    ("cosine_lr", lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 5, eta_min=0.01)),
    ("lambda_lr", lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda n: 1.0 / (1 + n))),
]:
    weights = [torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)]
    optimizer = torch.optim.SGD([{"params": [weights[0]]}, {"params": [weights[1]], "lr": 0.05}], lr=0.2)
    schedule = make(optimizer)
    rates = []
    for _ in range(11):
        rates += schedule.get_last_lr()
        optimizer.step()
        schedule.step()
    put(name, torch.tensor(rates))

for name, limit in [("clip_norm", 0.5), ("clip_norm_idle", 100.0)]:
    module = nn.Linear(3, 2)
    for k, p in enumerate(module.parameters()):
        p.grad = wave(p.shape, 10 + 7 * k)
    put(name + ".total", nn.utils.clip_grad_norm_(module.parameters(), limit))
    put(name + ".d_weight", module.weight.grad)
    put(name + ".d_bias", module.bias.grad)

tables = {"values": values}
values = tables["blocks"] = {}
layer("upsample_bilinear", nn.Upsample(scale_factor=2, mode="bilinear"), [1, 2, 2, 3])
layer("upsample_bilinear3", nn.Upsample(scale_factor=3, mode="bilinear"), [1, 1, 2, 3])
layer("pixel_shuffle", nn.PixelShuffle(2), [1, 8, 1, 2])


class Function(nn.Module):
    """f(module, x) of the parameters that are given by name."""

    def __init__(self, f, **parts):
        super().__init__()
        self.f = f
        for name, part in parts.items():
            setattr(self, name, nn.Parameter(torch.zeros(part)) if isinstance(part, list) else part)

    def forward(self, x):
        return self.f(self, x)


def attention(m, x):
    n, c, h, w = x.shape
    q, k, v = m.query(x).flatten(2), F.max_pool2d(m.key(x), 2).flatten(2), F.max_pool2d(m.value(x), 2).flatten(2)
    seen = torch.einsum("nps,ncs->ncp", torch.softmax(torch.einsum("ncp,ncs->nps", q, k), 2), v)
    return x + m.gamma * m.out(seen.reshape(n, -1, h, w))


def conditional_norm(m, x):
    y = wave([x.shape[0], 2], 9)
    return m.bn(x) * (1 + m.gain(y))[:, :, None, None] + m.shift(y)[:, :, None, None]


def modulated(m, x, demodulate=True):
    """A kernel for each sample, by groups: the paper's way."""
    n, c, h, w = x.shape
    style = wave([n, 2], 9) @ m.style.weight.t() / 2**0.5 + m.style.bias
    kernels = (m.weight / (c * 9)**0.5)[None] * style[:, None, :, None, None]
    if demodulate:
        kernels = kernels / (kernels.square().sum((2, 3, 4), keepdim=True) + 1e-8).sqrt()
    return F.conv2d(x.reshape(1, n * c, h, w), kernels.flatten(0, 1), padding=1, groups=n).reshape(n, -1, h, w)


def discrimination(m, x):
    t = (x @ m.weight).reshape(x.shape[0], 2, 3)
    near = torch.exp(-(t[:, None] - t[None]).abs().sum(3)).sum(1)
    return torch.cat([x, near], 1)


one = lambda i, o: nn.Conv2d(i, o, 1, bias=False)
blur = torch.tensor([1.0, 2.0, 1.0])
layer("blur", Function(lambda m, x: F.conv2d(x, (blur[:, None] * blur / 16)[None, None], padding=1)), [1, 1, 3, 4])
layer("global_sum_pool2d", Function(lambda m, x: x.sum((2, 3))), [2, 3, 2, 2])
layer("self_attention", Function(attention, gamma=[1], query=one(4, 1), key=one(4, 1), value=one(4, 2), out=one(2, 4)), [2, 4, 2, 4])
layer("conditional_batch_norm2d", Function(conditional_norm, bn=nn.BatchNorm2d(3, affine=False), gain=nn.Linear(2, 3, bias=False),
                                           shift=nn.Linear(2, 3, bias=False)), [2, 3, 2, 2])
layer("modulated_conv2d", Function(modulated, weight=[3, 2, 3, 3], style=nn.Linear(2, 2)), [2, 2, 3, 4])
layer("modulated_conv2d_plain", Function(lambda m, x: modulated(m, x, False), weight=[3, 2, 3, 3], style=nn.Linear(2, 2)), [2, 2, 3, 4])
def virtual_norm(m, x):
    """By sums over the reference batch and the sample itself: each counts as one of R + 1."""
    r = wave([2, 3, 2, 2], 9)
    m_r, q_r = r.mean((0, 2, 3)), r.square().mean((0, 2, 3))
    m_x, q_x = x.mean((2, 3)), x.square().mean((2, 3))
    mean, squares = (m_x + 2 * m_r) / 3, (q_x + 2 * q_r) / 3
    y = (x - mean[:, :, None, None]) / (squares - mean.square() + 1e-5).sqrt()[:, :, None, None]
    return y * m.weight[:, None, None] + m.bias[:, None, None]


layer("virtual_batch_norm", Function(virtual_norm, weight=[3], bias=[3]), [2, 3, 2, 2])
layer("pixel_norm", Function(lambda m, x: x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()), [2, 3, 2])
layer("equalized_linear", Function(lambda m, x: x @ m.weight.t() * (2 * 0.1 / 3**0.5) + m.bias * 0.1, weight=[2, 3], bias=[2]), [2, 3])
layer("equalized_conv2d", Function(lambda m, x: F.conv2d(x, m.weight / 8**0.5, m.bias), weight=[3, 2, 2, 2], bias=[3]), [1, 2, 3, 3])
layer("minibatch_discrimination", Function(discrimination, weight=[4, 6]), [3, 4])
layer("residual", Function(lambda m, x: m.residual(x) + m.skip(x), residual=nn.Sequential(nn.ReLU(), one(2, 3), nn.AvgPool2d(2)),
                           skip=nn.Sequential(nn.AvgPool2d(2), one(2, 3))), [1, 2, 2, 4])

print("// Made by make_pytorch_values.py with PyTorch " + torch.__version__.split("+")[0] + "; see there.")
print("#pragma once\n\n#include <map>\n#include <string>\n#include <vector>\n")
print("// clang-format off")
name, part = {"values": "kPyTorch", "blocks": "kPyTorchBlocks"}[sys.argv[1]], tables[sys.argv[1]]
print(f"inline const std::map<std::string, std::vector<double>> {name} = {{")
for key, numbers in part.items():
    line = f'    {{"{key}", {{'
    for i, v in enumerate(numbers):
        text = f"{v:.15g}" + ("}}," if i + 1 == len(numbers) else ", ")
        if len(line) + len(text) > 110:
            print(line.rstrip())
            line = "      "
        line += text
    print(line.rstrip())
print("};")
