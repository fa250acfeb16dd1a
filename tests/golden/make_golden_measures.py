#!/usr/bin/env python3
"""Golden values of the measures that compare two sets of samples (gan/judge/), by NumPy alone.

    python3 tests/golden/make_golden_measures.py      # rewrites measures.safetensors beside this script

Formulas as torchmetrics and clean-fid have them, written out; where Duel takes a shorter way (a jackknife from row sums,
singular values for a matrix root) this script takes the long one.
"""
import json
import pathlib
import struct

import numpy as np


def save_safetensors(path, arrays, metadata):
    names = {np.dtype(np.float64): "F64", np.dtype(np.int64): "I64"}
    header, data = {"__metadata__": metadata}, b""
    for name, array in arrays.items():
        array = np.ascontiguousarray(array)
        header[name] = dict(dtype=names[array.dtype], shape=list(array.shape), data_offsets=[len(data), len(data) + array.nbytes])
        data += array.tobytes()
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def matrix_root(c):
    values, vectors = np.linalg.eigh(c)
    return vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T


def frechet(a, b):
    """Trace of the root by singular values of the centred samples: no covariance, no eigenvalue."""
    x, y = (a - a.mean(0)) / np.sqrt(len(a) - 1), (b - b.mean(0)) / np.sqrt(len(b) - 1)
    cross = np.linalg.svd(x @ y.T, compute_uv=False).sum()
    value = ((a.mean(0) - b.mean(0)) ** 2).sum() + (x * x).sum() + (y * y).sum() - 2 * cross
    c1, c2 = np.cov(a, rowvar=False), np.cov(b, rowvar=False)  # and by the formula as written
    root = matrix_root(c1)
    other = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(c1 + c2) - 2 * np.trace(matrix_root(root @ c2 @ root))
    assert abs(value - other) < 1e-6 * value, (value, other)
    return value


def kernel(a, b):
    return (a @ b.T / a.shape[1] + 1) ** 3


def mmd2(a, b):
    n, m, kx, ky = len(a), len(b), kernel(a, a), kernel(b, b)
    return (kx.sum() - np.trace(kx)) / (n * (n - 1)) + (ky.sum() - np.trace(ky)) / (m * (m - 1)) - 2 * kernel(a, b).mean()


def mmd2_error(a, b):
    """Delete-one jackknife of both sets, each value computed anew."""
    variance = 0
    for values in ([mmd2(np.delete(a, i, 0), b) for i in range(len(a))], [mmd2(a, np.delete(b, j, 0)) for j in range(len(b))]):
        values = np.array(values)
        variance += (len(values) - 1) / len(values) * ((values - values.mean()) ** 2).sum()
    return np.sqrt(variance)


def mmd2_clean_fid(x, y):
    """One subset of clean-fid's kernel_distance."""
    m, n = len(x), x.shape[1]
    a = (x @ x.T / n + 1) ** 3 + (y @ y.T / n + 1) ** 3
    return ((a.sum() - np.diag(a).sum()) / (m - 1) - kernel(x, y).sum() * 2 / m) / m


def distances(a, b):
    return np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))


def prdc(real, fake, k):
    radii = np.sort(distances(real, real), 1)[:, k][:, None]
    fake_radii = np.sort(distances(fake, fake), 1)[:, k][None]
    d = distances(real, fake)
    return [(d <= radii).any(0).mean(), (d <= fake_radii).any(1).mean(), (d <= radii).sum(0).mean() / k, (d.min(1)[:, None] <= radii).mean()]


def filtered(image, window):
    size, out = len(window), np.zeros((image.shape[0] - len(window) + 1, image.shape[1] - len(window) + 1))
    for i in range(size):
        for j in range(size):
            out += window[i] * window[j] * image[i:i + out.shape[0], j:j + out.shape[1]]
    return out


def ms_ssim(x, y, value_range=2.0, size=7, sigma=1.5, weights=(0.0448, 0.2856, 0.3001)):
    place = np.arange(size) - (size - 1) / 2
    window = np.exp(-place ** 2 / (2 * sigma ** 2))
    window /= window.sum()
    c1, c2, result = (0.01 * value_range) ** 2, (0.03 * value_range) ** 2, 1.0
    for scale, weight in enumerate(np.array(weights) / np.sum(weights)):
        if scale:
            x, y = (v.reshape(v.shape[0] // 2, 2, v.shape[1] // 2, 2).mean((1, 3)) for v in (x, y))
        mx, my = filtered(x, window), filtered(y, window)
        vx, vy, xy = filtered(x * x, window) - mx ** 2, filtered(y * y, window) - my ** 2, filtered(x * y, window) - mx * my
        part = (2 * xy + c2) / (vx + vy + c2)
        if scale == len(weights) - 1:
            part = part * (2 * mx * my + c1) / (mx ** 2 + my ** 2 + c1)
        result *= max(part.mean(), 0) ** weight
    return result


def blobs(rng, count):
    """Smooth pictures in [-1, 1], a few strokes each."""
    y, x = np.mgrid[0:28, 0:28]
    out = []
    for _ in range(count):
        image = np.zeros((28, 28))
        for _ in range(3):
            cy, cx, sy, sx = *rng.uniform(8, 20, 2), *rng.uniform(1.5, 5, 2)
            image = np.maximum(image, np.exp(-((y - cy) / sy) ** 2 - ((x - cx) / sx) ** 2))
        out.append(2 * image - 1)
    return np.array(out)


def main():
    rng, out = np.random.default_rng(20), {}
    mix = rng.normal(size=(6, 6))
    a, b = np.maximum(rng.normal(size=(60, 6)) @ mix, 0), np.maximum(rng.normal(size=(50, 6)) @ (mix + 0.2 * rng.normal(size=(6, 6))) + 0.2, 0)
    few, fewer = rng.normal(size=(7, 12)), rng.normal(size=(5, 12)) + 0.5  # fewer samples than dimensions
    out.update({"a": a, "b": b, "few": few, "fewer": fewer})
    out["fd"], out["fd.few"] = np.array(frechet(a, b)), np.array(frechet(few, fewer))
    out["kid"], out["kid.error"] = np.array(mmd2(a, b)), np.array(mmd2_error(a, b))
    first, second = rng.permutation(60)[:20], rng.permutation(50)[:20]
    out["kid.first"], out["kid.second"] = first, second
    out["kid.subset"] = np.array(mmd2_clean_fid(a[first], b[second]))
    for k in (3, 5):
        out[f"prdc.{k}"] = np.array(prdc(a, b, k))
    images = blobs(rng, 8)
    out["images"] = images.astype(np.float32).astype(np.float64).reshape(8, 1, 28, 28)
    out["ms_ssim"] = np.array([ms_ssim(*out["images"][[i, i + 4], 0]) for i in range(4)])
    p, q = np.array([30, 0, 12, 8]) / 50, np.array([20, 10, 15, 15]) / 60
    out["class_kl"] = np.array([(p[p > 0] * np.log(p[p > 0] / r[p > 0])).sum() for r in (q, np.full(4, 0.25))])
    out["class_tv"] = np.array(np.abs(p - q).sum() / 2)
    path = pathlib.Path(__file__).with_name("measures.safetensors")
    save_safetensors(path, out, {"numpy": np.__version__, "made by": "make_golden_measures.py"})
    for name, value in out.items():
        if value.size <= 4:
            print(name, value)
    print(path.name, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
