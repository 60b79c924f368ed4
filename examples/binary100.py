"""The third tutorial's network for two classes of 100×100 grey pictures: python binary100.py FOLDER [EPOCHS]

One sigmoid output, binary cross-entropy, Adam, batches of 128. FOLDER holds two folders of pictures.
The first layer has 512 filters: this network is slow on a processor.
"""

import sys

import striate


def main(folder: str, epochs: int) -> None:
    network = striate.network("binary100")
    print(f"{sum(p.numel() for p in network.parameters()):,} parameters: {network.text}")
    run = striate.train(
        folder, network="binary100", optimizer="adam", batch_size=128, epochs=epochs, val=0.2, augment="none"
    )
    for score in ("accuracy", "auroc"):
        record = run.test[score]
        print(f"test {score} {record['value']:.3f}, 95 % interval {record['low']:.3f} to {record['high']:.3f}")


if __name__ == "__main__":
    if len(sys.argv) < 2 or "--help" in sys.argv:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100)
