"""Tell texts apart by their characters: python characters.py TABLE.csv [EPOCHS]

TABLE.csv has the columns text and label. No word is known beforehand: every letter is a channel of its own, and filters
slide along the letters as they slide over pictures. Below a text, marks show which letters spoke for the answer.
"""

import csv
import sys
from pathlib import Path

import numpy as np

import striate

MARKS = " .:*#"


def main(table: str, epochs: int | None) -> None:
    run = striate.train(table, text="text", epochs=epochs, name="texts")
    print(run.model.network.text)
    score = run.test["accuracy"]
    print(f"test accuracy {score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}], n = {run.test['n']}")
    with Path(table).open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)][:3]
    for text in texts:
        (answer,) = run.model.predict([text])
        evidence = run.model.heatmap([text]).on_picture[: len(text)].clip(min=0)
        shares = evidence / max(evidence.max(), 1e-9)
        print(f"\n{text}\n{''.join(MARKS[int(4 * share)] for share in np.atleast_1d(shares))}")
        print(f"{answer.predicted}, {100 * answer.confidence:.0f} % sure")


if __name__ == "__main__":
    if len(sys.argv) < 2 or "--help" in sys.argv:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None)
