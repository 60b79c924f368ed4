"""What was learned from many pictures helps with few others: python fine_tune.py COMMON RARE [EPOCHS]

COMMON and RARE are folders of pictures per class, COMMON with many pictures. A network learns COMMON; then RARE is
learned twice, once from random values and once from the weights of that network, all but its last layer.
"""

import sys

import striate


def main(common: str, rare: str, epochs: int | None) -> None:
    learned = striate.train(common, epochs=epochs, name="common")
    told = []
    for name, weights in (("from-nothing", None), ("from-common", str(learned.folder))):
        score = striate.train(rare, epochs=epochs, weights=weights, name=name).test["accuracy"]
        told.append(f"{name:12} test accuracy {score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]")
    print(*told, sep="\n")


if __name__ == "__main__":
    if len(sys.argv) < 3 or "--help" in sys.argv:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None)
