"""Outline tumours, lesions or cells, pixel by pixel: python outline_lesions.py FOLDER NEW [EPOCHS]

FOLDER holds images/ and masks/, files of the same names; a mask is white where the lesion is. NEW is a folder of
pictures without. outlined/ gets each of these with its outlines drawn, outlined/masks the masks, one PNG each.
"""

import sys
from pathlib import Path

import striate


def main(folder: str, new: str, epochs: int | None) -> None:
    run = striate.train(folder, task="segmentation", epochs=epochs, name="lesions")
    for name, what in {"dice": "Dice", "iou": "mean IoU", "outline": "F1 of outlines"}.items():
        score = run.test[name]
        print(f"{what} {score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]")
    print(f"mean IoU of {run.test['baseline_is']}: {run.test['baseline']:.3f}")

    model, out = striate.load(run.folder), Path("outlined")
    answers = model.predict(new)
    for one in answers:
        (mask,) = one.predicted.sources  # (height, width) of the picture, a class number for every pixel
        share = 100 * (mask == 1).mean()
        print(f"{one.path}: {share:.1f} % is {model.classes[1]}, {100 * one.confidence:.0f} % sure")
        model.draw_into(out, one)
    model.save_predictions(out / "masks", answers)


if __name__ == "__main__":
    if len(sys.argv) < 3 or "--help" in sys.argv:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None)
