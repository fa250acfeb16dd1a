#!/usr/bin/env python3
"""Golden trajectories of the objectives whose critic says more than a logit: cgan, acgan, projection, infogan, ebgan, began,
mmd-gan, mmd-gan-rep, cramer-gan.

    /tmp/venv/bin/python tests/golden/make_golden_conditional.py      # rewrites their files beside this script

As make_golden.py, whose optimizers, margins and file format it uses: PyTorch f64, ten iterations, written from the papers'
formulas. What differs is said in README.md, section "Classes, codes, energies and embeddings".
"""
import argparse
import pathlib

import torch
import torch.nn.functional as F
from torch import nn

from make_golden import MARGIN, Margin, apply_gradient, exact_torch, first_fit, make_optimizer, normalise, state, write_golden

BATCH, NOISE, CLASSES, ITERATIONS = 4, 5, 3, 10
CATEGORIES, VALUES = 10, 2  # infogan's codes
ADAM = dict(optimizer="adam", lr=2e-4, beta1=0.5, beta2=0.999, eps=1e-8)

OBJECTIVES = {
    "cgan": dict(loss="non_saturating", critic="label", critic_steps=1, **ADAM),
    "acgan": dict(loss="non_saturating", critic="classes", critic_steps=1, class_weight=1.0, **ADAM),
    "projection": dict(loss="hinge", critic="projection", critic_steps=5, spectral_norm=True, **dict(ADAM, beta1=0.0, beta2=0.9)),
    "infogan": dict(loss="non_saturating", critic="codes", critic_steps=1, info_weight=1.0, lr_g=1e-3, **ADAM),
    "ebgan": dict(loss="margin", critic="squared", critic_steps=1, margin=0.3, pull_away=0.1, **ADAM),
    "began": dict(loss="balance", critic="absolute", critic_steps=1, gamma=0.9, lambda_k=0.05, **dict(ADAM, lr=5e-4)),
    "mmd-gan": dict(loss="mmd", critic="embedding", embedding=16, critic_steps=5, weight=1.0, k=1.0, **dict(ADAM, lr=1e-4, beta2=0.9)),
    "mmd-gan-rep": dict(loss="repulsive", critic="embedding", embedding=16, critic_steps=1, spectral_norm=True, least=0.25, most=4.0,
                        lr_g=5e-4, **ADAM),
    "cramer-gan": dict(loss="cramer", critic="embedding", embedding=256, critic_steps=5, weight=10.0, k=1.0,
                       **dict(ADAM, lr=1e-4, beta2=0.9)),
}
CONDITIONAL = ("label", "classes", "projection")
CONVOLUTIONAL = ("cgan", "mmd-gan", "mmd-gan-rep", "cramer-gan")


class Critic(nn.Module):
    """trunk and heads, named as Duel's; forward gives everything it has to say."""

    def __init__(self, kind, trunk, features, planes, embedding=0):
        super().__init__()
        self.kind, self.planes = kind, planes
        if kind in ("squared", "absolute"):
            self.encoder = trunk
            end = [nn.Tanh()] if kind == "squared" else []
            self.decoder = mlp_layers([features, 5, 10, 16], *end, nn.Unflatten(1, (1, 4, 4)))
            return
        self.trunk = trunk
        if kind == "embedding":
            self.embed = nn.Linear(features, embedding)
            return
        self.logit = nn.Linear(features, 1)
        if kind == "projection":
            self.embed = nn.Linear(features, CLASSES, bias=False)
        if kind == "classes":
            self.classes = nn.Linear(features, CLASSES)
        if kind == "codes":
            self.q = nn.Sequential(nn.Linear(features, 6), nn.LeakyReLU(0.2), nn.Linear(6, CATEGORIES + VALUES))

    def forward(self, x, y):
        if self.kind in ("squared", "absolute"):
            code = self.encoder(x)
            away = (self.decoder(code) - x).flatten(1)
            return dict(logit=(away.square() if self.kind == "squared" else away.abs()).mean(1), features=code, away=away)
        if self.kind == "embedding":
            return dict(features=self.embed(self.trunk(x)))
        if self.kind == "label":
            told = F.one_hot(y, CLASSES).to(x.dtype)
            if self.planes:
                x = torch.cat([x, told[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1)
            else:
                x = torch.cat([x.flatten(1), told], 1)
        phi = self.trunk(x)
        said = dict(logit=self.logit(phi), features=phi)
        if self.kind == "projection":
            said["logit"] = said["logit"] + self.embed(phi).gather(1, y[:, None])
        if self.kind == "classes":
            said["classes"] = self.classes(phi)
        if self.kind == "codes":
            said["codes"] = self.q(phi)
        return said


def mlp_layers(sizes, *end):
    layers = []
    for a, b in zip(sizes[:-1], sizes[1:]):
        layers += [nn.Linear(a, b), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers[:-1], *end)


def mlp(spec, latent):
    """As make_networks({.arch = "mlp", .height = 4, .width = 4, .channels_g = 4, .channels_d = 5}) but for Q's hidden 6."""
    kind = spec["critic"]
    g = mlp_layers([latent, 4, 8, 16], nn.Tanh(), nn.Unflatten(1, (1, 4, 4)))
    inputs = 16 + (CLASSES if kind == "label" else 0)
    d = nn.Sequential(nn.Flatten(), *mlp_layers([inputs, 10, 5]), nn.LeakyReLU(0.2))
    if kind in ("squared", "absolute"):
        d.append(nn.Linear(5, 5))
    return g, Critic(kind, d, 5, False, spec.get("embedding", 0)), (1, 4, 4)


def dcgan(spec, latent):
    """As .arch = "dcgan", .height = 8, .width = 8, .channels_g = 1, .channels_d = 2, batch norm in G, and in D where the objective allows it."""
    planes = 1 + (CLASSES if spec["critic"] == "label" else 0)
    batch_norm = [] if {"weight", "spectral_norm"} & spec.keys() else [nn.BatchNorm2d(4)]
    g = nn.Sequential(nn.Linear(latent, 16), nn.Unflatten(1, (4, 2, 2)), nn.BatchNorm2d(4), nn.ReLU(),
                      nn.ConvTranspose2d(4, 2, 4, 2, 1), nn.BatchNorm2d(2), nn.ReLU(),
                      nn.ConvTranspose2d(2, 1, 4, 2, 1), nn.Tanh())
    d = nn.Sequential(nn.Conv2d(planes, 2, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(2, 4, 4, 2, 1), *batch_norm,
                      nn.LeakyReLU(0.2), nn.Flatten())
    return g, Critic(spec["critic"], d, 16, True, spec.get("embedding", 0)), (1, 8, 8)


def initialise(net, rng):
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            c = module.num_features
            if module.affine:
                module.weight.data = 1 + 0.2 * torch.randn(c, generator=rng)
                module.bias.data = 0.1 * torch.randn(c, generator=rng)
            module.running_mean = 0.1 * torch.randn(c, generator=rng)
            module.running_var = 0.5 + torch.rand(c, generator=rng)
        elif getattr(module, "weight", None) is not None:
            module.weight.data = 1.3 * torch.randn(module.weight.shape, generator=rng) / module.weight[0].numel()**0.5
            if module.bias is not None:
                module.bias.data = 0.1 * torch.randn(module.bias.shape, generator=rng)
        elif hasattr(module, "gamma"):  # of attention, which starts at 0
            module.gamma.data = 0.5 + torch.rand(1, generator=rng)


def pull_away(s):
    """Zhao 2016, eq. 4, as it is written: over all pairs i != j."""
    n, total = len(s), 0.0
    for i in range(n):
        for j in range(n):
            if i != j:
                total = total + (s[i] @ s[j] / (s[i].norm() * s[j].norm()))**2
    return total / (n * (n - 1))


def kernel(spec, a, b):
    """Of two embeddings."""
    square = (a - b).square().sum()
    if spec["loss"] == "mmd":  # Binkowski 2018, rational quadratic
        return sum((1 + square / (2 * alpha))**-alpha for alpha in (0.2, 0.5, 1.0, 2.0, 5.0))
    return torch.exp(-square / 2)


def mean_over(pairs):
    return torch.stack(list(pairs)).mean()


def others(rows, of_pair):
    """The mean over i != j, pair by pair."""
    return mean_over(of_pair(a, b) for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j)


def squared_mmd(spec, x, y):
    k = lambda a, b: kernel(spec, a, b)
    return others(x, k) + others(y, k) - 2 * mean_over(k(a, b) for a in x for b in y)


def bounded(square, margin, spec, side):
    """Wang 2019, the bounded kernel: exp(-d^2 / 2) with d^2 kept below a bound for reals and above one for fakes."""
    bound = torch.tensor(spec["most"] if side == "real" else spec["least"])
    margin.see(square - bound)
    return torch.exp(-(torch.minimum if side == "real" else torch.maximum)(square, bound) / 2)


def bounds_met(spec, x, y):
    """Which sides of the two bounds some pair is on."""
    apart = lambda rows: [(a - b).square().sum().item() for i, a in enumerate(rows) for b in rows[:i]]
    return {("real", d > spec["most"]) for d in apart(x)} | {("fake", d < spec["least"]) for d in apart(y)}


def witness(spec, at, real, fake):
    """The critic as a function of one embedding."""
    if spec["loss"] == "cramer":  # Bellemare 2017, algorithm 1, over all of the fakes
        return mean_over((at - y).norm() for y in fake) - at.norm()
    return mean_over(kernel(spec, at, x) for x in real) - mean_over(kernel(spec, at, y) for y in fake)


def embedding_loss_d(spec, x, y, margin):
    distance = lambda a, b: (a - b).norm()
    if spec["loss"] == "mmd":
        return -squared_mmd(spec, x, y)
    if spec["loss"] == "repulsive":
        near = lambda side: lambda a, b: bounded((a - b).square().sum(), margin, spec, side)
        return others(x, near("real")) - others(y, near("fake"))
    critic_of_real = mean_over(witness(spec, a, x, y) for a in x)
    critic_of_fake = others(y, distance) - mean_over(b.norm() for b in y)
    return critic_of_fake - critic_of_real


def embedding_loss_g(spec, x, y):
    if spec["loss"] == "cramer":  # E |x - y| + E |x - y'| - E |y - y'|
        return 2 * mean_over((a - b).norm() for a in x for b in y) - others(y, lambda a, b: (a - b).norm())
    return squared_mmd(spec, x, y)


def witness_penalty(spec, d, points, real, fake):
    points = points.detach().requires_grad_(True)
    values = sum(witness(spec, at, real, fake) for at in d(points, None)["features"])
    gradient, = torch.autograd.grad(values, points, create_graph=True)
    return spec["weight"] * (gradient.flatten(1).norm(dim=1) - spec["k"]).square().mean()


def code_loss(said, codes):
    log_q = F.log_softmax(said[:, :CATEGORIES], 1)
    return (F.nll_loss(log_q, codes[:, :CATEGORIES].argmax(1))
            + 0.5 * (codes[:, CATEGORIES:] - said[:, CATEGORIES:]).square().sum(1).mean())


def discriminator_loss(spec, real, fake, y, y_fake, codes, k, margin):
    if spec["critic"] == "embedding":
        return embedding_loss_d(spec, real["features"], fake["features"], margin)
    r, f = real["logit"], fake["logit"]
    if spec["loss"] == "margin":
        margin.see(spec["margin"] - f)
        return r.mean() + F.relu(spec["margin"] - f).mean()
    if spec["loss"] == "balance":
        return r.mean() - k * f.mean()
    if spec["loss"] == "hinge":
        margin.see(1 - r), margin.see(1 + f)
        return F.relu(1 - r).mean() + F.relu(1 + f).mean()
    loss = (F.binary_cross_entropy_with_logits(r, torch.ones_like(r))
            + F.binary_cross_entropy_with_logits(f, torch.zeros_like(f)))
    if "class_weight" in spec:
        loss = loss + spec["class_weight"] * (F.cross_entropy(real["classes"], y) + F.cross_entropy(fake["classes"], y_fake))
    if "info_weight" in spec:
        loss = loss + spec["info_weight"] * code_loss(fake["codes"], codes)
    return loss


def generator_loss(spec, fake, y_fake, codes, real=None):
    if spec["critic"] == "embedding":
        return embedding_loss_g(spec, real["features"], fake["features"])
    f = fake["logit"]
    if spec["loss"] == "hinge":
        return -f.mean()
    if spec["loss"] == "balance":
        return f.mean()
    if spec["loss"] == "margin":
        return f.mean() + spec["pull_away"] * pull_away(fake["features"])
    loss = F.binary_cross_entropy_with_logits(f, torch.ones_like(f))
    if "class_weight" in spec:
        loss = loss + spec["class_weight"] * F.cross_entropy(fake["classes"], y_fake)
    if "info_weight" in spec:
        loss = loss + spec["info_weight"] * code_loss(fake["codes"], codes)
    return loss


def latents(spec, rng):
    """G's input, the labels and the codes in it."""
    parts = [torch.randn(BATCH, NOISE, generator=rng)]
    labels = codes = None
    if spec["critic"] in CONDITIONAL:
        labels = torch.randint(CLASSES, (BATCH,), generator=rng)
        parts.append(F.one_hot(labels, CLASSES).double())
    if spec["critic"] == "codes":
        codes = torch.cat([F.one_hot(torch.randint(CATEGORIES, (BATCH,), generator=rng), CATEGORIES).double(),
                           2 * torch.rand(BATCH, VALUES, generator=rng) - 1], 1)
        parts.append(codes)
    return torch.cat(parts, 1), labels, codes


def keep(out, at, **tensors):
    out.update({f"{at}.{name}": value for name, value in tensors.items() if value is not None})


def trajectory(spec, build, seed):
    rng = torch.Generator().manual_seed(seed)
    width = NOISE + (CLASSES if spec["critic"] in CONDITIONAL else 0) + (CATEGORIES + VALUES if spec["critic"] == "codes" else 0)
    g, d, shape = build(spec, width)
    initialise(g, rng)
    initialise(d, rng)
    if spec.get("spectral_norm"):
        normalise([d, g] if spec["spectral_norm"] == "both" else [d], seed)
    out = {**state("g", g), **state("d", d)}
    margin = Margin()
    margin.watch(g, d)
    opt_d, opt_g = make_optimizer(spec, d, spec["lr"]), make_optimizer(spec, g, spec.get("lr_g", spec["lr"]))
    k, fit, crossed, bounds = torch.zeros(()), True, False, set()
    for t in range(spec.get("iterations", ITERATIONS)):
        for s in range(spec["critic_steps"]):
            at, first = f"t{t}.s{s}", t == 0 and s == 0
            real = torch.tanh(torch.randn(BATCH, *shape, generator=rng))
            y = torch.randint(CLASSES, (BATCH,), generator=rng) if spec["critic"] in CONDITIONAL else None
            z, y_fake, codes = latents(spec, rng)
            keep(out, at, real=real, y=y, z=z, y_fake=y_fake, codes=codes)
            with torch.no_grad():
                image = g(z)
            if spec.get("spectral_norm"):  # one pass: the power iteration moves once a step
                both = d(torch.cat([real, image]), None if y is None else torch.cat([y, y_fake]))
                said_real = {name: value[:BATCH] for name, value in both.items()}
                said_fake = {name: value[BATCH:] for name, value in both.items()}
            else:
                said_real, said_fake = d(real, y), d(image, y_fake)
            if "away" in said_real:
                margin.see(said_real["away"]), margin.see(said_fake["away"])
            if spec["loss"] == "margin" and first:  # both sides of the margin
                fit &= bool((said_fake["logit"] > spec["margin"]).any() and (said_fake["logit"] < spec["margin"]).any())
            crossed |= spec["loss"] == "hinge" and bool((said_real["logit"] > 1).any() or (said_fake["logit"] < -1).any())
            loss = discriminator_loss(spec, said_real, said_fake, y, y_fake, codes, k, margin)
            if "weight" in spec:
                eps = torch.rand(BATCH, *[1] * len(shape), generator=rng)
                keep(out, at, eps=eps)
                loss = loss + witness_penalty(spec, d, eps * real + (1 - eps) * image, said_real["features"], said_fake["features"])
            if spec["loss"] == "repulsive":
                bounds |= bounds_met(spec, said_real["features"], said_fake["features"])
            gradients = apply_gradient(d, loss, opt_d)
            if spec["loss"] == "balance":
                with torch.no_grad():
                    k = (k + spec["lambda_k"] * (spec["gamma"] * said_real["logit"].mean() - said_fake["logit"].mean())).clamp(0, 1)
                keep(out, at, k=k.clone())
            keep(out, at, loss_d=loss.detach())
            if first:
                out.update({f"grad.d.{name}": value for name, value in gradients.items()})
        z, y_fake, codes = latents(spec, rng)
        keep(out, f"t{t}", z_g=z, y_g=y_fake, codes_g=codes)
        said_real = None
        if spec["critic"] == "embedding":  # as D is now; Duel judges real samples first
            with torch.no_grad():
                said_real = d(real, None)
        said = d(g(z), y_fake)
        if "away" in said:
            margin.see(said["away"])
        loss = generator_loss(spec, said, y_fake, codes, said_real)
        gradients = apply_gradient(g, loss, opt_g)
        keep(out, f"t{t}", loss_g=loss.detach())
        if t == 0:
            out.update({f"grad.g.{name}": value for name, value in gradients.items()})
    out.update(state("final.g", g))
    out.update(state("final.d", d))
    if spec["loss"] == "balance":  # k must move, and be felt
        fit &= 0.02 < k.item() < 1
    if spec["loss"] == "hinge":  # a spectral norm keeps most logits within it
        fit &= crossed
    if spec["loss"] == "repulsive":  # a pair beyond each bound and one within
        fit &= len(bounds) == 4
    return out, fit and margin.smallest > MARGIN


def main():
    parser = argparse.ArgumentParser(description="Writes the golden trajectories beside this script.")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent)
    parser.add_argument("--only", nargs="+", help="these objectives, by name")
    arguments = parser.parse_args()
    exact_torch()
    for name, network, build in [*((name, "mlp", mlp) for name in OBJECTIVES),
                                 *((name, "dcgan", dcgan) for name in CONVOLUTIONAL)]:
        if arguments.only and name not in arguments.only:
            continue
        seed, tensors = first_fit(trajectory, OBJECTIVES[name], build, name, most=500)
        write_golden(arguments.out, name, network, OBJECTIVES[name], seed, tensors)


if __name__ == "__main__":
    main()
