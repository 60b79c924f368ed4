"""Train on the digits of scikit-learn, then ask the model about one of them: python digits.py [EPOCHS]

Pictures and labels may be arrays; the model file is read back as any other program would read it.
"""

import sys

from sklearn.datasets import load_digits

import striate

SHADES = " .:-=+*#%@"


def main(epochs: int | None) -> None:
    digits = load_digits()
    pictures, labels = digits.images, digits.target  # (1797, 8, 8) from 0 to 16, and (1797,)
    run = striate.train((pictures, labels), epochs=epochs, name="digits")
    model = striate.load(run.folder)
    one = pictures[0]
    for row in one.astype(int):
        print("".join(SHADES[value * 9 // 16] * 2 for value in row))
    answer = model.predict(one)[0]
    print(f"says {answer.predicted}, {100 * answer.confidence:.1f} % sure; it is a {labels[0]}")


if __name__ == "__main__":
    if "--help" in sys.argv:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(int(sys.argv[1]) if len(sys.argv) > 1 else None)
