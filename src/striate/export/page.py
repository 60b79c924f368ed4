"""A model as one page that computes by itself: dropped pictures and drawings are answered in the browser.

The page holds the graph of the whole model, its weights in base64 and the modules of `web` that compute and draw. It
needs no server, no network and nothing of ours installed; whenever it is opened, it answers a picture of noise and
holds that against what torch said of it.
"""

import base64
import json
import re
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote

import numpy as np

from striate import files
from striate.data.prepare import Preparation
from striate.data.wording import NOUNS, extent
from striate.draw import colours
from striate.errors import StriateError, counted
from striate.evaluate.named import interval, label
from striate.export.passes import Passes
from striate.export.whole import Whole, Written, whole
from striate.inside.trace import OTHERS
from striate.network.blocks import Ensemble
from striate.tasks.task import Task

WEB = Path(__file__).parent.parent / "web"
MODULES = (
    "dom.js", "colour.js", "atlas.js", "graph.js", "answers.js", "numbers.js", "copy.js", "ledger.js", "arithmetic.js",
    "within.js", "alone.js",
)  # fmt: skip
STYLES = ("style.css", "predict.css")
PLAIN = " !$&'()*+,/:;=?@[]^`{|}"  # stays as it is in an address of data, which is shorter than base64
LARGEST = 300_000_000  # bytes of weights: in base64 all of them have to fit into one string of the browser


def write_page(passes: Passes, name: str, run: Path | None, path: Path) -> Written:
    """Write a model as a page called `name`; run: the folder that knows its score.

    Raises StriateError for what a browser cannot read or the page cannot show: other pictures than those of 8 bits in
    grey or RGB, pages and channels chosen of a file, masks and boxes, very large networks; and for a network that has
    no finite answers.
    """
    task, shape, remedy = passes.task, passes.preparation.shape, "give --out a name that ends in .onnx"
    can = shape.form == "picture" and shape.depth == "uint8" and shape.channels in (1, 3)
    if not can or task.spatial or shape.page or shape.picked or shape.mirrored:
        rule = "a page answers whole pictures of 8 bits, grey or RGB, with classes, labels or numbers"
        chosen = f", page {shape.page}" * bool(shape.page) + f", channels {shape.picked}" * bool(shape.picked)
        received = f"a model for {task.name} that sees {extent(shape)}{chosen}"
        raise StriateError(rule, received=received, where=path, remedy=remedy)
    made = whole(passes)
    weights = sum(array.nbytes for array in made.graph.constants.values())
    if weights > LARGEST:
        rule, received = f"a page holds at most {LARGEST / 1e6:,.0f} MB of weights", f"{weights / 1e6:,.0f} MB"
        raise StriateError(rule, received=received, where=path, remedy=remedy)
    if not np.isfinite(made.expected).all():
        rule, remedy = "a model answers with finite numbers", "train again with a lower learning rate (--lr)"
        raise StriateError(rule, received="NaN or infinity", where=path, remedy=remedy)
    model = {**introduced(task, passes.preparation, name, run), **_computed(made, passes)}
    parts = {
        "ICON": _base64((WEB / "icon.svg").read_bytes()),
        "STYLE": "\n".join((WEB / name).read_text("utf-8") for name in STYLES),
        "IMPORTS": json.dumps({"imports": {f"striate/{name}": _module(name) for name in MODULES}}),
        "MODEL": json.dumps(model).replace("<", "\\u003c"),
    }
    text = re.sub("|".join(parts), lambda found: parts[found[0]], (WEB / "alone.html").read_text("utf-8"))
    files.write_bytes(path, text.encode())
    return Written(f"{shape.channels} × {shape.height} × {shape.width}", made.gives, None)


def introduced(task: Task, preparation: Preparation, name: str, run: Path | None) -> dict[str, object]:
    """What a page says of its model; test: the score that counts on the run's test part, with its interval, the number
    of pictures, and all that in words."""
    form, test = preparation.shape.form, None
    scores = run / "scores.json" if run else None
    told = dict(files.read_json(scores)).get("test") or {} if scores and scores.is_file() else {}
    if "main" in told and told["n"]:
        main = told["main"]
        said = f"{label(main, told)} {interval(told[main], main)} on {counted(told['n'], 'picture')}"
        test = {"score": main, **told[main], "n": told["n"], "said": said}
    about = {"name": name, "task": task.name, "classes": task.classes, "shares": task.shares, "test": test}
    return {**about, "sees": extent(preparation.shape), "nouns": NOUNS.get(form, ("picture", "pictures"))}


def _computed(made: Whole, passes: Passes) -> dict[str, object]:
    """The graph, and what the page needs to turn pictures into its input and its output into answers."""
    preparation = passes.preparation
    return {
        "shape": asdict(preparation.shape),
        "dark": float(np.mean(preparation.mean)) < 0.5,
        "ending": passes.task.ending,
        "facts": asdict(passes.task),
        "gives": made.gives,
        "nodes": [node._asdict() for node in made.graph.nodes],
        "constants": {name: _constant(array) for name, array in made.graph.constants.items()},
        "layers": _layers(made, passes),
        "check": {"picture": _base64(made.pictures[0].tobytes()), "answer": made.expected[0].tolist()},
        "colours": colours.tables(),
    }


def _layers(made: Whole, passes: Passes) -> list[tuple[str, str, str]]:
    """The value, the name and the class of every layer in the order of execution: of an ensemble those of the first
    member, and of the picture itself, not of its mirrored views."""
    names = {layer: name for name, layer in passes.network.named_modules()}
    first = {layer: value for value, layer in reversed(made.graph.made.items())}
    known = ((value, names[layer], layer) for layer, value in reversed(first.items()) if not OTHERS.match(names[layer]))
    return [(value, name, type(layer).__name__) for value, name, layer in known if not isinstance(layer, Ensemble)]


def _constant(array: np.ndarray) -> dict[str, object]:
    whole_numbers = array.dtype.kind == "i"
    return {"dims": array.shape, "data": array.ravel().tolist() if whole_numbers else _base64(array.tobytes())}


def _module(name: str) -> str:
    """A module without its comments, as an address that holds it; it finds the others by names, since such an address
    has no folder."""
    text = (WEB / name).read_text("utf-8").replace('from "./', 'from "striate/')
    text = re.sub(r"^ *(/\*.*?\*/|//[^\n]*)\n", "", text, flags=re.MULTILINE | re.DOTALL)
    return f"data:text/javascript,{quote(text, safe=PLAIN)}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
