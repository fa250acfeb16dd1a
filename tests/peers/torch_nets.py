#!/usr/bin/env python3
"""Five networks of the field in PyTorch, beside networks.cpp: the same layers, losses and steps, timed per training step.

usage: torch_nets.py NET [--threads 1] [--seconds 4] [--channels-last]
       torch_nets.py NET --save FILE      weights, inputs and one step's losses and gradient norms, for duel_networks --check

  sagan        hinge, spectral norm in both, self-attention at 14x14, batch 64 of 28x28
  resnet       WGAN-GP with five critic steps, residual blocks, layer norm in the critic, batch 64 of 32x32
  conditional  conditional batch norm, projection discriminator, hinge, batch 64 of 28x28
  stylegan     mapping, modulated convolutions, R1 every 16th step, path length every 4th; a mean of 16 steps, batch 32 of 28x28
  dcgan64      widths 64 to 512, batch 64 of 3x64x64

Prints one line of JSON. Needs `pip install torch`.
"""
import argparse
import ctypes
import json
import math
import resource
import struct

from torch_gan import measured, parameters, torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import spectral_norm as SN


def upsampled(x):
    return F.interpolate(x, scale_factor=2)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.query, self.key = (SN(nn.Conv2d(c, c // 8, 1, bias=False)) for _ in range(2))
        self.value, self.out = SN(nn.Conv2d(c, c // 2, 1, bias=False)), SN(nn.Conv2d(c // 2, c, 1, bias=False))
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        q, k, v = self.query(x).flatten(2), F.avg_pool2d(self.key(x), 2).flatten(2), F.avg_pool2d(self.value(x), 2).flatten(2)
        seen = torch.bmm(v, torch.softmax(torch.bmm(q.transpose(1, 2), k), -1).transpose(1, 2))
        return x + self.gamma * self.out(seen.unflatten(2, x.shape[2:]))


class Residual(nn.Module):
    def __init__(self, c, side, resize, layer_norm):
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm([c, side, side]) if layer_norm else nn.BatchNorm2d(c) for _ in range(2))
        self.conv1, self.conv2 = (nn.Conv2d(c, c, 3, padding=1) for _ in range(2))
        self.skip = nn.Conv2d(c, c, 1)
        self.up = upsampled if resize == "up" else nn.Identity()
        self.down = nn.AvgPool2d(2) if resize == "down" else nn.Identity()

    def forward(self, x):
        h = self.conv1(self.up(F.relu(self.norm1(x))))
        return self.down(self.conv2(F.relu(self.norm2(h)))) + self.down(self.skip(self.up(x)))


class ConditionalNorm(nn.Module):
    def __init__(self, c, k):
        super().__init__()
        self.bn = nn.BatchNorm2d(c, affine=False)
        self.gain, self.bias = (nn.Linear(k, c, bias=False) for _ in range(2))

    def forward(self, x, y):
        return self.bn(x) * (1 + self.gain(y))[:, :, None, None] + self.bias(y)[:, :, None, None]


class ConditionalBlock(nn.Module):
    def __init__(self, i, o, k):
        super().__init__()
        self.n1, self.n2 = ConditionalNorm(i, k), ConditionalNorm(o, k)
        self.c1, self.c2, self.skip = nn.Conv2d(i, o, 3, padding=1), nn.Conv2d(o, o, 3, padding=1), nn.Conv2d(i, o, 1)

    def forward(self, x, y):
        return self.c2(F.relu(self.n2(self.c1(upsampled(F.relu(self.n1(x, y)))), y))) + self.skip(upsampled(x))


class ConditionalG(nn.Module):
    def __init__(self, w=24, e=16):
        super().__init__()
        self.w, self.e = w, e
        self.shared, self.fc = nn.Embedding(10, e), nn.Linear(e, 2 * w * 49)
        self.b1, self.b2 = ConditionalBlock(2 * w, w, 2 * e), ConditionalBlock(w, w, 2 * e)
        self.bn, self.out = nn.BatchNorm2d(w), nn.Conv2d(w, 1, 3, padding=1)

    def forward(self, z, y):
        label, z = self.shared(y), z.split(self.e, 1)
        h = self.b1(self.fc(z[0]).reshape(-1, 2 * self.w, 7, 7), torch.cat([label, z[1]], 1))
        return torch.tanh(self.out(F.relu(self.bn(self.b2(h, torch.cat([label, z[2]], 1))))))


class ProjectionD(nn.Module):
    def __init__(self, w=32):
        super().__init__()
        self.phi = nn.Sequential(SN(nn.Conv2d(1, w, 4, 2, 1)), nn.LeakyReLU(0.2), SN(nn.Conv2d(w, 2 * w, 4, 2, 1)), nn.LeakyReLU(0.2),
                                 SN(nn.Conv2d(2 * w, 4 * w, 3, padding=1)), nn.ReLU())
        self.psi, self.embed = SN(nn.Linear(4 * w, 1)), SN(nn.Linear(10, 4 * w, bias=False))

    def forward(self, x, y):
        h = self.phi(x).sum((2, 3))
        return self.psi(h) + (self.embed(F.one_hot(y, 10).float()) * h).sum(1, keepdim=True)


class Equal(nn.Module):
    """A linear layer whose weights are scaled when they are used."""
    def __init__(self, i, o, bias=0.0, rate=1.0):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(o, i)), nn.Parameter(torch.full((o,), bias))
        self.scale, self.rate = rate / math.sqrt(i), rate

    def forward(self, x):
        return F.linear(x, self.weight * self.scale, self.bias * self.rate)


class Modulated(nn.Module):
    """A convolution with one kernel per sample, as one grouped convolution."""
    def __init__(self, i, o, k, demodulate):
        super().__init__()
        self.weight, self.style, self.demodulate = nn.Parameter(torch.randn(o, i, k, k)), Equal(32, i, 1.0), demodulate

    def forward(self, x, w):
        (o, i, k, _), n = self.weight.shape, len(x)
        weight = self.weight / math.sqrt(i * k * k) * self.style(w).reshape(n, 1, i, 1, 1)
        if self.demodulate:
            weight = weight * torch.rsqrt(weight.square().sum((2, 3, 4), keepdim=True) + 1e-8)
        return F.conv2d(x.flatten(0, 1)[None], weight.flatten(0, 1), padding=k // 2, groups=n).unflatten(1, (n, o))[0]


class StyleLayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv, self.strength, self.bias = Modulated(c, c, 3, True), nn.Parameter(torch.zeros([])), nn.Parameter(torch.zeros(c))

    def forward(self, x, w, noise):
        return F.leaky_relu(self.conv(x, w) + noise * self.strength + self.bias[None, :, None, None], 0.2) * math.sqrt(2)


class StyleG(nn.Module):
    def __init__(self, c=32):
        super().__init__()
        self.mapping = nn.Sequential(*[m for _ in range(3) for m in (Equal(32, 32, 0.0, 0.01), nn.LeakyReLU(0.2))])
        self.constant = nn.Parameter(torch.randn(1, c, 7, 7))
        self.layers = nn.ModuleList(StyleLayer(c) for _ in range(5))
        self.gray = nn.ModuleList(Modulated(c, 1, 1, False) for _ in range(3))

    def map(self, z):
        return self.mapping(z / torch.sqrt(z.square().mean(1, keepdim=True) + 1e-8))

    def draw(self, w, noise):
        x = self.layers[0](self.constant.expand(len(w), -1, -1, -1), w, noise[0])
        image = self.gray[0](x, w)
        for i in (1, 3):
            x = self.layers[i + 1](self.layers[i](upsampled(x), w, noise[i]), w, noise[i + 1])
            image = upsampled(image) + self.gray[(i + 1) // 2](x, w)
        return image

    def forward(self, z, *noise):
        return self.draw(self.map(z), noise)


class Deviation(nn.Module):
    def forward(self, x):
        v = torch.sqrt(x.var(0, unbiased=False) + 1e-8).mean()
        return torch.cat([x, v.expand(len(x), 1, *x.shape[2:])], 1)


def sagan(w=32):
    g = nn.Sequential(SN(nn.Linear(64, 2 * w * 49)), nn.Unflatten(1, (2 * w, 7, 7)), nn.BatchNorm2d(2 * w), nn.ReLU(),
                      SN(nn.ConvTranspose2d(2 * w, w, 4, 2, 1)), nn.BatchNorm2d(w), nn.ReLU(), Attention(w),
                      SN(nn.ConvTranspose2d(w, 1, 4, 2, 1)), nn.Tanh())
    d = nn.Sequential(SN(nn.Conv2d(1, w, 4, 2, 1)), nn.LeakyReLU(0.1), Attention(w), SN(nn.Conv2d(w, 2 * w, 4, 2, 1)),
                      nn.LeakyReLU(0.1), nn.Flatten(), SN(nn.Linear(2 * w * 49, 1)))
    return g, d


def resnet(w=32):
    g = nn.Sequential(nn.Linear(64, w * 16), nn.Unflatten(1, (w, 4, 4)), *[Residual(w, side, "up", False) for side in (4, 8, 16)],
                      nn.BatchNorm2d(w), nn.ReLU(), nn.Conv2d(w, 1, 3, padding=1), nn.Tanh())
    d = nn.Sequential(nn.Conv2d(1, w, 3, padding=1), Residual(w, 32, "down", True), Residual(w, 16, "down", True),
                      Residual(w, 8, "", True), nn.ReLU(), nn.AvgPool2d(8), nn.Flatten(), nn.Linear(w, 1))
    return g, d


def stylegan(q=24):
    conv = lambda i, o: [nn.Conv2d(i, o, 3, padding=1), nn.LeakyReLU(0.2)]
    return StyleG(), nn.Sequential(*conv(1, q), *conv(q, q), nn.AvgPool2d(2), *conv(q, 2 * q), nn.AvgPool2d(2), Deviation(),
                                   *conv(2 * q + 1, 2 * q), nn.Flatten(), Equal(2 * q * 49, 1))


def dcgan64(n=64):
    up = lambda i, o, *how: [nn.ConvTranspose2d(i, o, 4, *how, bias=False), nn.BatchNorm2d(o), nn.ReLU()]
    down = lambda i, o: [nn.Conv2d(i, o, 4, 2, 1, bias=False), nn.BatchNorm2d(o), nn.LeakyReLU(0.2)]
    g = nn.Sequential(nn.Unflatten(1, (100, 1, 1)), *up(100, 8 * n, 1, 0), *up(8 * n, 4 * n, 2, 1), *up(4 * n, 2 * n, 2, 1),
                      *up(2 * n, n, 2, 1), nn.ConvTranspose2d(n, 3, 4, 2, 1, bias=False), nn.Tanh())
    d = nn.Sequential(nn.Conv2d(3, n, 4, 2, 1, bias=False), nn.LeakyReLU(0.2), *down(n, 2 * n), *down(2 * n, 4 * n),
                      *down(4 * n, 8 * n), nn.Conv2d(8 * n, 1, 4, 1, 0, bias=False), nn.Flatten())
    return g, d


NETS = {  # networks, latent numbers, images, loss
    "sagan": (sagan, 64, (1, 28, 28), "hinge"),
    "resnet": (resnet, 64, (1, 32, 32), "wgan-gp"),
    "conditional": (lambda: (ConditionalG(), ProjectionD()), 48, (1, 28, 28), "hinge"),
    "stylegan": (stylegan, 32, (1, 28, 28), "ns-gan"),
    "dcgan64": (dcgan64, 100, (3, 64, 64), "ns-gan"),
}


class Step:
    def __init__(self, net):
        make, self.latent, self.image, self.loss = NETS[net]
        torch.manual_seed(1)
        self.net, self.n = net, 32 if net == "stylegan" else 64
        self.g, self.d = make()
        self.adam_g, self.adam_d = (torch.optim.Adam(m.parameters(), 2e-4, (0.0, 0.9)) for m in (self.g, self.d))
        self.real = torch.rand(self.n, *self.image) * 2 - 1
        self.labels, self.fake_labels = ((torch.randint(10, (self.n,)),) if net == "conditional" else () for _ in range(2))
        self.count = 0

    def inputs(self, n=None):
        """What G starts from."""
        n = n or self.n
        noise = [torch.randn(n, 1, side, side) for side in (7, 14, 14, 28, 28)] if self.net == "stylegan" else []
        return [torch.randn(n, self.latent), *self.fake_labels, *noise]

    def loss_d(self, inputs, e=None, r1=False):
        with torch.no_grad():
            fake = self.g(*inputs)
        r, f = self.d(self.real, *self.labels), self.d(fake, *self.fake_labels)
        if self.loss == "hinge":
            return F.relu(1 - r).mean() + F.relu(1 + f).mean()
        if self.loss == "wgan-gp":
            x = (e * self.real + (1 - e) * fake).requires_grad_()
            gradient, = torch.autograd.grad(self.d(x).sum(), x, create_graph=True)
            return f.mean() - r.mean() + 10 * (gradient.flatten(1).norm(dim=1) - 1).square().mean()
        loss = F.softplus(-r).mean() + F.softplus(f).mean()
        if r1:
            x = self.real.clone().requires_grad_()
            gradient, = torch.autograd.grad(self.d(x).sum(), x, create_graph=True)
            loss = loss + 8 * gradient.square().sum((1, 2, 3)).mean()
        return loss

    def loss_g(self, inputs, path=None):
        f = self.d(self.g(*inputs), *self.fake_labels)
        loss = F.softplus(-f).mean() if self.loss == "ns-gan" else -f.mean()
        if path:
            (z, *noise), direction = path
            w = self.g.map(z)
            j, = torch.autograd.grad((self.g.draw(w, noise) * direction).sum() / 28, w, create_graph=True)
            loss = loss + 8 * (j.square().sum(1).sqrt() - 0.1).square().mean()
        return loss

    def path(self):
        return self.inputs(self.n // 2), torch.randn(self.n // 2, *self.image)

    def __call__(self):
        lazy = self.net == "stylegan"
        for _ in range(5 if self.loss == "wgan-gp" else 1):
            self.adam_d.zero_grad()
            self.loss_d(self.inputs(), torch.rand(self.n, 1, 1, 1), lazy and self.count % 16 == 0).backward()
            self.adam_d.step()
        self.adam_g.zero_grad()
        self.loss_g(self.inputs(), self.path() if lazy and self.count % 4 == 0 else None).backward(inputs=list(self.g.parameters()))
        self.adam_g.step()
        self.count += 1


def write_safetensors(path, tensors):
    names = {torch.float32: "F32", torch.int64: "I64"}
    header, data = {}, b""
    for name, tensor in sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0])):
        tensor = tensor.detach().contiguous()
        each = ctypes.string_at(tensor.data_ptr(), tensor.nbytes)
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(each)]}
        data += each
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def save(step, path):
    """The first step's losses, without an update between them; parts that start at zero are moved off it."""
    with torch.no_grad():
        for name, p in [*step.g.named_parameters(), *step.d.named_parameters()]:
            if name.split(".")[-1] in ("gamma", "strength"):
                p.fill_(0.5)
    kept = {f"{side}.{name}": value.clone() for side, net in (("g", step.g), ("d", step.d)) for name, value in net.state_dict().items()}
    first, second, e, path_inputs = step.inputs(), step.inputs(), torch.rand(step.n, 1, 1, 1), step.path()
    lazy = step.net == "stylegan"
    loss_d = step.loss_d(first, e, lazy)
    gradient_d = torch.autograd.grad(loss_d, list(step.d.parameters()))
    loss_g = step.loss_g(second, path_inputs if lazy else None)
    gradient_g = torch.autograd.grad(loss_g, list(step.g.parameters()))
    norm = lambda gradient: torch.sqrt(sum(each.double().square().sum() for each in gradient)).float()
    kept.update(real=step.real, e=e, direction=path_inputs[1], loss_d=loss_d, loss_g=loss_g, norm_d=norm(gradient_d), norm_g=norm(gradient_g))
    kept.update({f"labels.{i}": each for i, each in enumerate(step.labels)})
    for name, inputs in (("first", first), ("second", second), ("path", path_inputs[0])):
        kept.update({f"{name}.{i}": each for i, each in enumerate(inputs)})
    write_safetensors(path, kept)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("net", choices=list(NETS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--save")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    step = Step(args.net)
    if args.save:
        return save(step, args.save)
    if args.channels_last:
        step.g, step.d, step.real = (each.to(memory_format=torch.channels_last) for each in (step.g, step.d, step.real))
    together = 16 if args.net == "stylegan" else 1
    times = measured(lambda: [step() for _ in range(together)], lambda: None, args.seconds, warm=1, stretches=3)
    times = {name: value / together if name.startswith("ms") else value for name, value in times.items()}
    print(json.dumps({"peer": "torch " + torch.__version__, "net": args.net, "batch": step.n, "threads": args.threads,
                      "channels_last": args.channels_last, **times, "parameters_g": parameters(step.g), "parameters_d": parameters(step.d),
                      "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
