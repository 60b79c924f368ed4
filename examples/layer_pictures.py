"""Pictures of every layer of a trained network: python layer_pictures.py RUN PICTURE [FOLDER]

FOLDER (layers/) gets a sheet of the whole network, and one of each layer with all its feature maps. On it the largest
number is marked, and what that number sees of the picture; how it came about is printed, product by product.
"""

import sys
from pathlib import Path

import striate


def main(run: str, picture: str, folder: Path) -> None:
    look = striate.load(run).look(picture)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "network.png").write_bytes(look.sheet())
    print(f"{picture}: {look.answer}\n\n{look.table()}")
    for layer in look.layers:
        if len(layer.output_shape) == 3:  # channels, height, width; behind flatten there are no maps any more
            (folder / f"{layer.index:02}-{layer.name}.png").write_bytes(look.sheet(layer.name))
    first = next(layer for layer in look.layers if layer.kind == "conv")
    print(f"\n{look.table(first.name)}")


if __name__ == "__main__":
    if len(sys.argv) < 3 or "--help" in sys.argv:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3] if len(sys.argv) > 3 else "layers"))
