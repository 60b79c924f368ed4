"""fastai with resnet18, from scratch (pretrained=False).

default: its beginner's recipe: ImageDataLoaders.from_folder with a fifth set aside for validation, Resize(224),
batches of 64, vision_learner and one cycle at its default rate.
best: pictures shrunk once to a little over the side used (fastai's own resize_images), up to 96 pixels, two of a
hundred set aside and never validated on, its batch transforms (mirroring only where pictures have colour), one
cycle at 3e-3. In both the one cycle is stretched over the time there is instead of a number of epochs.
"""

import tempfile
import time
from pathlib import Path

import deadline
from fastai.callback.core import Callback, CancelFitException, CancelValidException
from fastai.vision.all import (
    ImageDataLoaders,
    Resize,
    aug_transforms,
    resize_images,
    resnet18,
    set_seed,
    vision_learner,
)
from PIL import Image

LARGEST, CHUNK = 96, 64


class Clock(Callback):
    """fastai's schedules follow `pct_train`; here that is the share of the time used."""

    order = -5  # after fastai has set pct_train, before its scheduler reads it

    def __init__(self, task: deadline.Task) -> None:
        self.task, self.steps = task, 0

    def before_batch(self) -> None:
        if self.training:
            self.learn.pct_train = self.task.share()

    def after_batch(self) -> None:
        if not self.training:
            return
        self.steps += 1
        if self.task.is_over():
            raise CancelFitException

    def before_validate(self) -> None:
        raise CancelValidException


def pictures_of(task: deadline.Task, scratch: Path) -> ImageDataLoaders:
    """The training pictures as fastai's loaders; shrunk copies, where they help, go to `scratch`."""
    if not task.is_best:
        task.notes["side"] = 224
        return ImageDataLoaders.from_folder(task.train, valid_pct=0.2, seed=task.seed, item_tfms=Resize(224))
    looked = [Image.open(path) for path, _ in task.learned()[::50]]
    short = sorted(min(picture.size) for picture in looked)[len(looked) // 2]
    side, folder = min(short, LARGEST), task.train
    task.notes["side"] = side
    if short > 1.5 * side:
        folder = scratch / "train"
        resize_images(task.train, dest=folder, max_size=round(1.3 * side * _form(looked)), recurse=True)
    grey = all(picture.mode in ("L", "1") for picture in looked)
    changes = aug_transforms(size=side, do_flip=not grey, max_lighting=0.0 if grey else 0.2)
    batch = min(CHUNK, len(task.learned()) // 2)
    return ImageDataLoaders.from_folder(
        folder, valid_pct=0.02, seed=task.seed, item_tfms=Resize(side), batch_tfms=changes, bs=batch
    )


def _form(looked: list[Image.Image]) -> float:
    """Long side over short side, of the longest picture looked at, at most 2."""
    return min(max(max(picture.size) / min(picture.size) for picture in looked), 2.0)


def main() -> None:
    task = deadline.asked()
    set_seed(task.seed)
    files = task.tested()
    with tempfile.TemporaryDirectory() as scratch:
        loaders = pictures_of(task, Path(scratch))
        learner = vision_learner(loaders, resnet18, pretrained=False)
        trial = loaders.test_dl(files[:CHUNK], num_workers=0)
        with learner.no_bar(), learner.no_logging():
            learner.get_preds(dl=trial)
            begun = time.monotonic()
            learner.get_preds(dl=trial)
            task.set_aside((time.monotonic() - begun) * len(files) / min(CHUNK, len(files)))
            clock = Clock(task)
            learner.fit_one_cycle(100_000, 3e-3 if task.is_best else None, cbs=[clock])
            chances, _ = learner.get_preds(dl=loaders.test_dl(files, num_workers=0))
    names = list(loaders.vocab)
    task.notes |= {"steps": clock.steps, "batch": loaders.bs}
    task.write(files, [str(names[number]) for number in chances.argmax(1).tolist()])


if __name__ == "__main__":
    main()
