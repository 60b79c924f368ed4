"""What each command does with its words: one function per command, which returns the exit code.

Nothing heavy is imported before a command needs it.
"""

import argparse
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path

from striate import files
from striate.data.header import Unreadable
from striate.errors import StriateError, counted, first_few, printable
from striate.train.settings import CHECK_SETTINGS, LABELS_FROM, Settings, size_of

DONE, MENDABLE, INTERRUPTED = 0, 2, 130
SHOWN = 5  # pictures that were left out, of which the reason is printed


def train(options: argparse.Namespace) -> int:
    from striate.train import run as training
    from striate.train.clock import seconds_since_start
    from striate.train.page import Page

    given = _given(options, [item.name for item in fields(Settings)])
    if options.source and options.data:
        both = f"{options.source} and {options.data}"
        raise StriateError("pictures come from one place", received=both, where="--data")
    started = time.monotonic() - seconds_since_start()
    source = options.data if options.source is None else options.source
    with Page(quiet=options.quiet) as page:
        watch = page if options.watch else None
        run = training.train(source, resume=options.resume, quiet=options.quiet, watch=watch, started=started, **given)
        if not run.stopped:
            page.stay()
    return INTERRUPTED if run.stopped else DONE


def check(options: argparse.Namespace) -> int:
    """Exit code 0 whatever was found, unless --strict was given and there is a problem."""
    from striate.check.finding import told
    from striate.train import doctor

    given = _given(options, CHECK_SETTINGS)
    found = doctor.check(options.source, quick=options.quick, quiet=options.quiet, **given)
    print(told(found, min(shutil.get_terminal_size().columns, 110)))
    folder = doctor.folder_of(options.source, given.get("out", Settings.out))
    print(f"\nwrote {folder / 'check.html'} (with pictures), and check.json and data.csv (every file) beside it")
    suggested = next((item.figures["option"] for item in found.findings if "option" in item.figures), "")
    if not {"single", "one-class"} & {item.kind for item in found.findings}:
        again = [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        print(f"next: striate train {shlex.join([options.source, *again])} {suggested}".rstrip())
    return MENDABLE if options.strict and found.of("problem") else DONE


def evaluate(options: argparse.Namespace) -> int:
    from striate.evaluate.named import score_table, warnings

    labels_from = _given(options, LABELS_FROM)
    kind = Path(options.out or "scores.json").suffix.lower()
    if kind not in (".csv", ".json"):
        raise StriateError("scores are written as FILE.json, answers as FILE.csv", received=options.out, where="--out")
    table = options.out if kind == ".csv" else None
    if options.source is None:
        asked = [f"--{name.replace('_', '-')}" for name in labels_from] + [f"--out {table}"] * bool(table)
        if asked or Path(options.model).is_file():
            rule = "without FOLDER, evaluate shows what a run folder says of itself"
            remedy = "name labelled pictures, as in striate evaluate MODEL FOLDER; a run's predictions.csv has its own"
            raise StriateError(rule, received=first_few(asked) or "a file", where=options.model, remedy=remedy)
        judged = scores = dict(files.scores_of(Path(options.model)))
        shown = {part: scores[part] for part in ("test", "validation", "train") if options.part in (None, part)}
        scores = scores[options.part] if options.part else scores
    else:
        from striate.export.model import load_model

        files.require_place(Path(options.out or ".").parent)
        model = load_model(options.model, options.device, options.precision)
        scores = model.evaluate(options.source, options.part, options.workers, out=table, **labels_from)
        shown, judged = {options.part or "all": scores}, {"test": scores}
    print(score_table(shown))
    for warning in warnings(judged):
        print(f"Mind      {warning}", file=sys.stderr)
    left = [(item["path"], item["reason"]) for item in scores.get("left_out", ())]
    _tell_left_out(left, _listed(left, table))
    if options.out and not table:
        files.write_json(Path(options.out), scores)
    return DONE


def compare(options: argparse.Namespace) -> int:
    from striate.evaluate.compare import compared

    print(compared(options.runs, options.part))
    return DONE


def predict(options: argparse.Namespace) -> int:
    _warm(min(options.workers, 1))
    from striate.export.underway import ask

    told, passed, code = [], [], DONE
    with ask(options.model, options.sources, options.workers, passed) as asked:  # decoded while torch is imported
        from striate.export.answers import require_drawn, require_written
        from striate.export.model import load_model

        model = load_model(options.model, options.device, options.precision)
        if options.out:  # thousands of answers are not to be lost for a name
            require_written(model.task, Path(options.out))
        if options.draw:
            require_drawn(model.preparation.shape.form)
        tiles = size_of(options.tiles, "tiles") if options.tiles else None
        try:
            for one in model.predict_each(asked, options.workers, tiles):
                told.append(replace(one, source=None))  # frames of a film would fill the memory
                if not (one.reason or options.out):
                    sure = "" if one.confidence is None else f"\t{100 * one.confidence:.1f} %"
                    print(f"{printable(one.path)}\t{model.task.say(one.answer)}{sure}")
                if options.draw and not one.reason:
                    _drawn(model.draw_into, Path(options.draw), one)
        except (KeyboardInterrupt, StriateError) as stop:  # what a night has answered is kept
            if not (options.out and told):
                raise
            if isinstance(stop, StriateError):
                model.save_predictions(options.out, told)
                print(f"striate: {counted(len(told), 'answer')} so far in {options.out}", file=sys.stderr)
                raise
            print("striate: stopped before the last picture", file=sys.stderr)
            code = INTERRUPTED
    if options.out and told:
        model.save_predictions(options.out, told)
    _tell_answers(options, told, passed, model.preparation.shape.form, getattr(asked, "note", ""))
    return code


def _drawn(draw: Callable, folder: Path, one: object) -> None:
    """Draw an answer; a picture that has gone since it was read is told of."""
    try:
        draw(folder, one)
    except StriateError as error:
        if not isinstance(error.__cause__, Unreadable):
            raise
        print(f"Mind      {printable(one.path)} is not drawn: {error.__cause__}", file=sys.stderr)


def _tell_answers(options: argparse.Namespace, told: Sequence, passed: Sequence, form: str, note: str) -> None:
    """How many there are, and of what there are none."""
    from striate.data.wording import worded

    refused = [(one.path, one.reason) for one in told if one.reason]
    others = f"{counted(len(passed), 'other')}: {first_few([item.said for item in passed], 3)}" if passed else ""
    if not told:
        received = others or ", ".join(options.sources)
        raise StriateError("predict needs pictures", received=received, remedy="give files or folders")
    if options.out:
        print(worded(counted(len(told) - len(refused), "picture"), form), "in", options.out, file=sys.stderr)
    if others:
        print(printable(f"passed over {others}"), file=sys.stderr)
    if note:
        print(f"Mind      {note}", file=sys.stderr)
    _tell_left_out(refused, _listed(refused, options.out))
    if len(refused) == len(told):
        raise StriateError(worded("predict needs at least one readable picture", form), received=f"0 of {len(told):,}")


def export(options: argparse.Namespace) -> int:
    from striate.export.model import load_model

    model = load_model(options.model)
    written = model.export(options.out)
    size = Path(options.out).stat().st_size / 1e6
    print(f"Wrote     {options.out} ({size:,.2f} MB): {written.takes} to {written.gives}")
    if written.apart is None:
        print(f"Next      open {options.out} in a browser: it computes by itself, and holds itself against torch")
        return DONE
    print(f"Checked   ONNX Runtime is within {written.apart:.1g} of torch{written.tested}")
    print("Next      docs/export.md has the lines that ask it in Python")
    return DONE


def convert(options: argparse.Namespace) -> int:
    from striate.data.annotated import read_boxes
    from striate.data.convert import LOST, write_boxes

    found = write_boxes(read_boxes(Path(options.source), workers=options.workers), options.to, Path(options.out))
    boxes = sum(len(sample.target.names) for sample in found.samples)
    print(f"{found.labels}: {len(found.samples):,} pictures with {boxes:,} boxes in {options.out}")
    for note in found.notes:
        print(note, file=sys.stderr)
    _tell_left_out([(item.path, item.reason) for item in (*found.left_out, *found.mended)], Path(options.out) / LOST)
    return DONE


def open_(options: argparse.Namespace) -> int:
    _warm()
    from striate.serve.start import open_page

    open_page(options.place, **_given(options, ("pictures", "port", "browser", "tab", "while_parent")))
    return DONE


def serve(options: argparse.Namespace) -> int:
    _warm()
    from striate.serve.start import serve

    serve(options.model, **_given(options, ("port", "host", "device", "precision")))
    return DONE


def summary(options: argparse.Namespace) -> int:
    from striate.export.model import load_model
    from striate.network.build import network
    from striate.network.catalog import CATALOG
    from striate.network.summary import summary_text

    form = "picture"
    meant = files.exists(options.network) or "/" in options.network or Path(options.network).suffix == ".safetensors"
    if meant and options.network.strip() not in CATALOG:
        model = load_model(options.network)
        made, form = model.network, model.preparation.shape.form
    else:
        channels, size, classes = 1, (50, 50), 10
        if entry := CATALOG.get(options.network.strip()):
            channels, size, classes = entry.channels, (entry.height, entry.width), entry.classes
        asked = Settings(img_size=options.img_size, channels=options.channels)
        shape = (asked.channel_count or channels, *(asked.size or size))
        made = network(options.network, shape, classes if options.classes is None else options.classes)
    print(made.text + "\n\n" + summary_text(made, made.input_shape, form))
    return DONE


def _given(options: argparse.Namespace, names: Sequence[str]) -> dict[str, object]:
    """These of the options, as far as they are there: a setting is where it was given."""
    return {name: getattr(options, name) for name in names if hasattr(options, name)}


def _warm(workers: int = 1) -> None:
    """Have what decodes pictures get ready while torch is imported."""
    from striate.data.guard import warm

    warm(workers)


def _listed(items: Sequence[tuple[str, str]], out: str | None) -> Path | None:
    """A table of what was left out, if anything was, beside the file or in the folder `out` that was written."""
    from striate.data.convert import LOST

    if not (items and out):
        return None
    listed = Path(out).with_name(f"{Path(out).stem}-{LOST}") if Path(out).suffix else Path(out, LOST)
    files.write_csv(listed, ("path", "reason"), items)
    return listed


def _tell_left_out(items: Sequence[tuple[str, str]], listed: Path | None = None) -> None:
    """The first few of these pictures; `listed` has all."""
    if items:
        print(f"left out {len(items):,}:", file=sys.stderr)
        for path, reason in items[:SHOWN]:
            print(f"  {printable(path)}: {reason}", file=sys.stderr)
        if len(items) > SHOWN:
            print(f"  and {len(items) - SHOWN:,} more{f'; all are in {listed}' if listed else ''}", file=sys.stderr)
