#!/usr/bin/env python3
"""Files of images as NumPy and Pillow write them, and what Pillow reads back of the pictures.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install numpy pillow
    /tmp/venv/bin/python tests/golden/make_golden_images.py      # rewrites tests/golden/images/

Images are 16x16 (pictures) or 6x5 (arrays), of formulas that tests/gan/data/data_files_test.cpp repeats. Pixels of a JPEG may differ by
a little from one decoder to another; those of a PNG may not.
"""
import pathlib

import numpy as np
from PIL import Image

OUT = pathlib.Path(__file__).resolve().parent / "images"


def main():
    OUT.mkdir(exist_ok=True)
    n, h, w, c = np.meshgrid(range(4), range(6), range(5), range(3), indexing="ij")
    images = ((n * 60 + h * 7 + w * 11 + c * 50) % 256).astype(np.uint8)  # [4, 6, 5, 3]
    labels = np.array([3, 0, 7, 3])
    np.savez(OUT / "stored.npz", images=images, labels=labels)
    np.savez_compressed(OUT / "deflated.npz", x_train=images[:3].astype(np.float32) / 255, y_train=labels[:3].reshape(-1, 1).astype(np.uint8),
                        x_test=images[3:].astype(np.float32) / 255, y_test=labels[3:].astype(np.int32))
    np.savez(OUT / "guided.npz", images, labels * 100)
    np.save(OUT / "signed.npy", (np.moveaxis(images, 3, 1) / 127.5 - 1).astype(np.float64))
    y, x = np.mgrid[0:16, 0:16]
    colour = np.stack([x * 16, y * 16, 255 - (x + y) * 8], axis=-1).clip(0, 255).astype(np.uint8)
    gray = ((x * 3 + y * 12) % 256).astype(np.uint8)
    picture = Image.fromarray(colour)
    picture.save(OUT / "colour.jpg", quality=95, subsampling=0)
    picture.save(OUT / "progressive.jpg", quality=95, subsampling=0, progressive=True)
    Image.fromarray(gray).save(OUT / "gray.jpg", quality=95)
    picture.quantize(16).save(OUT / "palette.png")
    for name in ("colour.jpg", "progressive.jpg", "gray.jpg", "palette.png"):
        read = Image.open(OUT / name)
        pixels = np.asarray(read.convert("L" if read.mode == "L" else "RGB"))
        np.save(OUT / (name + ".npy"), pixels[None])


if __name__ == "__main__":
    main()
