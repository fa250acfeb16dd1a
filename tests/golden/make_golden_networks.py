#!/usr/bin/env python3
"""Golden trajectories of the networks beyond mlp and dcgan: two iterations each, under the objective that they are known for.

    /tmp/venv/bin/python tests/golden/make_golden_networks.py      # rewrites OBJECTIVE_NETWORK.safetensors of the table below

As make_golden.py and make_golden_conditional.py, whose trajectories these are, of the networks of tests/peers/torch_field.py, 3
channels wide, for images of 16x16 and noise of 5.
"""
import argparse
import pathlib

import make_golden
import make_golden_conditional
from make_golden import Z, exact_torch, first_fit, write_golden
from make_golden_conditional import Critic
from torch_field import Sizes, biggan, r3gan, resnet, sagan, stylegan2, unet

SIZES = Sizes(g=3, d=3, z=Z, side=16, draws=False, by_groups=True)


def sized(make):
    return lambda *_: (*make(SIZES), (1, SIZES.side, SIZES.side))


def biggan_and_critic(spec, _):
    g, trunk, features = biggan(SIZES)
    return g, Critic(spec["critic"], trunk, features, True), (1, SIZES.side, SIZES.side)


OBJECTIVES = make_golden.OBJECTIVES | make_golden_conditional.OBJECTIVES
FILES = [  # objective, network, builder, trajectory
    ("wgan-gp", "resnet", sized(resnet), make_golden.trajectory),
    ("hinge", "sagan", sized(sagan), make_golden.trajectory),
    ("projection", "biggan", biggan_and_critic, make_golden_conditional.trajectory),
    ("r1", "stylegan2", sized(stylegan2), make_golden.trajectory),
    ("r3gan", "r3gan", sized(r3gan), make_golden.trajectory),
    ("r1", "unet", sized(unet), make_golden.trajectory),
]
NORMALISED = ("sagan", "biggan")  # both networks under spectral norm


def main():
    parser = argparse.ArgumentParser(description="Writes the golden trajectories beside this script.")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent)
    arguments = parser.parse_args()
    exact_torch()
    for objective, network, build, trajectory in FILES:
        spec = OBJECTIVES[objective] | dict(iterations=2) | (dict(spectral_norm="both") if network in NORMALISED else {})
        seed, tensors = first_fit(trajectory, spec, build, f"{objective} {network}", most=500)
        write_golden(arguments.out, objective, network, spec, seed, tensors)


if __name__ == "__main__":
    main()
