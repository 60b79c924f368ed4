"""Pictures as tensors in memory for the peers that are written in PyTorch: decoded once, changed batch by batch."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import deadline
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F


def side_of(task: deadline.Task, largest: int) -> tuple[int, bool]:
    """The short side of a typical picture, at most `largest`; and whether all that were looked at are grey."""
    looked = [Image.open(path) for path, _ in task.learned()[::50]]
    short = sorted(min(picture.size) for picture in looked)[len(looked) // 2]
    return min(short, largest), all(picture.mode in ("L", "1") for picture in looked)


def read(files: Sequence[Path], side: int) -> Tensor:
    """(N, 3, side, side) uint8, decoded by two threads; photographs are decoded at a smaller scale where possible."""

    def one(path: Path) -> np.ndarray:
        with Image.open(path) as picture:
            picture.draft("RGB", (2 * side, 2 * side))
            return np.asarray(picture.convert("RGB").resize((side, side), Image.Resampling.BILINEAR))

    with ThreadPoolExecutor(2) as pool:
        return torch.from_numpy(np.stack(list(pool.map(one, files)))).permute(0, 3, 1, 2).contiguous()


def scaled(pictures: Tensor) -> Tensor:
    """As networks for ImageNet want them: about 0, with a spread of about 1."""
    return (pictures.float() / 255 - 0.45) / 0.225


def changed(batch: Tensor, mirror: bool) -> Tensor:
    """Every picture shifted by up to an eighth of its side with reflected edges, and half of them mirrored."""
    count, _, height, width = batch.shape
    reach = max(height // 8, 1)
    padded = F.pad(batch, [reach] * 4, mode="reflect")
    rows = torch.randint(0, 2 * reach + 1, (count, 1)) + torch.arange(height)
    columns = torch.randint(0, 2 * reach + 1, (count, 1)) + torch.arange(width)
    numbers = torch.arange(count)
    moved = padded[numbers[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    if not mirror:
        return moved
    return torch.where(torch.rand(count, 1, 1, 1) < 0.5, moved.flip(3), moved)
