"""A model of any torch network, for pictures as the network takes them."""

import copy
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from striate.data.prepare import Preparation, Shape
from striate.errors import StriateError
from striate.export.model import Model
from striate.inside.capture import capture
from striate.tasks.task import make_task


def model_of(
    network: nn.Module, pictures: Iterable[np.ndarray | Tensor], classes: Sequence[str] | None = None,
    mean: float | Sequence[float] = 0.0, std: float | Sequence[float] = 1.0,
) -> tuple[Model, list[np.ndarray]]:  # fmt: skip
    """A model of a copy of the network, which gives one logit per class, and the pixels (H, W, C) that it makes the
    pictures of: tensors or arrays (C, H, W) of one size, as the network takes them; it takes (pixels - mean) / std,
    pixels being 0 to 1, one number or one per channel. classes: their names, else numbers."""
    given = [torch.as_tensor(one).detach().cpu().float() for one in pictures]
    if not given or given[0].ndim != 3 or any(one.shape != given[0].shape for one in given):
        rule = "a network is opened on pictures as it takes them, tensors (channels, height, width) of one size"
        raise StriateError(rule, received=[tuple(one.shape) for one in given[:3]] or "none", where="pictures")
    network, (channels, height, width) = copy.deepcopy(network).eval(), given[0].shape
    output = capture(network, given[0]).output
    names = range(len(output)) if classes is None else classes
    task = make_task("classification", {"classes": tuple(map(str, names))})
    task.require_output(tuple(output.shape))
    if len(output) > 1 and output.min() >= 0 and abs(float(output.sum()) - 1) < 1e-4:
        remedy = "leave its last softmax out, as network[:-1] does"
        raise StriateError("a network gives logits", received="an output that adds up to 1", remedy=remedy)
    shift, share = (np.broadcast_to(np.asarray(value, np.float32), (channels,)) for value in (mean, std))
    pixels = [np.ascontiguousarray(one.permute(1, 2, 0).numpy() * share + shift) for one in given]
    low, high = min(0.0, *(one.min() for one in pixels)), max(1.0, *(one.max() for one in pixels))  # none is cut off
    figures = {"low": low, "high": high, "mean": (shift - low) / (high - low), "std": share / (high - low)}
    told = {name: tuple(np.broadcast_to(value, channels).tolist()) for name, value in figures.items()}
    shape = Shape(height=height, width=width, channels=channels, depth="float32")
    return Model(network, task, Preparation(shape=shape, **told)), pixels
