"""Pneumonia or not, from many X-rays in one .npz file: python pneumonia.py pneumoniamnist.npz [EPOCHS]

The file holds train_images, train_labels, val_images, ... as MedMNIST writes them; its parts are kept. One picture
in which the network sees pneumonia is drawn with the evidence for it: pneumonia.png.
"""

import sys

import numpy as np
from matplotlib import pyplot

import striate


def main(file: str, epochs: int) -> None:
    run = striate.train(file, epochs=epochs, symmetry="none", name="pneumonia")
    test = run.test
    for name in ("accuracy", "auroc"):
        score = test[name]
        print(f"{name} {score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]")
    print(f"accuracy of {test['baseline_is']}: {test['baseline']:.3f}")
    healthy, ill = run.model.classes  # "0" and "1"
    print(f"of the ill {100 * test['per_class'][ill]['recall']['value']:.0f} % are found (sensitivity),")
    print(f"of the healthy {100 * test['per_class'][healthy]['recall']['value']:.0f} % are left in peace (specificity)")

    pictures = np.load(file)["test_images"]
    chances = [answer.probabilities[ill] for answer in run.model.predict(list(pictures))]
    surest = int(np.argmax(chances))
    evidence = run.model.heatmap(pictures[surest], ill)
    pyplot.imsave("pneumonia.png", evidence.on_picture, cmap="magma")
    print(f"surest of test picture {surest}: {100 * chances[surest]:.1f} %; the evidence is in pneumonia.png")


if __name__ == "__main__":
    if len(sys.argv) < 2 or "--help" in sys.argv:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 30)
