"""Find objects and draw boxes around them, as YOLO does: python find_objects.py FOLDER NEW [EPOCHS]

FOLDER holds pictures with boxes around cars, blood cells or surgical tools, as Pascal VOC, COCO, YOLO or labelme write
them. NEW is a folder of pictures without. found/ gets each of these with its boxes, and objects.json in COCO's form.
"""

import sys
from pathlib import Path

import striate


def main(folder: str, new: str, epochs: int | None) -> None:
    run = striate.train(folder, epochs=epochs, name="objects")
    score = run.test["map50"]
    print(
        f"mAP50 {score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}] on {run.test['n']} pictures; found are"
    )
    for kind, one in run.test["per_class"].items():
        if one["n"]:
            print(f"  {100 * one['recall']['value']:3.0f} % of {one['n']} {kind}")

    model, out = striate.load(run.folder), Path("found")
    answers = model.predict(new)
    for one in answers:
        print(f"{one.path}: {model.task.say(one.answer)}")
        boxes = one.predicted
        for kind, corners, sure in zip(boxes.names, boxes.corners, boxes.confidence, strict=True):
            left, top, right, bottom = corners.round().astype(int).tolist()  # pixels from the upper left
            print(f"  {kind} from ({left}, {top}) to ({right}, {bottom}), {100 * sure:.0f} % sure")
        model.draw_into(out, one)
    model.save_predictions(out / "objects.json", answers)


if __name__ == "__main__":
    if len(sys.argv) < 3 or "--help" in sys.argv:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None)
