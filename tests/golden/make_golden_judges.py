#!/usr/bin/env python3
"""What PyTorch reads with the weights of gan/judge/weights/: logits and features of eight images, in f64.

    /tmp/venv/bin/python tests/golden/make_golden_judges.py      # rewrites judges.safetensors beside this script

To be run whenever a judge is added; tested by tests/gan/judge/judge_test.cpp. The images are strokes of random lines, blank
paper and noise, so that every layer has something to say and no feature rests on pixels of a data set.
"""
import json
import pathlib
import struct

import torch
import torch.nn.functional as F

from make_golden import save_safetensors

HERE = pathlib.Path(__file__).parent
WEIGHTS = HERE.parent.parent / "gan" / "judge" / "weights"
STRIDES = {"conv1": 1, "conv2": 2, "conv3": 2, "conv4": 2}


def read_safetensors(path):
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        assert entry["dtype"] == "F32", name
        begin, end = (8 + length + at for at in entry["data_offsets"])
        tensors[name] = torch.frombuffer(bytearray(raw[begin:end]), dtype=torch.float32).reshape(entry["shape"]).double()
    return tensors


def strokes(rng):
    """Three lines with soft edges, 0 to 1."""
    y, x = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    image = torch.zeros(28, 28)
    for _ in range(3):
        (ay, ax), (by, bx) = 4 + 20 * torch.rand(2, 2, generator=rng)
        dy, dx = by - ay, bx - ax
        along = (((y - ay) * dy + (x - ax) * dx) / (dy * dy + dx * dx)).clamp(0, 1)
        distance = ((y - ay - along * dy) ** 2 + (x - ax - along * dx) ** 2).sqrt()
        image = torch.maximum(image, (2.2 - distance).clamp(0, 1))
    return image


def images():
    rng = torch.Generator().manual_seed(1)
    all_images = [strokes(rng) for _ in range(6)] + [torch.zeros(28, 28), torch.rand(28, 28, generator=rng)]
    return (2 * torch.stack(all_images).unsqueeze(1) - 1).double()  # pixels are f32 numbers


def read(weights, x):
    x = (x + 1) / 2
    for name, stride in STRIDES.items():
        x = F.relu(F.conv2d(x, weights[name + ".weight"], weights[name + ".bias"], stride=stride, padding=1))
    features = x.mean((2, 3))
    return features, features @ weights["fc.weight"].T + weights["fc.bias"]


def main():
    torch.set_num_threads(1)
    x = images()
    tensors = {"images": x}
    for path in sorted(WEIGHTS.glob("*.safetensors")):
        features, logits = read(read_safetensors(path), x)
        assert (features > 0).double().mean() > 0.1 and logits.abs().max() > 1, path
        tensors[path.stem + ".features"], tensors[path.stem + ".logits"] = features, logits
    save_safetensors(HERE / "judges.safetensors", tensors, {"torch": torch.__version__})


if __name__ == "__main__":
    main()
