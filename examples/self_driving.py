"""The second tutorial's self-driving network, from frames to steering: python self_driving.py FRAMES LOG.csv [EPOCHS]

FRAMES is a folder of what the car saw. LOG.csv is what a driving simulator writes, a line per moment and no line of
names: the frames of the centre, left and right camera, then steering, throttle, brake and speed.
"""

import sys

import striate

COLUMNS = "centre,left,right,steering,throttle,brake,speed"


def main(frames: str, log: str, epochs: int) -> None:
    run = striate.train(
        frames,
        labels=log,
        columns=COLUMNS,
        label_column="steering",
        task="regression",
        network="pilotnet",  # five convolutions on 66×200 colour frames; `striate summary pilotnet` shows the shapes
        # Frames that follow each other are nearly alike: drawn at random they would be in both parts. So the
        # first part of the drive is learned, the last is the test, and frames near the borders are left out.
        split="blocks",
        augment="hflip, brightness 0.2, shift 0.05",
        mirror_negates="steering",  # a mirrored left turn is a right turn
        epochs=epochs,
        name="driving",
    )
    test = run.test
    print(f"{run.model.network.text}")
    print(f"steering is off by {test['mae']['value']:.3f} on average, rmse {test['rmse']['value']:.3f};")
    for what, floor in test["baselines"].items():
        print(f"{what}: rmse {floor['rmse']:.3f}")
    if "coverage" in test:
        print(f"{100 * test['coverage']['value']:.0f} % of the true angles lie in their 90 % intervals")


if __name__ == "__main__":
    if len(sys.argv) < 3 or "--help" in sys.argv:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 30)
