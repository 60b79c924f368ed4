"""The fourth tutorial's two scripts: a picture made grey, blurred, and its edges: python filters.py PICTURE [FOLDER]"""

import sys
from pathlib import Path

import numpy as np
from matplotlib import image
from PIL import Image

from striate import filters

KERNELS = {"blur": "0 1 0; 1 1 1; 0 1 0", "edge": "0 1 0; 1 -4 1; 0 1 0"}


def main(picture: str, folder: str) -> None:
    grey = filters.to_grey(np.asarray(Image.open(picture).convert("RGB")))  # 0.2989 R + 0.5870 G + 0.1140 B
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    image.imsave(place / "grey.png", grey, cmap="gray")
    for name, weights in KERNELS.items():
        # The border is mirrored, so the feature map is as large as the picture.
        feature_map = filters.convolve(grey, filters.kernel(weights), padding="reflect")
        print(f"{name}: {feature_map.shape}, from {feature_map.min():.1f} to {feature_map.max():.1f}")
        image.imsave(place / f"{name}.png", feature_map, cmap="gray")


if __name__ == "__main__":
    if len(sys.argv) < 2 or "--help" in sys.argv:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ".")
