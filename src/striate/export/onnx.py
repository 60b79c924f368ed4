"""A model as one ONNX file, which other programs run without Striate or torch.

It is asked in ONNX Runtime before it is said to be there.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

import numpy as np

import striate
from striate import files
from striate.data.guard import load_each
from striate.data.load import Want
from striate.data.prepare import Shape
from striate.data.sample import evenly
from striate.data.symbols import KNOWN
from striate.errors import StriateError, counted
from striate.export.passes import Passes
from striate.export.whole import ASKED, PICTURES, Whole, Written, whole
from striate.network.build import shape_text

OPSET, FORMAT = 17, 8  # no newer than the nodes need, for programs that are not new
TESTED = 100  # pictures of a run,
TESTED_NUMBERS, TESTED_OPERATIONS = 5e7, 1e12  # as far as answers to all of them have no more
APART = 1e-3  # of the largest answer, or of 1, that ONNX Runtime may be off


def write_onnx(passes: Passes, about: Mapping[str, object], path: Path, run: Path | None = None) -> Written:
    """Write a model; about: facts that go into the file. run: whose test pictures it is asked about too.

    Input "pictures": (N, H, W, C) as the model prepares them, N free. Output: (N, K) or (N, K, h, w), see ENDINGS.
    Raises StriateError where the name ends otherwise, the extra is missing, the network is not a line of layers, or
    answers do not agree.
    """
    if path.suffix.lower() != ".onnx":
        raise StriateError("a model is written as FILE.onnx or FILE.html", received=path, where="--out")
    onnx, runtime = _packages()
    shape = passes.preparation.shape
    most = min(TESTED, TESTED_NUMBERS // np.prod(passes.network.output_shape), passes.within(TESTED_OPERATIONS))
    made = whole(passes, _tested(run, shape, int(most)) if run and most >= 1 else ())
    data = _model(onnx, made, shape, _facts(passes, about))
    session = runtime.InferenceSession(data, providers=["CPUExecutionProvider"])
    parts = (made.pictures[first : first + ASKED] for first in range(0, len(made.pictures), ASKED))
    answers = np.concatenate([session.run(None, {PICTURES: part})[0] for part in parts])
    apart, tested = float(np.abs(answers - made.expected).max()), len(answers) - ASKED
    if not apart <= APART * max(float(np.abs(made.expected).max()), 1):
        rule, received = "answers of an ONNX file agree with those of the model", f"a difference of {apart:.2g}"
        remedy = "use the model file, and report this with the network's line"
        raise StriateError(rule, received=received, where=path, remedy=remedy)
    files.write_bytes(path, data)
    takes, gives = (shape_text(("N", *sizes)) for sizes in (shape.stored, made.expected.shape[1:]))
    placed = ", placed, not stretched, and filled up by mirroring" * shape.mirrored
    same = (answers.argmax(axis=1) == made.expected.argmax(axis=1))[ASKED:].sum() if passes.task.one_label else tested
    told = f", and alike for {same:,} of {counted(tested, 'test picture')}" * bool(tested)
    return Written(f"{PICTURES} ({takes}, {shape.depth}{placed})", f"{made.gives} ({gives}, float32)", apart, told)


def _tested(run: Path, shape: Shape, most: int) -> list[np.ndarray]:
    """Up to `most` test pictures (1, H, W, C) of a run as the model prepares them, of those whose files are there."""
    try:
        source = Path(files.named(files.settings_of(run)["run"]["source"]))
        names = evenly([row["path"] for row in files.read_csv(run / "data.csv") if row["part"] == "test"], most)
    except (StriateError, OSError, LookupError):  # a model in a folder that is no run
        return []
    paths = [Path(files.named(str((source.parent if source.is_file() else source) / name))) for name in names]
    there = [(path, path) for path in paths if path.is_file()]
    return [one.picture[None] for _, one in load_each(there, Want(shape=shape), 1) if one.picture is not None]


def _model(onnx: ModuleType, made: Whole, shape: Shape, facts: Mapping[str, str]) -> bytes:
    helper, convert = onnx.helper, onnx.numpy_helper.from_array
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(shape.depth))
    takes = helper.make_tensor_value_info(PICTURES, kind, ["N", *shape.stored])
    gives = helper.make_tensor_value_info(made.gives, onnx.TensorProto.FLOAT, ["N", *made.expected.shape[1:]])
    nodes = [helper.make_node(node.kind, node.inputs, [node.name], **node.attributes) for node in made.graph.nodes]
    constants = [convert(array, name) for name, array in made.graph.constants.items()]
    graph = helper.make_graph(nodes, "striate", [takes], [gives], constants)
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(graph, producer_name="striate", ir_version=FORMAT, opset_imports=[opset])
    helper.set_model_props(model, dict(facts))
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _packages() -> tuple[ModuleType, ModuleType]:
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        rule, remedy = "ONNX files are written with the packages onnx and onnxruntime", "pip install 'striate[onnx]'"
        raise StriateError(rule, received=f"no {error.name}", remedy=remedy) from error
    return onnx, onnxruntime


def _facts(passes: Passes, about: Mapping[str, object]) -> dict[str, str]:
    """What a program can read from the file: plain words, and JSON."""
    told = {
        "task": passes.task.name,
        "classes": passes.task.classes,
        "facts": asdict(passes.task),
        "preparation": passes.preparation.to_dict(),
        "about": {"striate": striate.__version__, **about},
        **({"letters": KNOWN} if passes.preparation.shape.form == "text" else {}),
    }
    return {name: fact if isinstance(fact, str) else json.dumps(fact) for name, fact in told.items()}
