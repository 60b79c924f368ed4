"""The first tutorial's training, from a folder of organelle pictures to scores: python hela.py hela [EPOCHS]

The folder holds one folder of TIFF files per organelle: hela/actin/*.tif, hela/dna/*.tif, and so on.
"""

import sys

import striate

# Two convolutions of 4×4, one overlapping pool, one hidden layer; `striate summary hela` shows the shapes.
NETWORK = (
    "conv 32 4, relu, conv 64 4, relu, maxpool 2 stride=1, dropout 0.2, flatten, dense 64, relu, dense classes, softmax"
)
CHANGES = "rotate 30, shift 0.1, shear 0.2, zoom 0.2, hflip, fill nearest"


def main(folder: str, epochs: int) -> None:
    run = striate.train(
        folder,
        network=NETWORK,
        img_size="50",  # pixels, both ways
        channels=1,
        test=0.25,  # a tenth more is held back to watch the training: the test part is opened once only
        augment=CHANGES,
        optimizer="sgd",
        batch_size=32,
        epochs=epochs,
    )
    for part in ("train", "test"):
        score = run.scores[part]["accuracy"]
        ends = f"{score['low']:.3f} to {score['high']:.3f}"
        print(f"{part}: accuracy {score['value']:.3f}, 95 % interval {ends}, n = {run.scores[part]['n']}")


if __name__ == "__main__":
    if len(sys.argv) < 2 or "--help" in sys.argv:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
