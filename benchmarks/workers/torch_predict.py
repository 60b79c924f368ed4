"""Predictions as a plain PyTorch program makes them: python torch_predict.py MODEL.safetensors PLACE [OUT.csv]

The same weights, preparation and answers as Striate's: pictures are opened with Pillow, stretched to the network's
size and standardised, by a DataLoader with a worker per core; the network runs in fp32 on batches of 64. PLACE is
a folder (answers go to OUT.csv) or one picture (its answer is printed, and no worker is started). Of Striate only
the notation is used, to build the network.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from striate.network.build import Network

SUFFIXES = {".jpg", ".jpeg", ".png"}


class Folder(Dataset):
    """The pictures as the network sees them."""

    def __init__(self, files: list[Path], facts: dict) -> None:
        self.files, shape = files, facts["shape"]
        self.size, self.grey = (shape["width"], shape["height"]), shape["channels"] == 1
        low, high, mean, std = (np.array(facts[name], np.float32) for name in ("low", "high", "mean", "std"))
        self.scale = lambda pixels: ((pixels - low) / (high - low) - mean) / std

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> Tensor:
        with Image.open(self.files[number]) as picture:
            seen = picture.convert("L" if self.grey else "RGB").resize(self.size, Image.Resampling.BILINEAR)
        pixels = np.asarray(seen, np.float32).reshape(self.size[1], self.size[0], -1)
        return torch.from_numpy(self.scale(pixels)).permute(2, 0, 1).contiguous()


def load(path: str) -> tuple[nn.Module, dict]:
    with safe_open(path, "pt") as file:
        facts = json.loads(file.metadata()["striate"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    network = Network(facts["line"], tuple(facts["input_shape"]))
    network.load_state_dict(tensors)
    return network.eval(), facts


@torch.inference_mode()
def chances(network: nn.Module, x: Tensor, facts: dict) -> Tensor:
    logits = network.logits(x)
    if facts["mirror"]:
        logits = (logits + network.logits(x.flip(3))) / 2
    return (logits / facts["temperature"]).softmax(1)


def main(model: str, place: Path, out: str | None) -> None:
    network, facts = load(model)
    if place.is_file():
        row = chances(network, Folder([place], facts["preparation"])[0][None], facts)[0]
        print(facts["facts"]["classes"][int(row.argmax())], float(row.max()))
        return
    files = sorted(path for path in place.rglob("*") if path.suffix.lower() in SUFFIXES)
    loader = DataLoader(Folder(files, facts["preparation"]), 64, num_workers=torch.get_num_threads())
    rows = torch.cat([chances(network, x, facts) for x in loader])
    with Path(out).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "predicted", "confidence"))
        for path, row in zip(files, rows, strict=True):
            writer.writerow((path, facts["facts"]["classes"][int(row.argmax())], f"{float(row.max()):.6f}"))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
