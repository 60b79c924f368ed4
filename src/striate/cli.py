"""Words in, words out: the command line. It holds no logic and imports nothing heavy before it must."""

import argparse
import io
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import NoReturn

import striate
from striate.errors import StriateError, nearest, printable
from striate.train.settings import Settings

DONE, MENDABLE, INTERRUPTED = 0, 2, 130

_TITLES = {
    "network": "network",
    "budget": "how long (neither: about three minutes of work for two cores, the same on every machine)",
    "data": "pictures",
    "learning": "learning",
    "machine": "machine",
    "result": "result",
}


class _Parser(argparse.ArgumentParser):
    """A parser whose mistakes read like ours: what is wrong, and the nearest right word."""

    def error(self, message: str) -> NoReturn:
        raise StriateError(message[:1].lower() + message[1:], where=self.prog, remedy=f"see {self.prog} --help")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 done, 2 the user can mend it, 130 stopped by Ctrl-C."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal without a letter shows its number
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        parser, commands = _parsers()
        if words and not words[0].startswith("-") and words[0] not in commands:
            remedy = nearest(words[0], list(commands))
            raise StriateError("a command is one that striate has", received=words[0], remedy=remedy)
        if not words:
            parser.print_help()
            return DONE
        known = _known_options(commands[words[0]]) if words[0] in commands else {}
        options, unknown = parser.parse_known_args(_plain(words, known))
        if unknown:
            _refuse_unknown(unknown, known, words[0])
        return options.run(options)
    except StriateError as error:
        print(f"striate: {error}", file=sys.stderr)
        return MENDABLE
    except KeyboardInterrupt:
        print("striate: stopped", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return DONE


def _parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    parser = _Parser(
        prog="striate",
        description="From a folder of pictures to a convolutional neural network that you can see inside.",
        epilog="striate COMMAND --help lists a command's options. Options can also be written as name=value.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"striate {striate.__version__}")
    sub = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)
    commands: dict[str, argparse.ArgumentParser] = {}

    def command(name: str, text: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        made = sub.add_parser(name, help=text, description=text[:1].upper() + text[1:] + ".", allow_abbrev=False)
        made.set_defaults(run=run)
        commands[name] = made
        return made

    _train_options(command("train", "train a network on a folder of pictures and score it honestly", _train))
    _evaluate_options(command("evaluate", "score a trained model on labelled pictures", _evaluate))
    _predict_options(command("predict", "name the class of pictures", _predict))
    _summary_options(command("summary", "show a network layer by layer", _summary))
    _filter_options(command("filter", "slide a hand-made filter over a picture", _filter))
    return parser, commands


def _train_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", nargs="?", metavar="FOLDER",
        help="FOLDER/<class>/..., FOLDER/{train,val,test}/<class>/..., or a CSV or TSV table; without it, "
        "the 1,797 handwritten digits of scikit-learn",
    )  # fmt: skip
    parser.add_argument("--data", metavar="FOLDER", help="the same as FOLDER")
    groups = {name: parser.add_argument_group(title) for name, title in _TITLES.items()}
    for item in fields(Settings):
        facts, flag = item.metadata, "--" + item.name.replace("_", "-")
        shown = "" if item.default in (None, "auto") else f" (default {item.default})"
        short = [f for f in facts["flags"] if not f.startswith("--")]
        long = [f for f in facts["flags"] if f.startswith("--")]
        groups[facts["group"]].add_argument(
            *short, flag, *long, dest=item.name, default=argparse.SUPPRESS, type=_reader(item.type),
            metavar=facts["meta"] or ("|".join(facts["choices"]) if facts["choices"] else "WORD"),
            help=facts["help"] + shown,
        )  # fmt: skip
    groups["result"].add_argument("--resume", metavar="RUN", help="go on with a run that was cut short")
    groups["result"].add_argument("-q", "--quiet", action="store_true", help="print nothing but problems")


def _evaluate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a run folder or a model file")
    parser.add_argument(
        "source", nargs="?", metavar="FOLDER", help="labelled pictures, as for train; without it, the run's own scores"
    )
    parser.add_argument("--part", metavar="PART", help="only this part of FOLDER: train, validation or test")
    parser.add_argument("--out", metavar="FILE.json", help="also write the scores as JSON")
    parser.add_argument("--device", default="auto", metavar="WORD", help="auto, cpu, cuda, cuda:1, mps")


def _predict_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a run folder or a model file")
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="pictures, or folders of them")
    parser.add_argument("--out", metavar="FILE.csv", help="write a table with every class's probability")
    parser.add_argument("-j", "--workers", type=_whole, default=2, metavar="N", help="pictures decoded side by side")
    parser.add_argument("--device", default="auto", metavar="WORD", help="auto, cpu, cuda, cuda:1, mps")


def _summary_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "network", metavar="NETWORK", help="a name (hela, digits, ...), a line of layers, a run or a model file"
    )
    parser.add_argument("--img-size", "--imgsz", metavar="SIZE", help="64, or 66x200 for height x width")
    parser.add_argument("--channels", type=_whole, metavar="N", help="1 for grey, 3 for colour")
    parser.add_argument("--classes", type=_whole, metavar="N", help="number of classes")


def _filter_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("picture", metavar="PICTURE")
    parser.add_argument(
        "--kernel", default="edge", metavar="KERNEL",
        help="edge, highpass, horizontal, vertical, sobel, gaussian, blur, sharpen, gabor (with values, e.g. "
        '"gabor wavelength=6 orientation=45"), or rows of numbers: "0 1 0; 1 -4 1; 0 1 0"',
    )  # fmt: skip
    parser.add_argument("--stride", type=_whole, default=1, metavar="N", help="pixels from one step to the next")
    parser.add_argument("--padding", default="valid", metavar="HOW", help="valid, same, reflect, or a number of zeros")
    parser.add_argument("--out", default=".", metavar="FOLDER", help="where the two pictures go (default: here)")


def _train(options: argparse.Namespace) -> int:
    from striate.train.clock import seconds_since_start
    from striate.train.run import train

    given = {item.name: getattr(options, item.name) for item in fields(Settings) if hasattr(options, item.name)}
    if options.source and options.data:
        both = f"{options.source} and {options.data}"
        raise StriateError("pictures come from one place", received=both, where="--data")
    started = time.monotonic() - seconds_since_start()
    source = options.data if options.source is None else options.source
    run = train(source, resume=options.resume, quiet=options.quiet, started=started, **given)
    return INTERRUPTED if run.stopped else DONE


def _evaluate(options: argparse.Namespace) -> int:
    from striate.evaluate.table import score_table

    if options.source is None:
        from striate.files import read_json

        scores = dict(read_json(Path(options.model) / "scores.json"))
        print(score_table({part: scores[part] for part in ("test", "validation", "train")}))
    else:
        from striate.device import choose_device
        from striate.export.model import load_model

        scores = load_model(options.model, choose_device(options.device)).evaluate(options.source, options.part)
        print(score_table({options.part or "all": scores}))
        _tell_left_out([(item["path"], item["reason"]) for item in scores["left_out"]])
    if options.out:
        from striate.files import write_json

        write_json(Path(options.out), scores)
    return DONE


def _predict(options: argparse.Namespace) -> int:
    from striate import files
    from striate.device import choose_device
    from striate.export.model import load_model

    model = load_model(options.model, choose_device(options.device))
    rows, refused = [], []
    for one in model.predict_each(options.sources, options.workers):
        chances = [f"{p:.6f}" for p in one.probabilities.values()] or [""] * len(model.classes)
        rows.append((one.path, one.predicted, f"{one.confidence:.6f}" if one.predicted else "", *chances))
        if one.reason:
            refused.append((one.path, one.reason))
        elif not options.out:
            print(f"{printable(one.path)}\t{one.predicted}\t{100 * one.confidence:.1f} %")
    if not rows:
        asked = ", ".join(options.sources)
        raise StriateError("predict needs pictures", received=asked, remedy="give files or folders")
    if options.out:
        header = ("path", "predicted", "confidence", *(f"p_{name}" for name in model.classes))
        files.write_csv(Path(options.out), header, rows)
        print(f"{len(rows) - len(refused):,} pictures in {options.out}", file=sys.stderr)
    _tell_left_out(refused)
    if len(refused) == len(rows):
        raise StriateError("predict needs at least one readable picture", received=f"{len(rows):,} unreadable ones")
    return DONE


def _summary(options: argparse.Namespace) -> int:
    from striate.export.model import load_model
    from striate.network.catalog import CATALOG
    from striate.network.make import network
    from striate.network.summary import summary_text

    if Path(options.network).exists():
        made = load_model(options.network).network
    else:
        entry = CATALOG.get(options.network.strip())
        asked = Settings(img_size=options.img_size, channels=options.channels)
        size = asked.size or ((entry.height, entry.width) if entry else (50, 50))
        channels = asked.channels or (entry.channels if entry else 1)
        classes = options.classes
        if classes is None:
            classes = entry.classes if entry else 10
        made = network(options.network, (channels, *size), classes)
    print(made.text + "\n\n" + summary_text(made, made.input_shape))
    return DONE


def _filter(options: argparse.Namespace) -> int:
    from striate import files
    from striate.data.decode import Unreadable, decode
    from striate.data.tiff import tiff_bytes
    from striate.draw import pixels, sheets
    from striate.inside.filters import filter_picture

    path = Path(options.picture)
    try:
        picture = decode(path)
    except Unreadable as error:
        raise StriateError("the picture must be readable", received=str(error), where=path) from error
    padding = int(options.padding) if options.padding.isdigit() else options.padding
    result = filter_picture(picture, options.kernel, options.stride, padding)
    name = options.kernel.split()[0] if options.kernel[:1].isalpha() else "kernel"
    stem = Path(options.out) / f"{path.stem}-{name}"
    title = f"{options.kernel}, stride {options.stride}, padding {options.padding}"
    grey = pixels.to_uint8(result.grey[:, :, None], 0, 100)
    sheet = sheets.side_by_side(grey, result.feature_map, title, result.formula)
    shown = pixels.to_uint8(result.feature_map, 0, 100)
    files.write_bytes(stem.with_name(stem.name + ".png"), pixels.picture_png(shown))
    files.write_bytes(stem.with_name(stem.name + ".tif"), tiff_bytes(result.feature_map))
    files.write_bytes(stem.with_name(stem.name + "-side-by-side.png"), sheet)
    height, width = result.feature_map.shape
    print(f"{path}: {result.grey.shape[1]}×{result.grey.shape[0]} to {width}×{height}: {result.formula}")
    print(f"values from {result.feature_map.min():g} to {result.feature_map.max():g}")
    print(f"wrote {stem}.tif (the values), {stem}.png and {stem}-side-by-side.png")
    return DONE


def _tell_left_out(items: Sequence[tuple[str, str]]) -> None:
    if items:
        print(f"left out {len(items):,}:", file=sys.stderr)
        for path, reason in items[:5]:
            print(f"  {printable(path)}: {reason}", file=sys.stderr)


def _plain(words: list[str], known: dict[str, str]) -> list[str]:
    """`name=value` as `--name value`, for the names that the command has."""
    out = words[:1]
    for word in words[1:]:
        name, equals, value = word.partition("=")
        flag = known.get(name.replace("_", "-"))
        out += [flag, value] if equals and flag and not Path(word).exists() else [word]
    return out


def _known_options(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Every long option of a command: its name without dashes, and as written."""
    return {flag[2:]: flag for action in parser._actions for flag in action.option_strings if flag.startswith("--")}


def _refuse_unknown(unknown: list[str], known: dict[str, str], command: str) -> NoReturn:
    first = unknown[0]
    name = first.lstrip("-").partition("=")[0].replace("_", "-")
    looks_like_option = first.startswith("-") or "=" in first
    remedy = nearest(f"--{name}", list(known.values())) if looks_like_option else f"see striate {command} --help"
    if len(remedy) > 80:
        remedy = f"see striate {command} --help"
    raise StriateError(f"striate {command} knows its options", received=first, remedy=remedy)


def _reader(kind: object) -> Callable[[str], object]:
    if "int" in str(kind):
        return _whole
    return _share if "float" in str(kind) else str


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"it takes a whole number, not {text!r}") from None


def _share(text: str) -> float:
    """A number; 25% is 0.25."""
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"it takes a number, not {text!r}") from None
