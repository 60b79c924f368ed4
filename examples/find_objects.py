"""Find objects, from labelled boxes to pictures with boxes drawn on them: python find_objects.py FOLDER [EPOCHS]

FOLDER holds pictures with boxes as VOC XML, COCO JSON, YOLO text, labelme JSON or a table, e.g. cells in a smear or
surgical tools in frames of a film. What cannot be used is listed in runs/.../data.csv with its reason.
"""

import csv
import sys
from pathlib import Path

import striate


def main(folder: str, epochs: int | None) -> None:
    run = striate.train(folder, epochs=epochs)
    score = run.test["map50"]
    print(f"mAP50 {score['value']:.3f}, 95 % interval {score['low']:.3f} to {score['high']:.3f}")
    for name, of_class in run.test["per_class"].items():
        print(f"{name}: {of_class['n']} in the test part, AP50 {of_class['ap50']['value']}")

    with (run.folder / "predictions.csv").open(encoding="utf-8") as file:
        tested = [row["path"] for row in csv.DictReader(file) if row["part"] == "test"]
    for one in run.model.predict([Path(folder) / path for path in tested[:3]]):
        found = one.predicted  # the boxes that are sure enough, in pixels of the picture's own size
        print(f"{one.path}: {run.model.task.say(one.answer)}")
        for name, (x0, y0, x1, y1) in zip(found.names, found.corners, strict=True):
            print(f"  {name} from ({x0:.0f}, {y0:.0f}) to ({x1:.0f}, {y1:.0f})")
        print(f"  drawn in {run.model.draw_into(run.folder / 'drawn', one)}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None)
