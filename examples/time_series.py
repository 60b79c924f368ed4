"""Tell time series apart, and see which part of one decides: python time_series.py FOLDER [EPOCHS]

FOLDER holds NAME_TRAIN.tsv and NAME_TEST.tsv as in the UCR archive, a series a line: its class, then its values.
The first test series is drawn with the evidence for its answer: series.png.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib import pyplot

import striate


def main(folder: str, epochs: int | None) -> None:
    run = striate.train(folder, epochs=epochs, name="series")
    print(run.model.network.text)  # the same words as for pictures; filters slide along one axis
    score = run.test["accuracy"]
    print(f"test accuracy {score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}], n = {run.test['n']}")

    lines = next(Path(folder).glob("*_TEST.*")).read_text().splitlines()
    label, *values = lines[0].replace(",", "\t").split()
    values = np.array(values, float)
    answer = run.model.predict(values)[0]
    print(f"the first is {label}; said is {answer.predicted}, {100 * answer.confidence:.0f} % sure")
    where = run.model.heatmap(values)  # a number for every place, in units of the answer's own score
    time = np.linspace(0, len(values) - 1, len(where.on_picture))
    print(f"most evidence around place {time[where.on_picture.argmax()]:.0f} of {len(values)}")
    pyplot.plot(values, color="lightgrey")
    pyplot.scatter(time, np.interp(time, np.arange(len(values)), values), c=where.on_picture, cmap="magma", s=14)
    pyplot.colorbar(label=f"evidence for {answer.predicted}")
    pyplot.savefig("series.png")


if __name__ == "__main__":
    if len(sys.argv) < 2 or "--help" in sys.argv:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None)
