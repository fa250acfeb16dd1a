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
