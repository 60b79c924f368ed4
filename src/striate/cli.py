"""Words in, words out: the command line. It holds no logic and imports nothing heavy before it must."""

import argparse
import atexit
import gc
import io
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Container, Sequence
from dataclasses import Field, fields
from typing import NoReturn

import striate
from striate import commands, files, views
from striate.commands import DONE, INTERRUPTED, MENDABLE
from striate.data.header import Unreadable
from striate.errors import StriateError, in_short, nearest
from striate.network.catalog import CATALOG
from striate.train.settings import CHECK_SETTINGS, LABELS_FROM, Settings

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
    """Run one command, by default the process's own; 0 done, 2 the user can mend it, 130 stopped by Ctrl-C."""
    atexit.register(gc.freeze)  # or torch's modules are searched for garbage before the end: a sixth of a prediction
    told = (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)) if arguments is None else ()  # to end
    for number in told:
        if signal.getsignal(number) == signal.SIG_DFL:  # nohup ignores one
            signal.signal(number, signal.default_int_handler)
    code = _run(list(sys.argv[1:] if arguments is None else arguments))
    if arguments is None:
        for number in (signal.SIGINT, *told):
            signal.signal(number, signal.SIG_IGN)  # it is ending
        try:
            print(end="", flush=True)
        except OSError:  # nor could what is left be said at the very end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # Threads of `open` that come back from torch while the interpreter is taken apart would abort the process.
        if any(thread.daemon for thread in threading.enumerate()):
            atexit._run_exitfuncs()
            print(end="", flush=True)
            os._exit(code)
    return code


def _run(words: list[str]) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal without a letter shows its number
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        parser, parsers = _parsers()
        if words and not words[0].startswith("-") and words[0] not in parsers:
            remedy = nearest(words[0], [*parsers, "--help"])
            raise StriateError("a command is one that striate has", received=words[0], remedy=remedy)
        if not words:
            parser.print_help()
            return DONE
        known = _known_options(parsers[words[0]]) if words[0] in parsers else {}
        options, unknown = parser.parse_known_args(_plain(words, known))
        source = getattr(options, "source", None) or ""
        if re.match(r"[a-z]\w*(-\w+)*=", source) and not files.exists(source):
            unknown = [source, *unknown]  # no folder is called so
        if unknown:
            _refuse_unknown(unknown, known, words[0])
        code = options.run(options)
        print(end="", flush=True)  # a disk that is full is told of while it can be
        return code
    except StriateError as error:
        print(f"striate: {error}", file=sys.stderr)
        return MENDABLE
    except KeyboardInterrupt:
        print("striate: stopped", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return DONE
    except (MemoryError, OSError, RuntimeError, Unreadable) as error:
        is_full = isinstance(error, MemoryError) or "allocate" in str(error) or "out of memory" in str(error)
        if isinstance(error, RuntimeError) and not is_full:  # torch has no other kind for its memory
            raise
        rule = "a command needs files that it can read, room for what it writes, and memory"
        remedy = "a smaller --batch-size, --img-size or network needs less memory" if is_full else ""
        print(f"striate: {StriateError(rule, received=in_short(error), remedy=remedy)}", file=sys.stderr)
        return MENDABLE


def _parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    parser = _Parser(
        prog="striate",
        description="From a folder of pictures to a convolutional neural network that you can see inside.",
        epilog="striate COMMAND --help lists a command's options. Options can also be written as name=value.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"striate {striate.__version__}")
    sub = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)

    def command(name: str, text: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        made = sub.add_parser(name, help=text, description=text[:1].upper() + text[1:] + ".", allow_abbrev=False)
        made.set_defaults(run=run)
        return made

    _train_options(command("train", "train a network on a folder of pictures and score it honestly", commands.train))
    _check_options(command("check", "look for what would make scores wrong: copies, leaks, shortcuts", commands.check))
    _evaluate_options(command("evaluate", "score a trained model on labelled pictures", commands.evaluate))
    _compare_options(command("compare", "hold runs against each other, picture by picture", commands.compare))
    _predict_options(command("predict", "name the class of pictures", commands.predict))
    _serve_options(command("serve", "answer with predictions over HTTP", commands.serve))
    _export_options(command("export", "write a model as an ONNX file or as a page", commands.export))
    _convert_options(command("convert", "write pictures with boxes in another format", commands.convert))
    _open_options(command("open", "look into a trained network in the browser, or follow a training", commands.open_))
    _look_options(command("look", "show what every layer makes of a picture, as a sheet and as numbers", views.look))
    _summary_options(command("summary", "show a network layer by layer", commands.summary))
    _filter_options(command("filter", "slide a hand-made filter over a picture", views.filter_))
    return parser, sub.choices


def _train_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", nargs="?", metavar="FOLDER",
        help="FOLDER/<class>/..., FOLDER/{train,val,test}/<class>/..., a CSV or TSV table, or a file of many pictures "
        "(.npz, .idx, ...); without it, the 1,797 handwritten digits of scikit-learn",
    )  # fmt: skip
    parser.add_argument("--data", metavar="FOLDER", help="the same as FOLDER")
    groups = {name: parser.add_argument_group(title) for name, title in _TITLES.items()}
    for item in fields(Settings):
        _setting(groups[item.metadata["group"]], item, argparse.SUPPRESS)
    groups["result"].add_argument("--resume", metavar="RUN", help="go on with a run that was cut short")
    groups["result"].add_argument("--watch", action="store_true", help="open the run's page and follow the training")
    groups["result"].add_argument("-q", "--quiet", action="store_true", help="print nothing but problems")


def _settings(parser: argparse.ArgumentParser, names: Container[str], *, only_given: bool = False) -> None:
    """These fields of Settings as options; only_given: absent from the result unless they were given."""
    for item in fields(Settings):
        if item.name in names:
            _setting(parser, item, argparse.SUPPRESS if only_given else item.default)


def _setting(parser: argparse._ActionsContainer, item: Field, default: object) -> None:
    facts, flag = item.metadata, "--" + item.name.replace("_", "-")
    shown = "" if item.default is None else f" (default {item.default})"
    flags = sorted([flag, *facts["flags"]], key=lambda one: one.startswith("--"))  # short ones first
    metavar, kind = facts["meta"] or "|".join(facts["choices"]) or "WORD", _reader(item.type)
    parser.add_argument(*flags, dest=item.name, default=default, type=kind, metavar=metavar, help=facts["help"] + shown)


def _check_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="FOLDER", help="labelled pictures, as for train")
    parser.add_argument("--quick", action="store_true", help="do not look for wrong labels, which trains networks")
    parser.add_argument("--strict", action="store_true", help="exit with 2 if there is a problem")
    _settings(parser, CHECK_SETTINGS, only_given=True)
    parser.add_argument("-q", "--quiet", action="store_true", help="print nothing but what was found")


def _evaluate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a run folder or a model file")
    words = "labelled pictures, as for train; without it, the run's own scores"
    parser.add_argument("source", nargs="?", metavar="FOLDER", help=words)
    parts, words = ("train", "validation", "test"), "only this part of FOLDER, or of the run's own scores"
    parser.add_argument("--part", choices=parts, metavar="PART", help=f"{words}: train, validation or test")
    _settings(parser, LABELS_FROM, only_given=True)
    parser.add_argument("--out", metavar="FILE", help="also write the scores (.json) or every picture's answer (.csv)")
    _machine_options(parser, "workers")


def _machine_options(parser: argparse.ArgumentParser, *more: str) -> None:
    """Where a model computes, and how finely."""
    _settings(parser, ("device", *more))
    words = "auto measures whether bf16 pays, for many pictures; what is decided is the same"
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32"), metavar="auto|fp32", help=words)


def _export_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a run folder or a model file")
    words = "where it goes (default model.onnx); a name that ends in .html makes a page"
    parser.add_argument("--out", default="model.onnx", metavar="FILE", help=words)


def _convert_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="FOLDER", help="pictures with boxes, in any format that train reads")
    parser.add_argument("--to", required=True, metavar="WORD", help="voc, coco, yolo, labelme or table")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="a new folder")
    _settings(parser, ("workers",))


def _compare_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run folders; every later one is held against the first")
    words = "which pictures (default validation)"
    parser.add_argument("--part", choices=("validation", "test"), default="validation", help=words)


def _predict_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a run folder or a model file")
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="pictures, folders, films, or camera")
    parser.add_argument("--out", metavar="FILE", help="write a table (FILE.csv), or another form of the model's task")
    words = "cut larger pictures into overlapping tiles of SIZE pixels (480x640: high x wide): boxes and masks"
    parser.add_argument("--tiles", metavar="SIZE", help=words)
    parser.add_argument("--draw", metavar="FOLDER", help="write every picture with what is predicted drawn on it")
    _machine_options(parser, "workers")


def _open_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("place", metavar="RUN", help="a run folder (also one in training) or a model file")
    parser.add_argument("pictures", nargs="*", metavar="PICTURE", help="begin with these, not with a test picture")
    parser.add_argument("--tab", default="see", help="see, explain, filters, train, playground, mistakes or embedding")
    parser.add_argument("--port", type=_whole, default=0, metavar="N", help="port of 127.0.0.1 (default: a free one)")
    parser.add_argument("--no-browser", dest="browser", action="store_false", help="only say the address")
    parser.add_argument("--while-parent", action="store_true", help=argparse.SUPPRESS)  # for train --watch


def _serve_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a run folder or a model file")
    parser.add_argument("--port", type=_whole, default=8000, metavar="N", help="port (default 8000; 0: a free one)")
    words = "address to listen on (default 127.0.0.1, this machine alone; 0.0.0.0: everybody in reach)"
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help=words)
    _machine_options(parser)


def _look_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a run folder or a model file")
    parser.add_argument("picture", metavar="PICTURE")
    parser.add_argument("--layer", metavar="LAYER", help="name or number of a layer; without it, the whole network")
    parser.add_argument("--channel", type=_whole, metavar="N", help="its feature map (default: the strongest)")
    parser.add_argument("--at", metavar="Y,X", help="row and column in the map (default: where it is strongest)")
    parser.add_argument("--explain", metavar="CLASS", help="draw the heatmap for it (default: for what is predicted)")
    parser.add_argument("--versus", metavar="CLASS", help="for that class rather than this one")
    parser.add_argument("--method", metavar="METHOD", help="of the heatmap: hirescam (default), occlusion, ...")
    parser.add_argument("--out", default=".", metavar="FOLDER", help="where all files go (default: here)")


def _summary_options(parser: argparse.ArgumentParser) -> None:
    words = f"a run, a model file, a line of layers, or one of {', '.join(CATALOG)}"
    parser.add_argument("network", metavar="NETWORK", help=words)
    parser.add_argument("--img-size", "--imgsz", metavar="SIZE", help="64, or 66x200 for height x width")
    parser.add_argument("--channels", metavar="N", help="1 for grey, 3 for colour, or how many")
    parser.add_argument("--classes", type=_whole, metavar="N", help="number of classes")


def _filter_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("picture", metavar="PICTURE")
    parser.add_argument(
        "--kernel", default="edge", metavar="KERNEL",
        help="edge, highpass, horizontal, vertical, sobel, sobel-x, sobel-y, gaussian, blur, sharpen, gabor (with "
        'values, e.g. "gabor wavelength=6 orientation=45"), or rows of numbers; default edge: "0 1 0; 1 -4 1; 0 1 0"',
    )  # fmt: skip
    parser.add_argument("--stride", type=_whole, default=1, metavar="N", help="pixels from step to step (default 1)")
    parser.add_argument("--padding", default="valid", metavar="HOW", help="valid (default), same, reflect, or N zeros")
    _settings(parser, ("page",))
    parser.add_argument("--channels", metavar="N", help="which channels: 0,2 (one alone: 2,); else 1 or 3, made grey")
    parser.add_argument("--out", default=".", metavar="FOLDER", help="where the three files go (default: here)")


def _plain(words: list[str], known: dict[str, str]) -> list[str]:
    """`name=value` as `--name value`, for the names that the command has; what is told by its place goes without its
    name, to the place that it has."""
    out, placed = words[:1], {}
    for word in words[1:]:
        name, equals, value = word.partition("=")
        name = name.removeprefix("--").replace("_", "-")
        flag = None if files.exists(word) else known.get(name)
        if flag == "" and (equals or word.startswith("--")):
            placed[name] = len(out)
            out += [value] if equals else []
        else:
            out += [flag, value] if equals and flag and not word.startswith("--") else [word]
    values = [out[at] for _, at in sorted(placed.items(), key=lambda item: list(known).index(item[0])) if at < len(out)]
    for at, value in zip(sorted(placed.values()), values, strict=False):
        out[at] = value
    return out


def _known_options(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Every long option of a command: its name without dashes, and as written; "" for what is told by its place."""
    placed = {action.dest.removesuffix("s"): "" for action in parser._actions if not action.option_strings}
    flags = {flag[2:]: flag for action in parser._actions for flag in action.option_strings if flag.startswith("--")}
    return placed | ({"data": ""} if "source" in placed else {}) | flags


def _refuse_unknown(unknown: list[str], known: dict[str, str], command: str) -> NoReturn:
    first = unknown[0]
    name = first.lstrip("-").partition("=")[0].replace("_", "-")
    remedy = nearest(f"--{name}", list(filter(None, known.values())))
    if not (first.startswith("-") or "=" in first):  # no option
        first, remedy = " ".join(unknown), f"put a path with blanks in quotes, or see striate {command} --help"
    elif len(remedy) > 80:
        remedy = f"see striate {command} --help"
    raise StriateError(f"striate {command} knows its options", received=first, remedy=remedy)


def _reader(kind: object) -> Callable[[str], object]:
    if "int" in str(kind) and "str" not in str(kind):
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
