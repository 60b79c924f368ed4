"""The commands that write what is seen: a network on one picture (`striate look`), and a filter (`striate filter`).

Nothing heavy is imported before a command needs it.
"""

import argparse
import os
import shlex
import sys
from pathlib import Path

from striate import files
from striate.commands import DONE
from striate.errors import StriateError, printable
from striate.train.settings import Settings


def look(options: argparse.Namespace) -> int:
    from striate.data.guard import warm

    warm(1)  # while torch is imported
    from striate.export.model import load_model

    model = load_model(options.model)
    seen = model.look(options.picture)
    layer = int(options.layer) if (options.layer or "").isdecimal() else options.layer
    if layer is None and (options.channel is not None or options.at):
        raise StriateError("a channel and a place are those of a layer", where="--layer", remedy="name one")
    position = _position(options.at)
    table, heat = seen.table(layer, options.channel, *position), _heat(model, options, layer)
    name = "network" if layer is None else seen.layers[seen.trace.index(layer)].name.replace(":", "-")
    start = f"{Path(options.out) / Path(seen.name).stem}-"
    stem = _free(start + name, ".png", ".txt")
    png, text = Path(f"{stem}.png"), Path(f"{stem}.txt")
    files.write_bytes(png, seen.sheet(layer, options.channel, *position))
    files.write_text(text, table + "\n")
    print(f"{printable(seen.name)}: {seen.answer}", *filter(None, [seen.note]), f"\n{table}\n", sep="\n")
    print(f"wrote {png} and {text}")
    if heat is not None:
        _save_heat(model, options, heat, start)
    place = f"{shlex.quote(options.model)} {shlex.quote(options.picture)}"
    if layer is None:
        deepest = next((item for item in reversed(seen.layers) if len(item.output_shape) == 3), seen.layers[-1])
        print(f"next: striate look {place} --layer {deepest.name}")
    else:
        is_file = os.path.isfile(options.picture)  # noqa: PTH113 - a text may be too long for a name
        print(f"next: striate open {place if is_file else shlex.quote(options.model)}")
    return DONE


def _heat(model: object, options: argparse.Namespace, layer: int | str | None) -> object:
    """The heatmap that is asked for, or the usual one of the whole network; None where that cannot be had."""
    asked = any((options.explain, options.versus, options.method))
    try:
        how = {"method": options.method or "hirescam", "versus": options.versus, "layer": layer}
        return model.heatmap(options.picture, options.explain, **how) if asked or layer is None else None
    except StriateError as error:
        if asked:
            raise
        print(f"Mind      no heatmap: {error}", file=sys.stderr)
        return None


def _save_heat(model: object, options: argparse.Namespace, heat: object, start: str) -> None:
    """What was asked for is also judged, which may take a minute."""
    named = "-".join(filter(None, [heat.method, options.explain, options.versus]))
    png = _free(start + named.translate(str.maketrans("/:", "--")), ".png") + ".png"
    print(f"\n{heat.said}")
    verdict = model.trust(heat).verdict if options.explain or options.versus or options.method else ""
    heat.save(png, verdict)
    print(f"{verdict or '--explain CLASS also judges how far to believe it'}\nwrote {png}\n")


def _position(text: str | None) -> tuple[int, ...]:
    """Y,X as two numbers; nothing as none."""
    try:
        return tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise StriateError("a place is a row and a column", received=text, where="--at", remedy="e.g. 4,5") from None


def filter_(options: argparse.Namespace) -> int:
    from striate.data.guard import load_one, load_readable
    from striate.data.load import Want
    from striate.data.tiff import tiff_bytes
    from striate.draw import pixels, sheets
    from striate.inside.filters import filter_picture

    path = Path(options.picture)
    pick = Settings(channels=options.channels, page=options.page).pick
    if options.channels and not pick.channels:  # how many, as train takes it, is not which
        rule, received = "channels of a picture are chosen by their numbers: 0,2, or one alone: 2,", options.channels
        raise StriateError(rule, received=received, where="--channels", remedy="put a comma behind it")
    picture = load_readable(path, Want(pick=pick), path).picture
    padding = int(options.padding) if options.padding.isdecimal() else options.padding
    result = filter_picture(picture, options.kernel, options.stride, padding)
    name = options.kernel.split()[0] if options.kernel[:1].isalpha() else "kernel"
    stem = _free(f"{Path(options.out) / path.stem}-{name}", ".png", ".tif", "-side-by-side.png")
    title = f"{options.kernel}, stride {options.stride}, padding {options.padding}"
    sheet = sheets.side_by_side(result.grey, result.feature_map, title, result.formula)
    shown = pixels.to_uint8(result.feature_map, 0, 100)
    files.write_bytes(Path(f"{stem}.png"), pixels.picture_png(shown))
    files.write_bytes(Path(f"{stem}.tif"), tiff_bytes(result.feature_map))
    files.write_bytes(Path(f"{stem}-side-by-side.png"), sheet)
    before, after = ("×".join(map(str, one.shape)) for one in (result.grey, result.feature_map))
    print(f"{path}: {before} to {after} (height × width): {result.formula}")
    print(f"values from {result.feature_map.min():g} to {result.feature_map.max():g}")
    print(f"wrote {stem}.tif (the values), {stem}.png and {stem}-side-by-side.png")
    if not options.page and (pages := load_one(path, Want(header=True)).header.pages) > 1:
        print(f"Mind      the file has {pages:,} pages, of which the first is filtered", file=sys.stderr)
    return DONE


def _free(stem: str, *ends: str) -> str:
    """`stem`, with a number where one of these files is there: none is written over."""
    return files.free_name(stem, lambda one: any(files.exists(one + end) for end in ends))
