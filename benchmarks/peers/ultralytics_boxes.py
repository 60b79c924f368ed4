"""Ultralytics' smallest YOLO from its description alone: ultralytics_boxes.py SCRATCH MINUTES SEED

SCRATCH/pictures.json holds the pictures of each part with their boxes; SCRATCH/said.json gets the boxes of the test
part. Its own defaults (640 pixels, batches of 16), its own `time`, which sets the epochs from those already done. It
validates on the last epoch alone, so that no time is lost.
"""

import json
import sys
import time
from pathlib import Path

from PIL import Image
from ultralytics import YOLO, settings

MODEL = "yolo26n.yaml"
PREDICTED = 0.05  # of the budget, kept for loading and predicting


def write_part(scratch: Path, part: str, listed: list[dict], names: list[str]) -> None:
    """Links to the pictures, and YOLO's text beside them."""
    for kind in ("images", "labels"):
        (scratch / kind / part).mkdir(parents=True)
    for one in listed:
        picture = Path(one["picture"])
        (scratch / "images" / part / picture.name).symlink_to(picture)
        with Image.open(picture) as image:
            width, height = image.size
        lines = [
            f"{names.index(name)} {(x + w / 2) / width:.6f} {(y + h / 2) / height:.6f} {w / width:.6f} {h / height:.6f}"
            for name, (x, y, w, h) in one["things"]
        ]
        (scratch / "labels" / part / f"{picture.stem}.txt").write_text("\n".join(lines))


def main() -> None:
    begun = time.monotonic()
    scratch, minutes, seed = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    settings.update({"sync": False})
    parts = json.loads((scratch / "pictures.json").read_text())
    names = sorted({name for listed in parts.values() for one in listed for name, _ in one["things"]})
    for part, listed in parts.items():
        write_part(scratch, part, listed, names)
    data = {"path": str(scratch), "train": "images/train", "val": "images/val", "names": dict(enumerate(names))}
    (scratch / "data.yaml").write_text(json.dumps(data))
    model = YOLO(MODEL)
    left = 60 * minutes * (1 - PREDICTED) - (time.monotonic() - begun)
    model.train(
        data=str(scratch / "data.yaml"), pretrained=False, time=left / 3600, device="cpu", val=False, plots=False,
        seed=seed, project=str(scratch / "runs"), verbose=False, workers=0,
    )  # fmt: skip
    said = []
    for one in parts["test"]:
        (answer,) = model.predict(one["picture"], conf=0.001, max_det=100, device="cpu", verbose=False, save=False)
        for (x0, y0, x1, y1), kind, sure in zip(
            answer.boxes.xyxy.tolist(), answer.boxes.cls.tolist(), answer.boxes.conf.tolist(), strict=True
        ):
            box = [x0, y0, x1 - x0, y1 - y0]
            said.append({"picture": one["picture"], "name": names[int(kind)], "bbox": box, "score": sure})
    about = {"model": MODEL, "epochs": model.trainer.epoch + 1, "side": 640, "batch": 16}
    (scratch / "said.json").write_text(json.dumps({"boxes": said, "about": about}))


if __name__ == "__main__":
    main()
