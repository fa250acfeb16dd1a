#!/usr/bin/env python3
"""Duel's measured workloads in PyTorch: what `duel bench step` times, with the same networks, losses and Adam.

usage: torch_gan.py [--arch mlp dcgan resnet sagan stylegan2 r3gan] [--objective ns-gan wgan-gp …] [--batch 64 …] [--mode eager graph compile] [--tuned off on]
                    [--tf32 on off] [--channels-last off on] [--device cpu|cuda] [--threads N] [--seconds 1 | --iterations N]

Every combination of the lists is timed in this one process, after at least half a second of warm-up, and printed as one line of
JSON when it is known; one that PyTorch refuses is a line with "error". An iteration is the objective's steps of D (five
under wgan*) and one of G. Tuned is what an expert would write: D frozen while G learns; real and fake in one pass of D where
D has no batch norm. Needs `pip install torch`.
"""
import argparse
import itertools
import json
import math
import statistics
import time

try:
    import torch
except ImportError as missing:
    raise SystemExit(f"torch_gan.py: {missing}; pip install torch, or name an interpreter that has it")
from torch import nn
from torch.nn import functional as F

from torch_field import Sizes, normalise, r3gan, resnet, sagan, stylegan2

CLIP = 0.01


def mlp(penalized):
    leaky = lambda: nn.LeakyReLU(0.2)
    g = nn.Sequential(nn.Linear(100, 256), leaky(), nn.Linear(256, 512), leaky(), nn.Linear(512, 784), nn.Tanh())
    d = nn.Sequential(nn.Linear(784, 512), leaky(), nn.Linear(512, 256), leaky(), nn.Linear(256, 1))
    return g, d, (784,)


def dcgan(penalized):
    norm = [] if penalized else [nn.BatchNorm2d(128)]  # a penalty is for each sample alone
    g = nn.Sequential(nn.Linear(100, 256 * 49), nn.Unflatten(1, (256, 7, 7)), nn.BatchNorm2d(256), nn.ReLU(),
                      nn.ConvTranspose2d(256, 128, 4, 2, 1), nn.BatchNorm2d(128), nn.ReLU(),
                      nn.ConvTranspose2d(128, 1, 4, 2, 1), nn.Tanh())
    d = nn.Sequential(nn.Conv2d(1, 64, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(64, 128, 4, 2, 1), *norm, nn.LeakyReLU(0.2),
                      nn.Flatten(), nn.Linear(128 * 49, 1))
    return g, d, (1, 28, 28)


def field(make, sizes, spectral_norm=False):
    def build(_):
        nets = make(sizes)
        if spectral_norm:
            normalise(nets, 1)
        return *nets, (1, 28, 28)
    return build


NETWORKS = {  # with the size of z; widths as Duel's rows have them
    "mlp": (mlp, 100),
    "dcgan": (dcgan, 100),
    "resnet": (field(resnet, Sizes(g=32, d=32, z=128)), 128),
    "sagan": (field(sagan, Sizes(g=64, d=64, z=128), spectral_norm=True), 128),
    "stylegan2": (field(stylegan2, Sizes(g=32, d=16, z=64)), 64),
    "r3gan": (field(r3gan, Sizes(g=32, d=32, z=64)), 64),
}

LOSSES = {  # of D from the logits of both sides, of G from those of its samples
    "ns-gan": (lambda r, f: F.softplus(-r).mean() + F.softplus(f).mean(), lambda f: F.softplus(-f).mean()),
    "lsgan": (lambda r, f: ((r - 1) ** 2 + f ** 2).mean() / 2, lambda f: ((f - 1) ** 2).mean() / 2),
    "hinge": (lambda r, f: F.relu(1 - r).mean() + F.relu(1 + f).mean(), lambda f: -f.mean()),
    "wgan": (lambda r, f: f.mean() - r.mean(), lambda f: -f.mean()),
    "wgan-gp": (lambda r, f: f.mean() - r.mean(), lambda f: -f.mean()),
}


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def measured(run, wait, seconds=1.0, iterations=0, warm=3, stretches=5):
    """Milliseconds per call of `run`: median and least of some stretches, and the process's CPU time, after half a second and
    a few calls. `seconds` at least are measured, or about `iterations` calls."""
    began, calls = time.perf_counter(), 0
    while calls < warm or time.perf_counter() - began < 0.5:
        run()
        wait()
        calls += 1
    each = (time.perf_counter() - began) / calls
    together = max(1, iterations // stretches if iterations else math.ceil(seconds / stretches / each))
    times, cpu = [], time.process_time()
    for _ in range(stretches):
        start = time.perf_counter()
        for _ in range(together):
            run()
        wait()
        times.append(1e3 * (time.perf_counter() - start) / together)
    calls = stretches * together
    return {"ms_median": statistics.median(times), "ms_min": min(times), "ms_cpu": 1e3 * (time.process_time() - cpu) / calls,
            "iterations": calls}


class Training:
    def __init__(self, device, arch, objective, batch, mode, tuned, channels_last=False):
        torch.manual_seed(0)
        self.batch, self.tuned, self.device, self.objective = batch, tuned, device, objective
        self.penalized = objective == "wgan-gp"
        self.critic_steps = 5 if objective.startswith("wgan") else 1
        build, self.latent = NETWORKS[arch]
        self.g, self.d, self.shape = build(self.penalized)
        for net in (self.g, self.d):
            net.to(device=device, memory_format=torch.channels_last if channels_last else torch.contiguous_format)
        self.one_pass = tuned and not any(isinstance(m, nn.BatchNorm2d) for m in self.d.modules())
        on_gpu = {"fused": True, "capturable": mode == "graph"} if device == "cuda" else {}
        self.adam_g, self.adam_d = (torch.optim.Adam(net.parameters(), 2e-4, betas=(0.5, 0.999), **on_gpu) for net in (self.g, self.d))
        self.counts = {"parameters_g": parameters(self.g), "parameters_d": parameters(self.d)}
        if mode == "compile":
            self.g, self.d = (torch.compile(net, mode="max-autotune") for net in (self.g, self.d))
        self.real = torch.rand(batch, *self.shape, device=device) * 2 - 1
        self.loss_d, self.loss_g = LOSSES[objective]

    def noise(self):
        return torch.randn(self.batch, self.latent, device=self.device)

    def penalty(self, fake):
        e = torch.rand(self.batch, *[1] * len(self.shape), device=self.device)
        points = (e * self.real + (1 - e) * fake).requires_grad_()
        gradient, = torch.autograd.grad(self.d(points).sum(), points, create_graph=True)
        return 10 * (gradient.flatten(1).norm(dim=1) - 1).square().mean()

    def step_d(self):
        self.adam_d.zero_grad()
        with torch.no_grad():
            fake = self.g(self.noise())
        logits = self.d(torch.cat([self.real, fake])).chunk(2) if self.one_pass else (self.d(self.real), self.d(fake))
        loss = self.loss_d(*logits)
        if self.penalized:
            loss = loss + self.penalty(fake)
        loss.backward()
        self.adam_d.step()
        if self.objective == "wgan":
            with torch.no_grad():
                for p in self.d.parameters():
                    p.clamp_(-CLIP, CLIP)

    def step_g(self):
        self.adam_g.zero_grad()
        if self.tuned:
            self.d.requires_grad_(False)
        self.loss_g(self.d(self.g(self.noise()))).backward()
        self.adam_g.step()
        if self.tuned:
            self.d.requires_grad_(True)

    def iteration(self):
        for _ in range(self.critic_steps):
            self.step_d()
        self.step_g()

    def captured(self):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.iteration()
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.iteration()
        return self.graph.replay


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    switch = ["off", "on"]
    parser.add_argument("--arch", nargs="+", default=["dcgan"], choices=list(NETWORKS))
    parser.add_argument("--objective", nargs="+", default=["ns-gan"], choices=list(LOSSES))
    parser.add_argument("--batch", nargs="+", type=int, default=[64])
    parser.add_argument("--mode", nargs="+", default=["eager"], choices=["eager", "graph", "compile"])
    parser.add_argument("--tuned", nargs="+", default=["off"], choices=switch)
    parser.add_argument("--tf32", nargs="+", default=["on"], choices=switch)
    parser.add_argument("--channels-last", nargs="+", default=["off"], choices=switch)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--iterations", type=int, default=0)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    wait = torch.cuda.synchronize if args.device == "cuda" else lambda: None
    for mode, tuned, last, tf32, batch, arch, objective in itertools.product(args.mode, args.tuned, args.channels_last, args.tf32,
                                                                             args.batch, args.arch, args.objective):
        if last == "on" and arch == "mlp":
            continue
        row = {"peer": "torch " + torch.__version__, "device": args.device, "arch": arch, "objective": objective, "batch": batch,
               "mode": mode, "tuned": tuned == "on", "channels_last": last == "on", "tf32": tf32 == "on",
               "threads": torch.get_num_threads()}
        try:
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32 == "on"
            torch.backends.cudnn.benchmark = True
            training = Training(args.device, arch, objective, batch, mode, tuned == "on", last == "on")
            run = training.captured() if mode == "graph" else training.iteration
            row.update(training.counts, critic_steps=training.critic_steps, **measured(run, wait, args.seconds, args.iterations))
        except Exception as error:  # a mode that PyTorch refuses is a row, not the end
            row["error"] = f"{type(error).__name__}: {error}"[:300]
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
