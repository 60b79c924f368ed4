"""Ultralytics' classifier yolo11n-cls from its description alone (pretrained=False).

default: its own defaults: 224 pixels, batches of 16. best: pictures of 64 to 96 pixels, kept in memory, batches of
64. Both use Ultralytics' own `time`, which sets the epochs from those already done and stops when time is up. It
gets the training pictures as its validation folder's few files, so that no time goes into validating.
"""

import tempfile
import time
from pathlib import Path

import deadline
from PIL import Image
from ultralytics import YOLO, settings

CHUNK = 64


def folder_of(task: deadline.Task, scratch: Path) -> Path:
    """train as it is, and val with one training picture per class, which Ultralytics insists on."""
    scratch.mkdir()
    (scratch / "train").symlink_to(task.train)
    for name in task.classes():
        (scratch / "val" / name).mkdir(parents=True)
        first = min((task.train / name).iterdir())
        (scratch / "val" / name / first.name).symlink_to(first.resolve())
    return scratch


def main() -> None:
    task = deadline.asked()
    settings.update({"sync": False})
    looked = [Image.open(path) for path, _ in task.learned()[::50]]
    short = sorted(min(picture.size) for picture in looked)[len(looked) // 2]
    side = min(max(short, 64), 96) if task.is_best else 224
    files = [str(path) for path in task.tested()]
    with tempfile.TemporaryDirectory() as place:
        scratch = Path(place)
        data = folder_of(task, scratch / "data")
        model = YOLO("yolo11n-cls.yaml")
        seeing = {"imgsz": side, "batch": CHUNK, "device": "cpu", "verbose": False, "save": False}
        model.predict(files[:8], **seeing)
        begun = time.monotonic()
        model.predict(files[:CHUNK], **seeing)
        task.set_aside((time.monotonic() - begun) * len(files) / min(CHUNK, len(files)))
        options = {"batch": CHUNK, "cache": "ram"} if task.is_best else {}
        model.train(
            data=str(data), pretrained=False, time=(task.until - deadline.seconds_since_start()) / 3600, imgsz=side,
            device="cpu", val=False, plots=False, seed=task.seed, project=str(scratch), verbose=False, **options,
        )  # fmt: skip
        answers = model.predict(files, **seeing)
    task.notes |= {"side": side, "epochs": model.trainer.epoch + 1, "batch": options.get("batch", 16)}
    task.write([one.path for one in answers], [one.names[one.probs.top1] for one in answers])


if __name__ == "__main__":
    main()
