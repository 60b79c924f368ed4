"""What a model said, as files: a table, or the form that its task chooses by the name (COCO, YOLO, masks)."""

from collections.abc import Sequence
from pathlib import Path

from striate import files
from striate.tasks.task import Task


def write_answers(task: Task, told: Sequence[tuple[str, object, tuple[int, int] | None]], out: Path) -> None:
    """FILE.csv with a line for each answer, blank where there is none; else what the task makes of the name `out`.

    told: (path of the picture, answer or None, its own height and width where that matters).
    """
    if out.suffix.lower() == ".csv":
        blank = [("",) * len(task.columns())]
        rows = (
            (path, *cells) for path, answer, _ in told for cells in (blank if answer is None else task.lines(answer))
        )
        files.write_csv(out, ("path", *task.columns()), rows)
    else:
        task.save(out, [one for one in told if one[1] is not None])
