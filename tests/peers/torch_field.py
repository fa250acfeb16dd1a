"""The networks of gan/models/networks/ beyond mlp and dcgan in PyTorch, named as Duel's: for golden trajectories
(tests/golden/make_golden_networks.py) and for step times (torch_gan.py). Written from their papers; of StyleGAN2's convolution there
are two forms, a kernel for each sample by groups, as its authors have it, and the scaling of inputs and outputs, which is
quicker."""
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

CLASSES = 3


@dataclass
class Sizes:
    g: int  # widths
    d: int
    z: int
    side: int = 28
    draws: bool = True     # StyleGAN2's noise inputs and style mixing
    by_groups: bool = False  # its convolution

    def levels(self, least=4):
        """Sides from the smallest to the image's."""
        sides = [self.side]
        while sides[0] % 2 == 0 and sides[0] // 2 >= least:
            sides.insert(0, sides[0] // 2)
        return sides


def normalise(nets, seed):
    """Spectral norm for every layer with a weight, but for embeddings that a network shares; u and v by the seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for net in nets:
            for name, module in list(net.named_modules()):
                if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)) and not name.endswith("shared"):
                    nn.utils.spectral_norm(module)


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


def resnet(s):
    sides, c, judged = s.levels(), s.g, s.levels(7)
    g = nn.Sequential(nn.Linear(s.z, c * sides[0]**2), nn.Unflatten(1, (c, sides[0], sides[0])),
                      *(Residual(c, c, "up", norm=True) for _ in sides[1:]), nn.BatchNorm2d(c), nn.ReLU(), nn.Conv2d(c, 1, 3, padding=1), nn.Tanh())
    halved = len(judged) - 1
    blocks = [Residual(1 if i == 0 else s.d, s.d, "down" if i < halved else "", first=i == 0) for i in range(halved + 2)]
    d = nn.Sequential(*blocks, nn.ReLU(), nn.AvgPool2d(judged[0]), nn.Flatten(), nn.Linear(s.d, 1))
    return g, d


class UNet(nn.Module):
    """A D that judges an image, and each of its pixels: both logits, [B, 1] and [B, 1, H, W]."""

    def __init__(self, s):
        super().__init__()
        halved = len(s.levels()) - 1
        self.encoder = nn.ModuleList(Residual(s.d if i else 1, s.d, "down", first=i == 0) for i in range(halved))
        self.head = nn.Sequential(nn.Linear(s.d, 1))
        self.decoder = nn.ModuleList(Residual(2 * s.d if i else s.d, s.d, "up") for i in range(halved))
        self.pixels = nn.Sequential(nn.ReLU(), nn.Conv2d(s.d, 1, 1))
        self.relu = nn.ReLU()

    def forward(self, x):
        levels = [x]
        for block in self.encoder:
            levels.append(block(levels[-1]))
        logits = self.head(self.relu(levels[-1]).mean((2, 3)))
        y = self.decoder[0](levels[-1])
        for block, level in zip(self.decoder[1:], reversed(levels[1:-1])):
            y = block(torch.cat([y, level], 1))
        return logits, self.pixels(y)


def unet(s):
    return resnet(s)[0], UNet(s)


def sagan(s):
    side, c = s.side // 4, s.g
    g = nn.Sequential(nn.Linear(s.z, 2 * c * side**2), nn.Unflatten(1, (2 * c, side, side)), nn.BatchNorm2d(2 * c), nn.ReLU(),
                      nn.ConvTranspose2d(2 * c, c, 4, 2, 1), nn.BatchNorm2d(c), nn.ReLU(), Attention(c), nn.ConvTranspose2d(c, 1, 4, 2, 1), nn.Tanh())
    d = nn.Sequential(nn.Conv2d(1, s.d, 4, 2, 1), nn.LeakyReLU(0.1), Attention(s.d), nn.Conv2d(s.d, 2 * s.d, 4, 2, 1), nn.LeakyReLU(0.1),
                      nn.Flatten(), nn.Linear(2 * s.d * side**2, 1))
    return g, d


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
    """BigGAN's G up to its last norm: noise in parts, the first takes what is left; the label's embedding joined with each further one."""

    def __init__(self, s, embedded=32):
        super().__init__()
        sides = s.levels()
        self.doublings, self.z, self.side = len(sides) - 1, s.z, sides[0]
        self.part = s.z // len(sides)
        self.first, self.widest = s.z - self.doublings * self.part, s.g << self.doublings
        self.shared = nn.Linear(CLASSES, embedded, bias=False)
        self.start = nn.Linear(self.first, self.widest * self.side**2)
        widths = [self.widest >> i for i in range(self.doublings)]
        self.blocks = nn.ModuleList(ConditionalBlock(c, c // 2, embedded + self.part) for c in widths)
        self.attention = Attention(widths[-1])

    def forward(self, x):
        label, at = self.shared(x[:, self.z:]), self.first
        h = self.start(x[:, :self.first]).unflatten(1, (self.widest, self.side, self.side))
        for i, block in enumerate(self.blocks):
            h = self.attention(h) if i + 1 == len(self.blocks) else h
            h = block(h, torch.cat([label, x[:, at:at + self.part]], 1))
            at += self.part
        return h


def biggan(s):
    """G, and D's trunk with its number of features."""
    g = nn.Sequential(Tower(s), nn.BatchNorm2d(s.g), nn.ReLU(), nn.Conv2d(s.g, 1, 3, padding=1), nn.Tanh())
    halved, layers, c = len(s.levels()) - 1, [], 1
    for i in range(halved + 1):
        layers.append(Residual(c, s.d << i, "down" if i < halved else "", first=i == 0))
        layers += [Attention(s.d)] if i == 0 else []
        c = s.d << i
    return g, nn.Sequential(*layers, nn.ReLU(), SumPool()), c


class Equalized(nn.Module):
    """Linear or convolution with a weight that is scaled where it is used."""

    def __init__(self, i, o, k=0, stride=1, gain=2**0.5, rate=1.0, bias=True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(o, i, *[k] * 2 * (k > 0)) / rate)
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
    def __init__(self, i, o, k, styles, by_groups, demodulate=True):
        super().__init__()
        self.weight, self.demodulate, self.by_groups = nn.Parameter(torch.randn(o, i, k, k)), demodulate, by_groups
        self.style = Equalized(styles, i, gain=1)

    def forward(self, x, w):
        n, c, height, width = x.shape
        if not self.by_groups:
            scaled, s = self.weight / self.weight[0].numel()**0.5, self.style(w)
            y = F.conv2d(x * s[:, :, None, None], scaled, padding=scaled.shape[-1] // 2)
            return y * torch.rsqrt(F.linear(s.square(), scaled.square().sum((2, 3))) + 1e-8)[:, :, None, None] if self.demodulate else y
        kernels = (self.weight / self.weight[0].numel()**0.5)[None] * self.style(w)[:, None, :, None, None]
        if self.demodulate:
            kernels = kernels * torch.rsqrt(kernels.square().sum((2, 3, 4), keepdim=True) + 1e-8)
        return F.conv2d(x.reshape(1, n * c, height, width), kernels.flatten(0, 1), padding="same", groups=n).reshape(n, -1, height, width)


class Styled(nn.Module):
    def __init__(self, s, side, up):
        super().__init__()
        c = s.g
        self.conv, self.up, self.act, self.draws = Modulated(c, c, 3, s.z, s.by_groups), up, nn.LeakyReLU(0.2), s.draws
        self.strength, self.bias = nn.Parameter(torch.zeros(())), nn.Parameter(torch.linspace(-0.2, 0.2, c))
        self.register_buffer("noise", torch.sin(torch.arange(1.0, side * side + 1)**2).reshape(1, 1, side, side))

    def forward(self, x, w):
        y = self.conv(enlarged(x) if self.up else x, w)
        noise = torch.randn(len(y), *self.noise.shape[1:], device=y.device) if self.draws else self.noise
        return self.act(y + noise * self.strength + self.bias[:, None, None]) * 2**0.5


class StyleGenerator(nn.Module):
    def __init__(self, s):
        super().__init__()
        sides, c, z = s.levels(), s.g, s.z
        self.draws = s.draws
        self.constant = nn.Parameter(torch.cos(torch.arange(1.0, sides[0]**2 * c + 1)**2).reshape(1, c, sides[0], sides[0]))
        self.image_bias = nn.Parameter(torch.full((1,), 0.1))
        self.mapping = nn.Sequential(*(layer for _ in range(4) for layer in (Equalized(z, z, rate=0.01), nn.LeakyReLU(0.2))))
        self.layers = nn.ModuleList(Styled(s, side, up) for i, side in enumerate(sides) for up in ((True, False) if i else (False,)))
        self.to_image = nn.ModuleList(Modulated(c, 1, 1, z, s.by_groups, False) for _ in sides)

    def mapped(self, z):
        return self.mapping(z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8))

    def forward(self, z):
        w, n = self.mapped(z), len(self.layers)
        if self.draws:
            other = self.mapped(torch.randn_like(z))
            begins = torch.floor(torch.rand(len(z), 1, device=z.device) * ((n - 1) / 0.9)) + 1
        x, image = self.constant.expand(len(z), -1, -1, -1), 0
        for i, layer in enumerate(self.layers):
            style = torch.where(begins <= i, other, w) if self.draws and i else w
            x = layer(x, style)
            if i % 2 == 0:
                image = (enlarged(image) if i else 0) + self.to_image[i // 2](x, style)
        return image + self.image_bias


class Halved(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.residual = nn.Sequential(Equalized(c, c, 3), nn.LeakyReLU(0.2), Blur(), Equalized(c, 2 * c, 3, stride=2), nn.LeakyReLU(0.2))
        self.skip = nn.Sequential(Blur(), Equalized(c, 2 * c, 1, stride=2, gain=1, bias=False))

    def forward(self, x):
        return (self.residual(x) + self.skip(x)) / 2**0.5


def stylegan2(s):
    sides, c = s.levels(), s.d << len(s.levels()) - 1
    g = nn.Sequential(StyleGenerator(s), nn.Tanh())
    d = nn.Sequential(Equalized(1, s.d, 1), nn.LeakyReLU(0.2), *(Halved(s.d << i) for i in range(len(sides) - 1)), Equalized(c, c, 3),
                      nn.LeakyReLU(0.2), nn.Flatten(), Equalized(c * sides[0]**2, c), nn.LeakyReLU(0.2), nn.Linear(c, 1))
    return g, d


class Quiet(nn.Module):
    """R3GAN's block."""

    def __init__(self, c, inner=2):
        super().__init__()
        groups = inner * c // 16 if inner * c % 16 == 0 and inner * c > 16 else 2
        self.residual = nn.Sequential(nn.Conv2d(c, inner * c, 1), nn.LeakyReLU(0.2), nn.Conv2d(inner * c, inner * c, 3, padding=1, groups=groups),
                                      nn.LeakyReLU(0.2), nn.Conv2d(inner * c, c, 1, bias=False))

    def forward(self, x):
        return x + self.residual(x)


class Basis(nn.Module):
    def __init__(self, z, c, side):
        super().__init__()
        self.basis = nn.Parameter(torch.cos(torch.arange(1.0, side**2 * c + 1)**2).reshape(c, side, side))
        self.linear = nn.Linear(z, c, bias=False)

    def forward(self, z):
        return self.linear(z)[:, :, None, None] * self.basis


def r3gan(s):
    sides, up, down = s.levels(), [nn.Upsample(scale_factor=2), Blur()], [Blur(), nn.AvgPool2d(2)]
    blocks = lambda c, between: [m for i in range(len(sides)) for m in (*(between if i else []), Quiet(c), Quiet(c))]
    g = nn.Sequential(Basis(s.z, s.g, sides[0]), *blocks(s.g, up), nn.Conv2d(s.g, 1, 1, bias=False))
    d = nn.Sequential(nn.Conv2d(1, s.d, 1, bias=False), *blocks(s.d, down), nn.Conv2d(s.d, s.d, sides[0], groups=s.d, bias=False),
                      nn.Flatten(), nn.Linear(s.d, 1))
    return g, d
