#!/usr/bin/env python3
"""Makes the golden trajectories: ten PyTorch f64 training iterations of every objective on two small networks.

Run once; the files are committed, and the C++ tests need neither Python nor PyTorch. To make them again, from the
repository root:

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install torch numpy
    /tmp/venv/bin/python tests/golden/make_golden.py            # rewrites tests/golden/*.safetensors

Names, shapes and the exact order of events are in README.md beside this file. One thread, f64 and fixed seeds: the
same PyTorch on the same kind of CPU writes the same bytes; elsewhere the last bits of a value may differ.

This is the oracle, so it is written from the papers' formulas with PyTorch's own layers, losses and optimizers, and
shares nothing with the library. A draw is kept only if a wrong implementation would show (see `Telling`) and rounding
could not (see `Margin`); else the next seed is tried, and the seed is recorded in the file.

--sensitivity prints instead how far a change of 1e-15 in the initial weights moves the results: the floor under any
tolerance for them.
"""
import argparse
import json
import pathlib
import struct
import sys

import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "peers"))
from torch_field import normalise  # noqa: E402

BATCH, Z, ITERATIONS = 4, 5, 10
MARGIN = 1e-9  # nearest approach to a kink, relative to the largest value met at that kink in the same pass

ADAM_CLASSIC = dict(optimizer="adam", lr=2e-4, beta1=0.5, beta2=0.999, eps=1e-8)
ADAM_GP = dict(optimizer="adam", lr=1e-4, beta1=0.5, beta2=0.9, eps=1e-8)
ADAM_RELATIVISTIC = dict(optimizer="adam", lr=1e-4, beta1=0.5, beta2=0.999, eps=1e-8)
RMSPROP = dict(optimizer="rmsprop", lr=5e-5, alpha=0.99, eps=1e-8)

OBJECTIVES = {
    "gan": dict(loss="minimax", critic_steps=1, **ADAM_CLASSIC),
    "ns-gan": dict(loss="non_saturating", critic_steps=1, **ADAM_CLASSIC),
    "wgan": dict(loss="wasserstein", critic_steps=5, clip=0.01, **RMSPROP),
    "wgan-gp": dict(loss="wasserstein", critic_steps=5, penalty="one_centered", sampled_at="line", weight=10.0, k=1.0,
                    **ADAM_GP),
    "wgan-lp": dict(loss="wasserstein", critic_steps=5, penalty="one_sided", sampled_at="line", weight=10.0, k=1.0,
                    **ADAM_GP),
    "lsgan": dict(loss="least_squares", a=0.0, b=1.0, c=1.0, critic_steps=1, **ADAM_CLASSIC),
    "lsgan-pearson": dict(loss="least_squares", a=-1.0, b=1.0, c=0.0, critic_steps=1, **ADAM_CLASSIC),
    "dragan": dict(loss="non_saturating", critic_steps=1, penalty="one_centered", sampled_at="dragan",
                   weight=10.0, k=1.0, **ADAM_GP),
    "dragan-two-sided": dict(loss="non_saturating", critic_steps=1, penalty="one_centered", sampled_at="dragan_two_sided",
                             weight=10.0, k=1.0, **ADAM_CLASSIC),
    "hinge": dict(loss="hinge", critic_steps=1, **ADAM_CLASSIC),
    "hinge-v1": dict(loss="hinge_margin", critic_steps=1, **ADAM_CLASSIC),
    "geometric-gan": dict(loss="hinge", critic_steps=1, generator_steps=10, **{**RMSPROP, "lr": 2e-4}),
    "rsgan": dict(loss="rsgan", critic_steps=1, **ADAM_RELATIVISTIC),
    "rasgan": dict(loss="rasgan", critic_steps=1, **ADAM_RELATIVISTIC),
    "ralsgan": dict(loss="ralsgan", critic_steps=1, **ADAM_RELATIVISTIC),
    "rahinge": dict(loss="rahinge", critic_steps=1, **ADAM_RELATIVISTIC),
    "fgan-kl": dict(loss="fgan", f="kl", critic_steps=1, **ADAM_CLASSIC),
    "fgan-reverse-kl": dict(loss="fgan", f="reverse_kl", critic_steps=1, **ADAM_CLASSIC),
    "fgan-pearson": dict(loss="fgan", f="pearson", critic_steps=1, **ADAM_CLASSIC),
    "fgan-hellinger": dict(loss="fgan", f="hellinger", critic_steps=1, **ADAM_CLASSIC),
    "fgan-js": dict(loss="fgan", f="js", critic_steps=1, **ADAM_CLASSIC),
    "fgan-alpha": dict(loss="fgan", f="alpha", a=0.5, critic_steps=1, **ADAM_CLASSIC),
    "softmax-gan": dict(loss="softmax", critic_steps=1, **ADAM_CLASSIC),
    "sngan": dict(loss="hinge", critic_steps=5, generator_batch=2, spectral_norm=True, lr_decay=50000,
                  optimizer="adam", lr=2e-4, beta1=0.0, beta2=0.9, eps=1e-8),
    "r1": dict(loss="non_saturating", critic_steps=1, penalties=[("zero_centered", "real", 5.0)], **{**RMSPROP, "lr": 1e-4}),
    "r3gan": dict(loss="rsgan", critic_steps=1, penalties=[("zero_centered", "real", 0.5), ("zero_centered", "fake", 0.5)],
                  optimizer="adam", lr=2e-4, beta1=0.0, beta2=0.99, eps=1e-8),
    "lgan": dict(loss="non_saturating", critic_steps=1, penalty="worst", sampled_at="line", weight=1.0, **ADAM_CLASSIC),
    "wgan-div": dict(loss="wasserstein", critic_steps=5, penalties=[("power", "real", 1.0), ("power", "fake", 1.0)], p=6,
                     **ADAM_CLASSIC),
    "fisher-gan": dict(loss="wasserstein", critic_steps=2, rho=1e-6, **ADAM_CLASSIC),
    "sliced-wasserstein": dict(loss="sliced", critic_steps=1, directions=16, **{**ADAM_CLASSIC, "lr": 1e-4}),
    "pacgan": dict(loss="non_saturating", critic_steps=1, packing=2, **ADAM_CLASSIC),
    "unrolled": dict(loss="saddle", critic_steps=1, unroll=5, optimizer="adam", lr=1e-4, lr_g=1e-3, beta1=0.5, beta2=0.999,
                     eps=1e-8),
    "consensus": dict(loss="non_saturating", critic_steps=1, gamma=0.1, **{**RMSPROP, "lr": 1e-4}),
}

READS_REAL = ("rsgan", "rasgan", "ralsgan", "rahinge", "softmax")  # losses whose L_G reads D(real)
CONVOLUTIONAL = ("sngan", "gan", "ns-gan", "wgan", "wgan-gp", "wgan-lp", "lsgan", "lsgan-pearson", "dragan", "hinge",
                 "fisher-gan", "sliced-wasserstein")


def mlp(spec):
    g = nn.Sequential(nn.Linear(Z, 8), nn.LeakyReLU(0.2), nn.Linear(8, 12), nn.Tanh())
    d = nn.Sequential(nn.Linear(12 * spec.get("packing", 1), 10), nn.LeakyReLU(0.2), nn.Linear(10, 6), nn.LeakyReLU(0.2), nn.Linear(6, 1))
    return g, d, (12,)


def dcgan(spec):
    g = nn.Sequential(nn.Linear(Z, 16), nn.Unflatten(1, (4, 2, 2)), nn.BatchNorm2d(4), nn.ReLU(),
                      nn.ConvTranspose2d(4, 3, 4, 2, 1), nn.BatchNorm2d(3), nn.ReLU(),
                      nn.ConvTranspose2d(3, 1, 4, 2, 1), nn.Tanh())
    batch_norm = [] if {"penalty", "penalties", "clip", "spectral_norm"} & spec.keys() else [nn.BatchNorm2d(4)]
    d = nn.Sequential(nn.Conv2d(1, 3, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(3, 4, 4, 2, 1), *batch_norm,
                      nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(16, 1))
    return g, d, (1, 8, 8)


def initialise(net, gain, rng):
    """Nothing stays at a default of 0 or 1, so that a forgotten bias, scale or running statistic shows."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            c = module.num_features
            if module.affine:
                module.weight.data = 1 + 0.2 * torch.randn(c, generator=rng)
                module.bias.data = 0.1 * torch.randn(c, generator=rng)
            module.running_mean = 0.1 * torch.randn(c, generator=rng)
            module.running_var = 0.5 + torch.rand(c, generator=rng)
        elif hasattr(module, "weight"):
            fan_in = module.weight[0].numel()
            if isinstance(module, nn.ConvTranspose2d):  # weight [in, out, kh, kw], each output sees kh*kw/stride^2 taps
                fan_in = module.in_channels * 4
            module.weight.data = gain * torch.randn(module.weight.shape, generator=rng) / fan_in**0.5
            if getattr(module, "bias", None) is not None:
                module.bias.data = 0.1 * torch.randn(module.bias.shape, generator=rng)
        for name in ("gamma", "strength"):  # of attention and of noise, which start at 0
            if hasattr(module, name):
                getattr(module, name).data = 0.5 + torch.rand(getattr(module, name).shape, generator=rng)


class Margin:
    """How near any value came to a kink of a piecewise rule: too near, and rounding could choose the other side."""

    def __init__(self):
        self.smallest = float("inf")

    def see(self, u):
        u = u.detach().abs()
        self.smallest = min(self.smallest, (u.min() / u.max()).item())

    def watch(self, *nets):
        for net in nets:
            for module in net.modules():
                if isinstance(module, (nn.ReLU, nn.LeakyReLU)):
                    module.register_forward_pre_hook(lambda _, inputs: self.see(inputs[0]))


class Telling:
    """Whether the first critic step reached both branches of the rules that have two."""

    def __init__(self):
        self.enough = True

    def need_both_signs(self, u):
        self.enough &= bool((u > 0).any() and (u < 0).any())


def discriminator_loss(spec, r, f):
    """r = D(real), f = D(G(z)): raw logits [B, 1]; of a D that judges pixels too a pair, the images' and the pixels'."""
    if isinstance(r, tuple):
        return sum(discriminator_loss(spec, *sides) for sides in zip(r, f))
    loss = spec["loss"]
    if loss in ("minimax", "non_saturating", "saddle", "sliced"):  # -E log s(r) - E log(1 - s(f))
        return (F.binary_cross_entropy_with_logits(r, torch.ones_like(r))
                + F.binary_cross_entropy_with_logits(f, torch.zeros_like(f)))
    if loss == "wasserstein":
        return f.mean() - r.mean()
    if loss == "least_squares":
        return 0.5 * (r - spec["b"]).square().mean() + 0.5 * (f - spec["a"]).square().mean()
    if loss in ("hinge", "hinge_margin"):
        return F.relu(1 - r).mean() + F.relu(1 + f).mean()
    if loss == "rsgan":
        return F.softplus(f - r).mean()
    if loss in ("rasgan", "ralsgan", "rahinge"):
        real, fake = r - f.mean(), f - r.mean()
        if loss == "rasgan":
            return 0.5 * (F.softplus(-real).mean() + F.softplus(fake).mean())
        if loss == "ralsgan":
            return 0.5 * ((real - 1).square().mean() + (fake + 1).square().mean())
        return 0.5 * (F.relu(1 - real).mean() + F.relu(1 + fake).mean())
    if loss == "fgan":
        g, conjugate = f_divergence(spec)
        return conjugate(g(f)).mean() - g(r).mean()
    if loss == "softmax":  # cross-entropy of the softmax over both batches against the uniform one over real
        return torch.logsumexp(torch.cat([r, f]), 0).sum() - r.mean()
    raise ValueError(loss)


def f_divergence(spec):
    """Output activation and conjugate of Nowozin 2016, table 6, as printed there."""
    if spec["f"] == "kl":
        return lambda v: v, lambda t: torch.exp(t - 1)
    if spec["f"] == "reverse_kl":
        return lambda v: -torch.exp(-v), lambda t: -1 - torch.log(-t)
    if spec["f"] == "pearson":
        return lambda v: v, lambda t: torch.where(t < -2, -torch.ones_like(t), t * t / 4 + t)
    if spec["f"] == "hellinger":
        return lambda v: 1 - torch.exp(-v), lambda t: t / (1 - t)
    if spec["f"] == "js":
        return (lambda v: torch.log(torch.tensor(2.0)) - torch.log(1 + torch.exp(-v)),
                lambda t: -torch.log(2 - torch.exp(t)))
    a = spec["a"]
    return (lambda v: 1 / (1 - a) - torch.log(1 + torch.exp(-v)),
            lambda t: ((t * (a - 1) + 1) ** (a / (a - 1)) - 1) / a)


def generator_loss(spec, r, f):
    """r only for losses of READS_REAL."""
    if isinstance(f, tuple):
        return sum(generator_loss(spec, None, logits) for logits in f)
    loss = spec["loss"]
    if loss == "rsgan":
        return F.softplus(r - f).mean()
    if loss in ("rasgan", "ralsgan", "rahinge"):
        real, fake = r - f.mean(), f - r.mean()
        if loss == "rasgan":
            return 0.5 * (F.softplus(real).mean() + F.softplus(-fake).mean())
        if loss == "ralsgan":
            return 0.5 * ((real + 1).square().mean() + (fake - 1).square().mean())
        return 0.5 * (F.relu(1 + real).mean() + F.relu(1 - fake).mean())
    if loss == "hinge_margin":
        return F.relu(1 - f).mean()
    if loss == "fgan":
        g, conjugate = f_divergence(spec)
        return -(conjugate(g(f)) if spec["f"] == "reverse_kl" else g(f)).mean()
    if loss == "softmax":  # against the uniform one over all samples
        return torch.logsumexp(torch.cat([r, f]), 0).sum() - torch.cat([r, f]).mean()
    if loss == "minimax":  # +E log(1 - s(f))
        return -F.binary_cross_entropy_with_logits(f, torch.zeros_like(f))
    if loss == "non_saturating":  # -E log s(f)
        return F.binary_cross_entropy_with_logits(f, torch.ones_like(f))
    if loss == "least_squares":
        return 0.5 * (f - spec["c"]).square().mean()
    if loss == "saddle":
        return -discriminator_loss(spec, r, f)
    return -f.mean()  # wasserstein, hinge


def sliced_wasserstein(features_real, features_fake, directions, margin):
    """Deshpande 2018: line by line, both sides in order."""
    total = 0.0
    for u in directions.T:
        x, y = (features_real @ u).sort().values, (features_fake @ u).sort().values
        for line in (x, y):  # which sample is matched with which
            margin.see((line[1:] - line[:-1]) / line.abs().max())
        total = total + (x - y).square().mean()
    return total / directions.shape[1]


def penalty_points(spec, real, fake, drawn):
    if spec["sampled_at"] == "line":
        return drawn["eps"] * real + (1 - drawn["eps"]) * fake
    alpha = drawn["alpha"].view(-1, *[1] * (real.dim() - 1))
    points = real + alpha * 0.5 * real.std(unbiased=False) * drawn["noise"]
    return points.clamp(-1, 1) if spec["sampled_at"] == "dragan_two_sided" else points


def gradient_norms(d, points):
    """Per-sample L2 norm [B] of dD/dx, differentiable, without an eps under the root; of pixels' logits their mean's."""
    points = points.detach().requires_grad_(True)
    says = d(points)
    whole = sum(logits.flatten(1).mean(1) for logits in says) if isinstance(says, tuple) else says
    gradient, = torch.autograd.grad(whole.sum(), points, create_graph=True)
    return gradient.flatten(1).square().sum(1).sqrt()


def after_adam_steps(spec, d, optimizer, real, fake):
    """D's parameters after more steps of Adam as its paper writes them, each on the graph of the one before (Metz 2017)."""
    names, parameters = zip(*d.named_parameters())
    state = [optimizer.state[parameter] for parameter in parameters]
    m, v = [s["exp_avg"].clone() for s in state], [s["exp_avg_sq"].clone() for s in state]
    now = [parameter.detach().requires_grad_(True) for parameter in parameters]
    for k in range(spec["unroll"]):
        step = state[0]["step"].item() + k + 1
        weights = dict(zip(names, now))
        loss = discriminator_loss(spec, torch.func.functional_call(d, weights, real),
                                  torch.func.functional_call(d, weights, fake))
        gradients = torch.autograd.grad(loss, now, create_graph=True)
        m = [spec["beta1"] * a + (1 - spec["beta1"]) * b for a, b in zip(m, gradients)]
        v = [spec["beta2"] * a + (1 - spec["beta2"]) * b * b for a, b in zip(v, gradients)]
        m_hat = [a / (1 - spec["beta1"] ** step) for a in m]
        v_hat = [a / (1 - spec["beta2"] ** step) for a in v]
        now = [w - spec["lr"] * a / (b.sqrt() + spec["eps"]) for w, a, b in zip(now, m_hat, v_hat)]
    return dict(zip(names, now))


def consensus_step(spec, g, d, real, z, opt_d, opt_g):
    """Both losses, and both networks moved by their gradients plus gamma times that of |v|^2 / 2 (Mescheder 2017)."""
    fake = g(z)
    r, f = d(real), d(fake)
    loss_d, loss_g = discriminator_loss(spec, r, f), generator_loss(spec, r, f)
    w_d, w_g = dict(d.named_parameters()), dict(g.named_parameters())
    v_d = torch.autograd.grad(loss_d, list(w_d.values()), create_graph=True)
    v_g = torch.autograd.grad(loss_g, list(w_g.values()), create_graph=True)
    energy = 0.5 * sum(v.square().sum() for v in (*v_d, *v_g))
    pull = torch.autograd.grad(energy, [*w_d.values(), *w_g.values()], allow_unused=True)
    for parameter, own, other in zip([*w_d.values(), *w_g.values()], [*v_d, *v_g], pull):
        parameter.grad = own.detach() + (0 if other is None else spec["gamma"] * other)
    gradients = [{name: w.grad.clone() for name, w in weights.items()} for weights in (w_d, w_g)]
    opt_d.step(), opt_g.step()
    return loss_d.detach(), loss_g.detach(), *gradients


def make_optimizer(spec, net, lr):
    if spec["optimizer"] == "adam":
        return torch.optim.Adam(net.parameters(), lr, betas=(spec["beta1"], spec["beta2"]), eps=spec["eps"])
    return torch.optim.RMSprop(net.parameters(), lr, alpha=spec["alpha"], eps=spec["eps"])


def apply_gradient(net, loss, optimizer):
    names, parameters = zip(*net.named_parameters())
    # Every parameter reaches the loss; autograd.grad raises if one does not.
    gradients = torch.autograd.grad(loss, parameters)
    for parameter, gradient in zip(parameters, gradients):
        parameter.grad = gradient
    optimizer.step()
    return {name: gradient.clone() for name, gradient in zip(names, gradients)}


def state(prefix, net):
    return {f"{prefix}.{key}": value.detach().clone() for key, value in net.state_dict().items()}


def trajectory(spec, build, seed, nudge=0.0):
    """All tensors of one golden file, and whether this seed is fit to be one."""
    rng = torch.Generator().manual_seed(seed)
    g, d, shape = build(spec)
    initialise(g, 1.2, rng)
    initialise(d, 1.6, rng)
    if "spectral_norm" in spec:
        normalise([d, g] if spec["spectral_norm"] == "both" else [d], seed)
    out = {**state("g", g), **state("d", d)}
    if nudge:
        other = torch.Generator().manual_seed(1)
        for parameter in [*g.parameters(), *d.parameters()]:
            parameter.data *= 1 + nudge * torch.randn(parameter.shape, generator=other)
    margin, telling = Margin(), Telling()
    margin.watch(g, d)
    g.train(), d.train()
    opt_g, opt_d = make_optimizer(spec, g, spec.get("lr_g", spec["lr"])), make_optimizer(spec, d, spec["lr"])
    multiplier = torch.zeros(())
    pack = lambda x: x.reshape(BATCH // spec["packing"], -1) if "packing" in spec else x

    for t in range(spec.get("iterations", ITERATIONS)):
        for optimizer in (opt_d, opt_g):
            for group in optimizer.param_groups:
                if "lr_decay" in spec:
                    group["lr"] = spec["lr"] * (1 - t / spec["lr_decay"])
        for s in range(spec["critic_steps"]):
            at, first = f"t{t}.s{s}", t == 0 and s == 0
            drawn = dict(real=torch.tanh(torch.randn(BATCH, *shape, generator=rng)),
                         z=torch.randn(BATCH, Z, generator=rng))
            if spec.get("sampled_at") == "line":
                drawn["eps"] = torch.rand(BATCH, *[1] * len(shape), generator=rng)
            if spec.get("sampled_at", "").startswith("dragan"):
                drawn["alpha"] = torch.rand(BATCH, generator=rng)
                if spec["sampled_at"] == "dragan_two_sided":
                    drawn["alpha"] = 2 * drawn["alpha"] - 1
                drawn["noise"] = torch.rand(BATCH, *shape, generator=rng)
            out.update({f"{at}.{name}": value for name, value in drawn.items()})

            with torch.no_grad():
                fake = g(drawn["z"])
            if "gamma" in spec:
                loss_d, loss_g, gradients_d, gradients_g = consensus_step(spec, g, d, drawn["real"], drawn["z"], opt_d, opt_g)
                out[f"{at}.loss_d"], out[f"t{t}.loss_g"] = loss_d, loss_g
                if first:
                    out["loss_d"], out["loss_g"], out["penalty"] = loss_d, loss_g, torch.zeros(())
                    out.update({f"grad.d.{name}": value for name, value in gradients_d.items()})
                    out.update({f"grad.g.{name}": value for name, value in gradients_g.items()})
                continue
            if "spectral_norm" in spec:  # one pass, so one power iteration per critic step
                r, f = d(torch.cat([drawn["real"], fake])).chunk(2)
            else:
                r = d(pack(drawn["real"]))
                f = d(pack(fake))
            loss = discriminator_loss(spec, r, f)
            if "rho" in spec:  # Mroueh & Sercu 2017: D maximises, the multiplier minimises l (1 - O) - rho / 2 (O - 1)^2
                left = 1 - (0.5 * r.square().mean() + 0.5 * f.square().mean())
                loss = loss - (multiplier * left - spec["rho"] / 2 * left.square())
                multiplier = multiplier - spec["rho"] * left.detach()
            penalty = torch.zeros(())
            if spec["loss"] in ("hinge", "hinge_margin"):
                margin.see(1 - r), margin.see(1 + f)
                if first and "spectral_norm" not in spec:  # whose logits are too small for the hinge's other side
                    telling.need_both_signs(1 - r), telling.need_both_signs(1 + f)
            if spec["loss"] == "rahinge":
                margin.see(1 - (r - f.mean())), margin.see(1 + (f - r.mean()))
            if spec.get("penalty") == "worst":
                squares = gradient_norms(d, penalty_points(spec, drawn["real"], fake, drawn)).square()
                first_two = squares.detach().topk(2).values
                margin.see(1 - first_two[1:] / first_two[:1])  # which sample is the worst
                penalty = spec["weight"] * squares.max()
            elif "penalty" in spec:
                excess = gradient_norms(d, penalty_points(spec, drawn["real"], fake, drawn)) - spec["k"]
                if first:
                    telling.need_both_signs(excess)
                if spec["penalty"] == "one_sided":
                    margin.see(excess)
                    excess = excess.clamp(min=0)
                penalty = spec["weight"] * excess.square().mean()
            for kind, where, weight in spec.get("penalties", []):
                norms = gradient_norms(d, drawn["real"] if where == "real" else fake)
                penalty = penalty + weight * (norms.square() if kind == "zero_centered" else norms ** spec["p"]).mean()
            total = loss + penalty
            gradients = apply_gradient(d, total, opt_d)
            if "clip" in spec:
                with torch.no_grad():
                    for parameter in d.parameters():
                        parameter.clamp_(-spec["clip"], spec["clip"])
            out[f"{at}.loss_d"] = total.detach()
            if first:
                out["loss_d"], out["penalty"] = total.detach(), penalty.detach()
                out.update({f"grad.d.{name}": value for name, value in gradients.items()})

        for k in range(spec.get("generator_steps", 0 if "gamma" in spec else 1)):
            at, first = (f"t{t}" if k == 0 else f"t{t}.g{k}"), t == 0 and k == 0
            z = torch.randn(spec.get("generator_batch", 1) * BATCH, Z, generator=rng)
            out[f"{at}.z_g"] = z
            fake = g(z)
            r = None
            if spec["loss"] in READS_REAL:
                with torch.no_grad():
                    r = d(drawn["real"])
            if "unroll" in spec:
                moved = after_adam_steps(spec, d, opt_d, drawn["real"], fake)
                r = torch.func.functional_call(d, moved, drawn["real"])
                f = torch.func.functional_call(d, moved, fake)
            elif spec["loss"] != "sliced":  # which judges both sides below, once each
                f = d(pack(fake))
            if spec["loss"] == "hinge_margin":
                margin.see(1 - f)
            if spec["loss"] == "rahinge":
                margin.see(1 + (r - f.mean())), margin.see(1 - (f - r.mean()))
            if spec["loss"] == "sliced":
                u = torch.randn(d[-1].in_features, spec["directions"], generator=rng)
                out[f"{at}.directions"] = u = u / u.norm(dim=0)
                with torch.no_grad():
                    features = d[:-1](drawn["real"])
                loss = sliced_wasserstein(features, d[:-1](fake), u, margin)
            else:
                loss = generator_loss(spec, r, f)
            gradients = apply_gradient(g, loss, opt_g)
            out[f"{at}.loss_g"] = loss.detach()
            if first:
                out["loss_g"] = loss.detach()
                out.update({f"grad.g.{name}": value for name, value in gradients.items()})

    out.update(state("final.g", g))
    out.update(state("final.d", d))
    return out, telling.enough and margin.smallest > MARGIN


def save_safetensors(path, tensors, metadata):
    """The format's layout with a fixed order (f64 and i64 are both 8-byte aligned, so: by name)."""
    names = {torch.float64: "F64", torch.int64: "I64"}
    header, blobs, offset = {"__metadata__": metadata}, [], 0
    for name in sorted(tensors):
        blob = tensors[name].contiguous().numpy().astype(tensors[name].numpy().dtype.newbyteorder("<")).tobytes()
        header[name] = dict(dtype=names[tensors[name].dtype], shape=list(tensors[name].shape),
                            data_offsets=[offset, offset + len(blob)])
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def first_fit(trajectory, spec, build, what, most=None):
    """The first seed whose draw is fit, and its tensors; an end where none of the first `most` is."""
    seed = 1
    while True:
        tensors, fit = trajectory(spec, build, seed)
        if fit:
            return seed, tensors
        seed += 1
        if most is not None and seed > most:
            raise SystemExit(f"{what}: no seed is fit")


def write_golden(out, objective, network, spec, seed, tensors):
    length = {} if "iterations" in spec else dict(iterations=str(ITERATIONS))
    metadata = dict(format="pt", objective=objective, network=network, seed=str(seed), torch=torch.__version__, batch=str(BATCH),
                    **length, **{key: str(value) for key, value in spec.items()})
    path = out / f"{objective}_{network}.safetensors"
    save_safetensors(path, tensors, metadata)
    print(f"{path.name:32s} {path.stat().st_size:7d} bytes  seed {seed}")


def exact_torch():
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


def print_sensitivity(name, spec, build, seed):
    base, _ = trajectory(spec, build, seed)
    nudged, _ = trajectory(spec, build, seed, nudge=1e-15)
    worst = {}
    for key, value in base.items():
        kind = next((kind for kind in ("final", "grad", "loss") if kind in key), "")
        if kind and value.dtype == torch.float64:
            worst[kind] = max(worst.get(kind, 0.0), (nudged[key] - value).abs().max().item())
    print(f"{name:22s} " + "  ".join(f"{kind} {value:.1e}" for kind, value in sorted(worst.items())))


def main():
    parser = argparse.ArgumentParser(description="Writes the golden trajectories beside this script.")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent)
    parser.add_argument("--sensitivity", action="store_true",
                        help="print, per file, the effect of a 1e-15 change; write nothing")
    parser.add_argument("--only", nargs="+", help="these objectives, by name")
    arguments = parser.parse_args()
    exact_torch()
    for objective, spec in OBJECTIVES.items():
        for network, build in (("mlp", mlp), ("dcgan", dcgan)):
            if network == "dcgan" and objective not in CONVOLUTIONAL:
                continue
            if arguments.only and objective not in arguments.only:
                continue
            seed, tensors = first_fit(trajectory, spec, build, objective)
            if arguments.sensitivity:
                print_sensitivity(f"{objective}_{network}", spec, build, seed)
                continue
            write_golden(arguments.out, objective, network, spec, seed, tensors)


if __name__ == "__main__":
    main()
