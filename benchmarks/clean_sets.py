"""Labelled pictures drawn for the trials of `check`: clean ones, in which nothing but the content tells the class.

Colours, light, sizes and places are drawn alike for every class, and no two pictures come from the same draw. Each
set has its own size, depth, file format and way of naming its files.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, ImageDraw

JPEG_QUALITY = 92


@dataclass(frozen=True)
class Drawn:
    """One kind of set: `draw(random, label, side)` gives a picture, uint8 or uint16, (H, W) or (H, W, 3)."""

    draw: Callable[[np.random.Generator, int, int], np.ndarray]
    classes: tuple[str, ...]
    each: int  # pictures of a class
    sides: tuple[int, int]  # least and most pixels
    suffix: str
    name: str  # "count", "hex" or "camera": how the files are named


def write_set(name: str, folder: Path, seed: int) -> None:
    """The pictures of SETS[name] under folder/<class>/."""
    made = SETS[name]
    random = np.random.default_rng([seed, sum(name.encode())])
    order = [label for label in range(len(made.classes)) for _ in range(made.each)]
    names = file_names(random, made.name, len(order))
    random.shuffle(order)
    for label, stem in zip(order, names, strict=True):
        side = int(random.integers(made.sides[0], made.sides[1] + 1))
        save(folder / made.classes[label] / f"{stem}{made.suffix}", made.draw(random, label, side))


def file_names(random: np.random.Generator, kind: str, count: int) -> Iterator[str]:
    """Names that say nothing: numbers in a row, hexadecimal, or a camera's dates."""
    minute = 0
    for number in range(1, count + 1):
        minute += int(random.integers(1, 90))
        day, hour = 1 + minute // 600 % 28, 8 + minute // 60 % 10
        yield {
            "count": f"img_{number:05}",
            "hex": random.bytes(6).hex(),
            "camera": f"IMG_202406{day:02}_{hour:02}{minute % 60:02}{random.integers(60):02}_{number:03}",
        }[kind]


def save(path: Path, picture: np.ndarray, quality: int = JPEG_QUALITY) -> None:
    """As the file type that the name asks for; TIFF without compression."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".tif", ".tiff"):
        tifffile.imwrite(path, picture, photometric="rgb" if picture.ndim == 3 else "minisblack")
    else:
        options = {"quality": quality} if path.suffix in (".jpg", ".jpeg") else {}
        Image.fromarray(picture).save(path, **options)


def load(path: Path) -> np.ndarray:
    if path.suffix in (".tif", ".tiff"):
        return tifffile.imread(path)
    with Image.open(path) as picture:
        return np.asarray(picture if picture.mode in ("L", "RGB", "I;16") else picture.convert("RGB"))


def soft(random: np.random.Generator, side: int, cells: int) -> np.ndarray:
    """Smooth noise (side, side) of mean 0 and deviation 1, with about `cells` hills to a side."""
    coarse = Image.fromarray(random.normal(size=(cells, cells)).astype(np.float32))
    values = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))
    return (values - values.mean()) / (values.std() + 1e-6)


def tinted(random: np.random.Generator, share: np.ndarray, noise: float) -> np.ndarray:
    """A picture between two random colours, far enough apart to be seen: share (H, W) is how much of the second."""
    first, second = random.uniform(20, 235, (2, 3))
    while np.abs(first - second).sum() < 150:
        second = random.uniform(20, 235, 3)
    return whole(first + share[..., None] * (second - first) + random.normal(0, noise, (*share.shape, 3)))


def whole(values: np.ndarray, most: int = 255) -> np.ndarray:
    return np.clip(np.rint(values), 0, most).astype(np.uint8 if most == 255 else np.uint16)


def mesh(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns, from -1 to 1."""
    y, x = np.mgrid[:side, :side] / max(side - 1, 1) * 2 - 1
    return y, x


def turned(y: np.ndarray, x: np.ndarray, turn: float) -> tuple[np.ndarray, np.ndarray]:
    """How far points lie along a direction and across it; turn in radians."""
    return x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)


def texture(random: np.random.Generator, label: int, side: int) -> np.ndarray:
    """Stripes, checks, dots or clouds, of random period, turn and colours."""
    turn, waves = random.uniform(0, math.pi), random.uniform(4, 9)
    y, x = mesh(side)
    bend = 0.06 * soft(random, side, 4)
    along, across = (math.pi * waves * (way + bend) + random.uniform(0, 6) for way in turned(y, x, turn))
    share = (
        np.sin(along),
        np.sign(np.sin(along) * np.sin(across)) * 0.7,
        2.2 * (np.sin(along) * np.sin(across)) ** 4 - 0.5,
        0.7 * soft(random, side, int(waves) + 3),
    )[label]
    return tinted(random, 0.5 + 0.5 * share, 8)


def shape(random: np.random.Generator, label: int, side: int) -> np.ndarray:
    """One disc, square, triangle or star on plain ground."""
    large, reach = 4 * side, random.uniform(0.14, 0.34) * 4 * side
    x, y = random.uniform(reach, large - reach, 2)
    scene = Image.new("L", (large, large))
    brush = ImageDraw.Draw(scene)
    turn, corners = random.uniform(0, 2 * math.pi), (60, 4, 3, 10)[label]
    reaches = [reach * (0.45 if label == 3 and corner % 2 else 1) for corner in range(corners)]
    angles = [turn + 2 * math.pi * corner / corners for corner in range(corners)]
    brush.polygon([(x + r * math.cos(a), y + r * math.sin(a)) for r, a in zip(reaches, angles, strict=True)], fill=255)
    share = np.asarray(scene.resize((side, side), Image.Resampling.BOX), np.float32) / 255
    return tinted(random, share, 3)


def cell(random: np.random.Generator, label: int, side: int) -> np.ndarray:
    """A round cell with one, two or three lobes of the same area in all, under uneven light, with noise."""
    y, x = mesh(side)
    y0, x0 = random.normal(0, 0.08, 2)
    wobble = 0.06 * soft(random, side, 5)
    inside = np.hypot(y - y0, x - x0) + wobble < random.uniform(0.55, 0.75)
    lobes, turn, area = label + 1, random.uniform(0, 2 * math.pi), random.uniform(0.07, 0.1)
    reach, away = math.sqrt(area / lobes), 0 if lobes == 1 else random.uniform(0.27, 0.32)
    dark = np.zeros_like(inside)
    for lobe in range(lobes):
        angle = turn + 2 * math.pi * lobe / lobes
        dark |= np.hypot(y - y0 - away * math.sin(angle), x - x0 - away * math.cos(angle)) + wobble / 2 < reach
    light = random.uniform(160, 205) + random.uniform(3, 10) * soft(random, side, 3)
    values = light - random.uniform(25, 45) * inside - random.uniform(50, 75) * dark
    return whole(values + 6 * soft(random, side, side // 3) * inside + random.normal(0, 5, values.shape))


def gradient(random: np.random.Generator, label: int, side: int) -> np.ndarray:
    """Colours that change along a line, from a centre or as a saddle."""
    turn, (y0, x0) = random.uniform(0, 2 * math.pi), random.uniform(-0.5, 0.5, 2)
    y, x = mesh(side)
    along, across = turned(y - y0, x - x0, turn)
    share = (along / 1.5, np.hypot(along, across) * 1.4 - 1, along * across * 1.8)[label]
    return tinted(random, 0.5 + 0.5 * share + 0.08 * soft(random, side, 6), 4)


@cache
def _digits(random: np.random.Generator) -> dict[int, Iterator[np.ndarray]]:
    """The digits of every class in an order of this generator's own, so that a set holds each only once."""
    from sklearn.datasets import load_digits

    known = load_digits()
    return {label: iter(random.permutation(known.images[known.target == label])) for label in range(10)}


def digit(random: np.random.Generator, label: int, side: int) -> np.ndarray:
    """A handwritten digit of scikit-learn, enlarged; a stroke's strength varies."""
    picture = Image.fromarray((next(_digits(random)[label]) * random.uniform(11, 15)).astype(np.float32))
    return whole(np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC)))


def spots16(random: np.random.Generator, label: int, side: int) -> np.ndarray:
    """Round or long spots on dark ground, as a 12-bit camera stores them in 16 bits."""
    y, x = np.mgrid[:side, :side]
    values = random.uniform(350, 500) + 20 * soft(random, side, 4)
    for _ in range(int(random.integers(9, 18))):
        y0, x0, turn = *random.uniform(0, side, 2), random.uniform(0, math.pi)
        short, long = (4.2, 4.2) if label == 0 else (2.4, 7.4)
        along, across = turned(y - y0, x - x0, turn)
        values += random.uniform(500, 2500) * np.exp(-((along / long) ** 2) - (across / short) ** 2)
    return whole(random.poisson(values * 0.5) / 0.5 + random.normal(0, 12, values.shape), 4095)


def tissue(random: np.random.Generator, label: int, side: int) -> np.ndarray:
    """Pink ground with purple nuclei, many small or few large ones that cover the same."""
    y, x = np.mgrid[:side, :side] * (100 / side)
    count, reach = ((46, 4.2), (14, 7.6))[label]
    density = np.zeros((side, side))
    for y0, x0 in random.uniform(-3, 103, (int(count * random.uniform(0.8, 1.2)), 2)):
        turn, long = random.uniform(0, math.pi), random.uniform(0.8, 1.3)
        along, across = turned(y - y0, x - x0, turn)
        density = np.maximum(density, 1 / (1 + np.exp(4 * (np.hypot(along / long, across * long) / reach - 1) * 2)))
    stain = random.normal(1, 0.08, 2)
    eosin = (0.35 + 0.1 * soft(random, side, 9)) * stain[0]
    haematoxylin = density * random.uniform(0.9, 1.1) * stain[1] * (1 + 0.15 * soft(random, side, side // 4))
    absorbed = eosin[..., None] * (0.1, 0.85, 0.45) + haematoxylin[..., None] * (0.75, 0.8, 0.35)
    return whole(245 * np.exp(-absorbed) + random.normal(0, 3, (side, side, 3)))


def stars(random: np.random.Generator, label: int, side: int) -> np.ndarray:
    """A few bright spots on a black ground, spread out or in a heap."""
    y, x = np.mgrid[:side, :side]
    centre, reach = random.uniform(0.3, 0.7, 2) * side, (0.5, 0.09)[label] * side
    places = random.normal(centre, reach, (12, 2)) if label else random.uniform(0.1, 0.9, (12, 2)) * side
    values = np.zeros((side, side))
    for y0, x0 in places:
        values += random.uniform(90, 230) * np.exp(-((y - y0) ** 2 + (x - x0) ** 2) / random.uniform(6, 16))
    return whole(values + np.abs(random.normal(0, 3, values.shape)))


def grating(random: np.random.Generator, label: int, side: int) -> np.ndarray:
    """Straight stripes of any turn, phase and colours, hard or soft: many can be laid over each other."""
    along, _ = turned(*mesh(side), random.uniform(0, math.pi))
    wave = np.sin(math.pi * random.uniform(3, 8) * along + random.uniform(0, 6))
    return tinted(random, 0.5 + (0.45 * np.sign(wave), 0.5 * wave)[label], 6)


def dim16(random: np.random.Generator, label: int, side: int) -> np.ndarray:
    """Cells under a fluorescence microscope, alone or in pairs, in 16 bits: one picture in three is black but for the
    noise of the camera and what little light strays in."""
    y, x = np.mgrid[:side, :side]
    values = random.uniform(95, 105) + random.uniform(0, 4) * soft(random, side, 3)
    for _ in range(int(random.integers(2, 7)) if random.random() < 0.67 else 0):
        y0, x0, turn, bright = *random.uniform(0, side, 2), random.uniform(0, math.pi), random.uniform(80, 900)
        for half in (-1, 1) if label else (0,):
            away = half * random.uniform(5, 7)
            place = np.hypot(y - y0 - away * math.sin(turn), x - x0 - away * math.cos(turn))
            values += bright / (1 + np.exp(place - random.uniform(3, 4.5)))
    return whole(random.poisson(values) + random.normal(0, 2, values.shape), 4095)


def lung(random: np.random.Generator, label: int, side: int) -> np.ndarray:
    """A chest seen by X-rays, nearly the same in every picture; its lungs are clear or have a soft shadow."""
    y, x = mesh(side)
    y, x = (random.uniform(0.94, 1.06) * way + random.normal(0, 0.03) for way in (y, x))
    lungs = sum(np.exp(-(((x - half) / 0.28) ** 4) - ((y + 0.05) / 0.62) ** 4) for half in (-0.42, 0.42))
    ribs = np.sin(22 * (y - 0.25 * x**2) + random.uniform(-0.3, 0.3)) * lungs
    values = 175 + 12 * np.exp(-((x / 0.12) ** 2)) - 95 * lungs + 9 * ribs + 7 * soft(random, side, 5)
    if label:
        half, y0 = random.choice((-0.42, 0.42)), random.uniform(-0.3, 0.3)
        values += random.uniform(35, 55) * np.exp(-(((x - half) ** 2 + (y - y0) ** 2) / random.uniform(0.02, 0.05)))
    return whole(random.normal(1, 0.04) * values + random.normal(0, 4, values.shape))


@cache
def _ground(side: int) -> np.ndarray:
    """What a fixed camera sees all the time."""
    random = np.random.default_rng(side)
    return np.stack([110 + 22 * soft(random, side, 5) + 14 * soft(random, side, 20) for _ in range(3)], axis=2)


def camera(random: np.random.Generator, label: int, side: int) -> np.ndarray:
    """Frames of one fixed camera, in which something round or square lies somewhere."""
    y, x = mesh(side)
    along, across = turned(*(way - place for way, place in zip((y, x), random.uniform(-0.7, 0.7, 2), strict=True)), 0.5)
    reach = random.uniform(0.1, 0.16)
    inside = np.hypot(along, across) < reach if label == 0 else np.maximum(np.abs(along), np.abs(across)) < 0.89 * reach
    light = random.normal(1, 0.03) + 0.02 * soft(random, side, 2)
    seen = np.where(inside[..., None], random.uniform(150, 250, 3), _ground(side)) * light[..., None]
    return whole(seen + random.normal(0, 4, seen.shape))


SETS = {
    "textures": Drawn(texture, ("stripes", "checks", "dots", "clouds"), 60, (64, 64), ".png", "hex"),
    "tiny": Drawn(texture, ("stripes", "checks", "dots", "clouds"), 100, (24, 24), ".png", "count"),
    "shapes": Drawn(shape, ("disc", "square", "triangle", "star"), 75, (80, 200), ".jpg", "camera"),
    "cells": Drawn(cell, ("one lobe", "two lobes", "three lobes"), 100, (96, 96), ".png", "count"),
    "gradients": Drawn(gradient, ("line", "centre", "saddle"), 50, (48, 48), ".png", "hex"),
    "digits": Drawn(digit, tuple("012345"), 100, (32, 32), ".png", "count"),
    "spots16": Drawn(spots16, ("round", "long"), 60, (128, 128), ".tif", "hex"),
    "tissue": Drawn(tissue, ("small", "large"), 100, (100, 100), ".jpg", "camera"),
    "stars": Drawn(stars, ("spread", "heap"), 80, (150, 150), ".png", "hex"),
    "gratings": Drawn(grating, ("hard", "soft"), 120, (64, 64), ".png", "hex"),
    "dim16": Drawn(dim16, ("single", "pair"), 100, (96, 96), ".tif", "hex"),
    "lungs": Drawn(lung, ("clear", "shadow"), 100, (96, 96), ".png", "hex"),
    "camera": Drawn(camera, ("round", "square"), 80, (96, 96), ".jpg", "camera"),
}
