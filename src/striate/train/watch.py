"""What can be seen of a training while it goes on: snapshots of filters and feature maps in RUN/watch.

A consumer of the loop's events. It looks at the averaged weights, which are what a run keeps: a copy that never
trains, so looking changes no weight and no statistic of a norm, and no random number is drawn.
"""

import contextlib
import io
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from striate import files
from striate.data.batches import standardise
from striate.errors import StriateError
from striate.inside.capture import Recording, capture
from striate.inside.trace import stage_ends
from striate.network.blocks import CONVOLUTIONS
from striate.train.events import Event, Step
from striate.train.loop import Training
from striate.train.optimize import Average

FOLDER, INDEX = "watch", "index.json"
MOST = 60  # snapshots of a run; with more, every second one goes
GROWTH = 6  # the next snapshot comes after a sixth more steps: many at first, when filters change most
SHARE = 0.02  # of the time of a training; a snapshot that would cost more waits
LAYERS, CHANNELS, SIDE = 4, 16, 64  # the most that is kept of one picture's feature maps
FILTERS = 64  # the most filters, and channels of a filter, that are kept


class Watching:
    """Keeps snapshots of one training in its run folder; call it with every event, and `finish` at the end.

    index.json: {"layers": [{"name", "shape"}], "filters": {"name", "shape"} or null, "picture": name,
    "snapshots": [{"id", "epoch", "step", "seconds"}]}. ID.npz: "filters" (filters, channels, kh, kw) float32 of the
    first convolution that learns, and "maps_0", ... (channels, height, width) float16 of the layers in their order.
    """

    def __init__(self, run: Path, training: Training, names: Sequence[str]) -> None:
        """Watch the first picture of the validation part (of the training part where there is none).

        names: of every row of the store.
        """
        self.folder, self.training = run / FOLDER, training
        seen = training.validation or training.batches
        batch = next(seen.in_order(1))
        self.picture, self.name = standardise(batch.pictures, seen.preparation), names[batch.rows[0]]
        self.step, self.before = training.place.step, training.place.seconds
        self.begun, self.spent, self.cost = time.monotonic(), 0.0, 0.0
        self.next, self.broken = 0, False
        self.snapshots = self._earlier()
        if not self.snapshots:
            self._take()

    def __call__(self, event: Event) -> None:
        """Count a step, and take a snapshot when one is due and within its share of the time."""
        if not isinstance(event, Step):
            return
        self.step += 1
        last = self.snapshots[-1]["step"] if self.snapshots else 0
        if self.step < last + max(Average.EVERY, last // GROWTH):
            return
        if self.spent + self.cost <= SHARE * (time.monotonic() - self.begun + event.seconds_left):
            self._take()

    def finish(self) -> None:
        """The last snapshot: the network that the run keeps."""
        if self.snapshots and self.snapshots[-1]["step"] == self.step:
            self.snapshots.pop()
        self._take()

    def _take(self) -> None:
        """One snapshot; if it cannot be written, the training goes on without any more."""
        if self.broken:
            return
        begun = time.monotonic()
        try:
            self._write(capture(self.training.average.network, self.picture[0]), begun)
        except StriateError:
            self.broken = True
        self.cost = time.monotonic() - begun
        self.spent += self.cost

    def _write(self, recording: Recording, now: float) -> None:
        """The snapshot's arrays first, then the index that names them, then what the index no longer names goes."""
        layers = [recording.layers[index] for index in stage_ends(recording.layers, LAYERS)]
        arrays = {f"maps_{n}": _small(recording.values[layer.index]) for n, layer in enumerate(layers)}
        filters = ((name, m.weight) for name, m in self.training.network.named_modules() if isinstance(m, CONVOLUTIONS))
        found = next((name for name, weight in filters if weight.requires_grad), "")  # auto's first layer is fixed
        if found:
            weight = self.training.average.network.get_parameter(f"{found}.weight")
            arrays["filters"] = flat(weight.detach()[:FILTERS, :FILTERS].float().cpu().numpy(), 2)
        steps = self.training.batches.steps(self.training.plan.batch_size)
        number, data = self.next, io.BytesIO()
        np.savez(data, **arrays)
        files.write_bytes(self.folder / f"{number}.npz", data.getvalue(), durable=False)
        seconds = round(self.before + now - self.begun, 3)
        about = {"id": number, "epoch": round(self.step / steps, 3), "step": self.step, "seconds": seconds}
        self.snapshots = [*(self.snapshots[::2] if len(self.snapshots) >= MOST else self.snapshots), about]
        index = {
            "layers": [{"name": layer.name, "shape": layer.output_shape} for layer in layers],
            "filters": {"name": found, "shape": arrays["filters"].shape} if found else None,
            "picture": self.name,
            "snapshots": self.snapshots,
        }
        self.next += 1
        files.write_json(self.folder / INDEX, index, durable=False)
        self._sweep()

    def _earlier(self) -> list[dict]:
        """The snapshots of earlier sittings up to the checkpoint that this one goes on from."""
        try:
            listed = files.read_json(self.folder / INDEX)["snapshots"]
            self.next = max(item["id"] for item in listed) + 1
            return [item for item in listed if item["step"] <= self.step]
        except (StriateError, KeyError, TypeError, ValueError):
            return []

    def _sweep(self) -> None:
        kept = {f"{item['id']}.npz" for item in self.snapshots}
        for path in self.folder.glob("*.npz"):
            if path.name not in kept:
                with contextlib.suppress(OSError):
                    path.unlink()


def flat(values: np.ndarray, leading: int) -> np.ndarray:
    """Values (..., *grid) with so many leading axes as pictures (..., H, W): a line is one row, a volume its middle."""
    axes = values.ndim - leading
    if axes == 3:
        return values.take(values.shape[leading] // 2, axis=leading)
    return np.expand_dims(values, leading) if axes == 1 else values


def _small(values: Tensor) -> np.ndarray:
    """Feature maps (C, *grid) as at most CHANNELS maps (h, w) of at most SIDE pixels, float16."""
    maps = torch.from_numpy(flat(values.detach()[:CHANNELS].float().cpu().numpy(), 1))
    shrink = max(max(maps.shape[1:]) / SIDE, 1.0)
    if shrink > 1:
        maps = F.interpolate(maps[None], [max(round(n / shrink), 1) for n in maps.shape[1:]], mode="area")[0]
    reach = torch.finfo(torch.float16).max
    return maps.clamp(-reach, reach).to(torch.float16).cpu().numpy()
