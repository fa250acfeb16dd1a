#!/usr/bin/env python3
"""Golden trajectories of the networks beyond mlp and dcgan: two iterations each, under the objective that they are known for.

    /tmp/venv/bin/python tests/golden/make_golden_networks.py      # rewrites OBJECTIVE_NETWORK.safetensors of the table below

As make_golden.py and make_golden_conditional.py, whose trajectories these are, of the networks of tests/peers/torch_field.py, 3
channels wide, for images of 16x16 and noise of 5.
"""
import argparse
import pathlib

import torch

import make_golden
import make_golden_conditional
from make_golden import BATCH, Z, save_safetensors
from make_golden_conditional import Critic
from torch_field import Sizes, biggan, r3gan, resnet, sagan, stylegan2

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
