"""What a model said: one record per picture, and as files: a table, another form that its task chooses by the name
(COCO, YOLO, masks), or drawn on the picture."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from striate import files
from striate.data.guard import load_readable
from striate.data.load import Source, Want
from striate.data.prepare import Shape
from striate.data.sample import Target, text_of
from striate.draw.boxes import captioned
from striate.draw.pixels import picture_png, visible
from striate.errors import StriateError
from striate.tasks.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a model says of one picture.

    predicted: in the form of a target (see data.sample): the most probable class, always text; labels, numbers, boxes
    or a mask for other tasks. "" where the picture could not be read (see `reason`). confidence: the probability of
    what is predicted, 0..1, None where the task has none. probabilities: of every output, in the model's order; for
    other tasks what is said of it. size: height and width of the picture where an answer is in its pixels. answer: as
    the task gives it. source: what was asked about, a file or the pixels themselves. note: what to know of the answer.
    """

    path: str
    predicted: Target = ""
    confidence: float | None = None
    probabilities: dict[str, float] = field(default_factory=dict, repr=False)
    reason: str = ""
    note: str = ""
    size: tuple[int, int] | None = None
    answer: object = field(default=None, repr=False, compare=False)
    source: Source | None = field(default=None, repr=False, compare=False)


def said(task: Task, answer: object) -> str:
    """An answer in a few words, and how sure it is."""
    sure = task.confidence(answer)
    return task.say(answer) + ("" if sure is None else f" ({100 * sure:.1f} %)")


def write_answers(task: Task, told: Sequence[tuple[str, object, tuple[int, int] | None]], out: Path) -> None:
    """FILE.csv with a line for each answer, blank where there is none; else what the task makes of the name `out`.

    told: (path of the picture, answer or None, its own height and width where that matters).
    """
    require_written(task, out)
    if out.suffix.lower() == ".csv":
        blank = [("",) * len(task.columns())]
        rows = (
            (path, *cells) for path, answer, _ in told for cells in (blank if answer is None else task.lines(answer))
        )
        files.write_csv(out, ("path", *task.columns()), rows)
    else:
        said = [one for one in told if one[1] is not None]
        task.save(out, said)


def write_scored(out: Path, task: Task, told: Sequence[tuple[str, object, str, Target, int]]) -> None:
    """predictions.csv: a line for each picture whose truth is known.

    told: (path of the picture, answer, part, truth, the same number for those that belong together).
    """
    errors = task.errors([one[3] for one in told], [one[1] for one in told])
    wrong = [() if task.one_label else (f"{error:.6g}",) for error in errors]  # where answer and truth do not say it
    each = zip(told, wrong, strict=True)
    rows = ((path, *task.row(said), part, text_of(true), *far, str(kin)) for (path, said, part, true, kin), far in each)
    header = ("path", *task.header(), "part", "truth", *(() if task.one_label else ("error",)), "kin")
    files.write_csv(out, header, rows)


def require_drawn(form: str) -> None:
    """Raise StriateError unless answers can be drawn on samples of this form, one of prepare.FORMS."""
    if form != "picture":
        raise StriateError("answers are drawn on pictures", received=form, where="--draw", remedy="see striate open")


def require_written(task: Task, out: Path) -> None:
    """Raise StriateError for a name that the task's answers are not written under, or where nothing can be written."""
    if out.suffix.lower() not in task.written:
        rule = f"answers of {task.name} are written as {' or '.join(task.written.values())}"
        raise StriateError(rule, received=out, where="--out", remedy="give another name")
    files.require_place(out.parent if out.suffix else out)


def draw_answer(task: Task, shape: Shape, told: Prediction, folder: Path) -> Path:
    """Write the picture that was asked about, at its own size and with the answer drawn on it, as a PNG file of its
    name (with a number where that is taken); shape: of what the model takes."""
    require_drawn(shape.form)
    picture = load_readable(told.source, Want(pick=shape.pick), told.path).picture
    place = folder / f"{files.free_name(Path(told.path).stem, lambda name: (folder / f'{name}.png').exists())}.png"
    drawn = task.drawn(visible(picture), told.answer)
    if not task.spatial:  # an answer that has no place on the picture stands below it
        sure = "" if told.confidence is None else f", {100 * told.confidence:.1f} %"
        drawn = captioned(drawn, task.say(told.answer) + sure)
    files.write_bytes(place, picture_png(drawn))
    return place
