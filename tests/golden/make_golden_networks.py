#!/usr/bin/env python3
"""Golden trajectories of the networks beyond mlp and dcgan: two iterations each, under the objective that they are known for.

    /tmp/venv/bin/python tests/golden/make_golden_networks.py      # rewrites OBJECTIVE_NETWORK.safetensors of the table below

As make_golden.py and make_golden_conditional.py, whose trajectories these are; the networks are written from their papers
with PyTorch's layers, named as Duel's, for images of 16x16 and noise of 5. Sizes: README.md, section "Networks".
"""
import argparse
import pathlib

import torch
import torch.nn.functional as F
from torch import nn

import make_golden
import make_golden_conditional
from make_golden import BATCH, Z, save_safetensors
from make_golden_conditional import CLASSES, Critic

WIDTH, SHAPE = 3, (1, 16, 16)
WIDE, GROUPS = 3, 2  # of r3gan


class Residual(nn.Module):
    """Pre-activation residual block with 3x3 convolutions, its shortcut on the smaller image."""

    def __init__(self, i, o, resize="", norm=False, first=False):
        super().__init__()
        up, down = [nn.Upsample(scale_factor=2)] * (resize == "up"), [nn.AvgPool2d(2)] * (resize == "down")
        bn = lambda c: [nn.BatchNorm2d(c)] * norm
        self.residual = nn.Sequential(*([] if first else [*bn(i), nn.ReLU()]), *up, nn.Conv2d(i, o, 3, padding=1), *bn(o), nn.ReLU(),
                                      nn.Conv2d(o, o, 3, padding=1), *down)
        self.skip = nn.Sequential(*down, *([nn.Conv2d(i, o, 1)] if i != o or resize else []), *up)

    def forward(self, x):
        return self.residual(x) + self.skip(x)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1))
        self.query, self.key, self.value, self.out = (
            nn.Conv2d(i, o, 1, bias=False) for i, o in ((c, max(c // 8, 1)), (c, max(c // 8, 1)), (c, max(c // 2, 1)), (max(c // 2, 1), c)))

    def forward(self, x):
        n, c, h, w = x.shape
        q = self.query(x).flatten(2)
        k, v = (F.max_pool2d(f(x), 2).flatten(2) for f in (self.key, self.value))
        weights = torch.softmax(torch.einsum("ncp,ncs->nps", q, k), -1)
        return x + self.gamma * self.out(torch.einsum("ncs,nps->ncp", v, weights).reshape(n, -1, h, w))


class SumPool(nn.Module):
    def forward(self, x):
        return x.sum((2, 3))


def resnet(_):
    g = nn.Sequential(nn.Linear(Z, WIDTH * 16), nn.Unflatten(1, (WIDTH, 4, 4)), *(Residual(WIDTH, WIDTH, "up", norm=True) for _ in range(2)),
                      nn.BatchNorm2d(WIDTH), nn.ReLU(), nn.Conv2d(WIDTH, 1, 3, padding=1), nn.Tanh())
    d = nn.Sequential(Residual(1, WIDTH, "down", first=True), Residual(WIDTH, WIDTH), Residual(WIDTH, WIDTH), nn.ReLU(),
                      nn.AvgPool2d(8), nn.Flatten(), nn.Linear(WIDTH, 1))
    return g, d, SHAPE


def sagan(_):
    g = nn.Sequential(nn.Linear(Z, 2 * WIDTH * 16), nn.Unflatten(1, (2 * WIDTH, 4, 4)), nn.BatchNorm2d(2 * WIDTH), nn.ReLU(),
                      nn.ConvTranspose2d(2 * WIDTH, WIDTH, 4, 2, 1), nn.BatchNorm2d(WIDTH), nn.ReLU(), Attention(WIDTH),
                      nn.ConvTranspose2d(WIDTH, 1, 4, 2, 1), nn.Tanh())
    d = nn.Sequential(nn.Conv2d(1, WIDTH, 4, 2, 1), nn.LeakyReLU(0.1), Attention(WIDTH), nn.Conv2d(WIDTH, 2 * WIDTH, 4, 2, 1),
                      nn.LeakyReLU(0.1), nn.Flatten(), nn.Linear(2 * WIDTH * 16, 1))
    return g, d, SHAPE


class ConditionalNorm(nn.Module):
    def __init__(self, c, condition):
        super().__init__()
        self.bn = nn.BatchNorm2d(c, affine=False)
        self.gain, self.shift = (nn.Linear(condition, c, bias=False) for _ in range(2))

    def forward(self, x, y):
        return self.bn(x) * (1 + self.gain(y))[:, :, None, None] + self.shift(y)[:, :, None, None]


class ConditionalBlock(nn.Module):
    def __init__(self, i, o, condition):
        super().__init__()
        self.norm1, self.conv1 = ConditionalNorm(i, condition), nn.Conv2d(i, o, 3, padding=1)
        self.norm2, self.conv2 = ConditionalNorm(o, condition), nn.Conv2d(o, o, 3, padding=1)
        self.skip, self.act1, self.act2 = nn.Conv2d(i, o, 1), nn.ReLU(), nn.ReLU()

    def forward(self, x, y):
        h = self.conv1(F.interpolate(self.act1(self.norm1(x, y)), scale_factor=2))
        return self.conv2(self.act2(self.norm2(h, y))) + F.interpolate(self.skip(x), scale_factor=2)


class Tower(nn.Module):
    """BigGAN's G up to its last norm: noise of 5 in parts of 3, 1 and 1, the label's embedding joined with the last two."""

    def __init__(self, embedded=32):
        super().__init__()
        self.shared = nn.Linear(CLASSES, embedded, bias=False)
        self.start = nn.Linear(3, 4 * WIDTH * 16)
        self.blocks = nn.ModuleList(ConditionalBlock(c, c // 2, embedded + 1) for c in (4 * WIDTH, 2 * WIDTH))
        self.attention = Attention(2 * WIDTH)

    def forward(self, x):
        label = self.shared(x[:, 5:])
        h = self.blocks[0](self.start(x[:, :3]).unflatten(1, (4 * WIDTH, 4, 4)), torch.cat([label, x[:, 3:4]], 1))
        return self.blocks[1](self.attention(h), torch.cat([label, x[:, 4:5]], 1))


def biggan(spec, _):
    g = nn.Sequential(Tower(), nn.BatchNorm2d(WIDTH), nn.ReLU(), nn.Conv2d(WIDTH, 1, 3, padding=1), nn.Tanh())
    trunk = nn.Sequential(Residual(1, WIDTH, "down", first=True), Attention(WIDTH), Residual(WIDTH, 2 * WIDTH, "down"),
                          Residual(2 * WIDTH, 4 * WIDTH), nn.ReLU(), SumPool())
    return g, Critic(spec["critic"], trunk, 4 * WIDTH, True), SHAPE


class Equalized(nn.Module):
    """Linear or convolution with a weight that is scaled where it is used."""

    def __init__(self, i, o, k=0, stride=1, gain=2**0.5, rate=1.0, bias=True):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(o, i, *[k] * 2 * (k > 0)))
        self.bias = nn.Parameter(torch.zeros(o)) if bias else None
        self.k, self.stride, self.scale, self.rate = k, stride, gain * rate / (i * max(k, 1)**2)**0.5, rate

    def forward(self, x):
        w, b = self.weight * self.scale, None if self.bias is None else self.bias * self.rate
        return F.conv2d(x, w, b, stride=self.stride, padding=self.k // 2) if self.k else F.linear(x, w, b)


def blurred(x):
    taps = torch.tensor([1.0, 2.0, 1.0])
    return F.conv2d(x, (taps[:, None] * taps / 16).expand(x.shape[1], 1, 3, 3), padding=1, groups=x.shape[1])


class Blur(nn.Module):
    def forward(self, x):
        return blurred(x)


def enlarged(x):
    """Zeros between pixels, then [1, 3, 3, 1] / 4 along both sides."""
    n, c, h, w = x.shape
    spread = torch.zeros(n, c, h, 2, w, 2)
    spread[:, :, :, 0, :, 0] = x
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    kernel = (taps[:, None] * taps / 16).expand(c, 1, 4, 4)
    return F.conv2d(F.pad(spread.reshape(n, c, 2 * h, 2 * w), (2, 1, 2, 1)), kernel, groups=c)


class Modulated(nn.Module):
    """One kernel for each sample, by groups."""

    def __init__(self, i, o, k, styles, demodulate=True):
        super().__init__()
        self.weight, self.demodulate = nn.Parameter(torch.zeros(o, i, k, k)), demodulate
        self.style = Equalized(styles, i, gain=1)

    def forward(self, x, w):
        n, c, height, width = x.shape
        kernels = (self.weight / self.weight[0].numel()**0.5)[None] * self.style(w)[:, None, :, None, None]
        if self.demodulate:
            kernels = kernels * torch.rsqrt(kernels.square().sum((2, 3, 4), keepdim=True) + 1e-8)
        return F.conv2d(x.reshape(1, n * c, height, width), kernels.flatten(0, 1), padding="same", groups=n).reshape(n, -1, height, width)


class Styled(nn.Module):
    def __init__(self, c, side, styles, up):
        super().__init__()
        self.conv, self.up, self.act = Modulated(c, c, 3, styles), up, nn.LeakyReLU(0.2)
        self.strength, self.bias = nn.Parameter(torch.zeros(())), nn.Parameter(torch.linspace(-0.2, 0.2, c))
        self.register_buffer("noise", torch.sin(torch.arange(1.0, side * side + 1)**2).reshape(1, 1, side, side))

    def forward(self, x, w):
        y = self.conv(enlarged(x) if self.up else x, w) + self.noise * self.strength + self.bias[:, None, None]
        return self.act(y) * 2**0.5


class StyleGenerator(nn.Module):
    """Without mixing, its noise the buffers: what evaluation draws."""

    def __init__(self, c):
        super().__init__()
        self.constant = nn.Parameter(torch.cos(torch.arange(1.0, 16 * c + 1)**2).reshape(1, c, 4, 4))
        self.image_bias = nn.Parameter(torch.full((1,), 0.1))
        self.mapping = nn.Sequential(*(layer for _ in range(4) for layer in (Equalized(Z, Z, rate=0.01), nn.LeakyReLU(0.2))))
        self.layers = nn.ModuleList(Styled(c, side, Z, up) for side, up in ((4, False), (8, True), (8, False), (16, True), (16, False)))
        self.to_image = nn.ModuleList(Modulated(c, 1, 1, Z, False) for _ in range(3))

    def forward(self, z):
        w = self.mapping(z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8))
        x, image = self.constant.expand(len(z), -1, -1, -1), 0
        for i, layer in enumerate(self.layers):
            x = layer(x, w)
            if i % 2 == 0:
                image = (enlarged(image) if i else 0) + self.to_image[i // 2](x, w)
        return image + self.image_bias


class Halved(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.residual = nn.Sequential(Equalized(c, c, 3), nn.LeakyReLU(0.2), Blur(), Equalized(c, 2 * c, 3, stride=2), nn.LeakyReLU(0.2))
        self.skip = nn.Sequential(Blur(), Equalized(c, 2 * c, 1, stride=2, gain=1, bias=False))

    def forward(self, x):
        return (self.residual(x) + self.skip(x)) / 2**0.5


def stylegan2(_):
    g = nn.Sequential(StyleGenerator(WIDTH), nn.Tanh())
    d = nn.Sequential(Equalized(1, WIDTH, 1), nn.LeakyReLU(0.2), Halved(WIDTH), Halved(2 * WIDTH), Equalized(4 * WIDTH, 4 * WIDTH, 3),
                      nn.LeakyReLU(0.2), nn.Flatten(), Equalized(64 * WIDTH, 4 * WIDTH), nn.LeakyReLU(0.2), nn.Linear(4 * WIDTH, 1))
    return g, d, SHAPE


class Quiet(nn.Module):
    """R3GAN's block, with as many groups as there are of so few channels."""

    def __init__(self, c, inner=2):
        super().__init__()
        self.residual = nn.Sequential(nn.Conv2d(c, inner * c, 1), nn.LeakyReLU(0.2), nn.Conv2d(inner * c, inner * c, 3, padding=1, groups=GROUPS),
                                      nn.LeakyReLU(0.2), nn.Conv2d(inner * c, c, 1, bias=False))

    def forward(self, x):
        return x + self.residual(x)


class Basis(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.basis = nn.Parameter(torch.cos(torch.arange(1.0, 16 * c + 1)**2).reshape(c, 4, 4))
        self.linear = nn.Linear(Z, c, bias=False)

    def forward(self, z):
        return self.linear(z)[:, :, None, None] * self.basis


def r3gan(_):
    c, up, down = WIDE, [nn.Upsample(scale_factor=2), Blur()], [Blur(), nn.AvgPool2d(2)]
    pair = lambda: [Quiet(c), Quiet(c)]
    g = nn.Sequential(Basis(c), *pair(), *up, *pair(), *up, *pair(), nn.Conv2d(c, 1, 1, bias=False), nn.Tanh())
    d = nn.Sequential(nn.Conv2d(1, c, 1, bias=False), *pair(), *down, *pair(), *down, *pair(), nn.Conv2d(c, c, 4, groups=c, bias=False),
                      nn.Flatten(), nn.Linear(c, 1))
    return g, d, SHAPE


OBJECTIVES = make_golden.OBJECTIVES | make_golden_conditional.OBJECTIVES
FILES = [  # objective, network, builder, trajectory
    ("wgan-gp", "resnet", resnet, make_golden.trajectory),
    ("hinge", "sagan", sagan, make_golden.trajectory),
    ("projection", "biggan", biggan, make_golden_conditional.trajectory),
    ("r1", "stylegan2", stylegan2, make_golden.trajectory),
    ("r3gan", "r3gan", r3gan, make_golden.trajectory),
]
NORMALISED = ("sagan", "biggan")  # both networks under spectral norm


def main():
    parser = argparse.ArgumentParser(description="Writes the golden trajectories beside this script.")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent)
    arguments = parser.parse_args()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for objective, network, build, trajectory in FILES:
        spec = OBJECTIVES[objective] | dict(iterations=2) | (dict(spectral_norm="both") if network in NORMALISED else {})
        seed = 1
        while True:
            tensors, fit = trajectory(spec, build, seed)
            if fit:
                break
            seed += 1
            if seed > 500:
                raise SystemExit(f"{objective} {network}: no seed is fit")
        metadata = dict(format="pt", objective=objective, network=network, seed=str(seed), torch=torch.__version__, batch=str(BATCH),
                        **{key: str(value) for key, value in spec.items()})
        path = arguments.out / f"{objective}_{network}.safetensors"
        save_safetensors(path, tensors, metadata)
        print(f"{path.name:32s} {path.stat().st_size:7d} bytes  seed {seed}")


if __name__ == "__main__":
    main()
