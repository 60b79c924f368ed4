"""The house itself: who may import whom, how long things may get, and a README that names every room."""

import ast
import dataclasses
import hashlib
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import striate
from striate.train.settings import Settings

ROOT = Path(striate.__file__).resolve().parent
REPOSITORY = ROOT.parent.parent
LAYERS = [
    {"errors", "callable"},
    {"files", "device", "draw", "statistics"},
    {"data", "network", "inside"},
    {"augment", "check"},
    {"evaluate"},
    {"tasks"},
    {"export"},
    {"train"},
    {"scale", "serve"},
    {"commands"},
    {"views"},
    {"cli", "__init__"},
    {"__main__"},
]
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names}
FILES = sorted(ROOT.rglob("*.py"))
ALONE = ("cli", "commands", "views", "errors", "files", "train.settings")
LIGHT = ["striate", *(f"striate.{name}" for name in ALONE)]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = {module_name(path): path for path in FILES}


def room(module: str) -> str:
    """The folder or top file that a module belongs to: striate.data.store is in data."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


@cache
def imports(path: Path, inner: bool = True) -> tuple[str, ...]:
    """Every module that a file imports; `inner` counts imports inside functions too."""
    return tuple(imported(path, inner))


def imported(path: Path, inner: bool) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree) if inner else outer(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in PATHS else str(node.module)


def outer(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when a module is imported: all but the bodies of functions."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from outer(node)


def test_every_room_has_its_layer() -> None:
    """A new folder or top file of src/striate gets its place in the import rule first."""
    rooms = {path.name for path in ROOT.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert rooms | {path.stem for path in ROOT.glob("*.py")} <= LAYER.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_go_down(path: Path) -> None:
    """A module imports from its own folder or from strictly lower layers, inside functions as well.

    `import striate` itself is allowed for its version number, which loads nothing.
    """
    mine = room(module_name(path))
    for name in imports(path):
        if name.split(".")[0] != "striate" or name == "striate" or room(name) == mine:
            continue
        assert LAYER[room(name)] < LAYER[mine], f"{mine} (layer {LAYER[mine] + 1}) imports {name}"


def graph(inner: bool) -> dict[str, set[str]]:
    return {module: {name for name in imports(path, inner) if name in PATHS} for module, path in PATHS.items()}


def test_there_is_no_cycle() -> None:
    """No module reaches itself through what it imports, inside functions as well."""
    edges = {name: found - {"striate"} for name, found in graph(inner=True).items()}
    edges["striate"] = set()
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " imports ".join([*way[way.index(name) :], name])
        if name not in done:
            for other in edges[name]:
                visit(other, (*way, name))
            done.add(name)

    for name in edges:
        visit(name, ())


def heavy(module: str, edges: dict[str, set[str]], package: str) -> bool:
    """Whether importing a module imports `package`, directly or through others of ours."""
    seen, stack = set(), [module]
    while stack:
        name = stack.pop()
        if name in seen:
            continue
        seen.add(name)
        if any(other.split(".")[0] == package for other in imports(PATHS[name], inner=False)):
            return True
        stack += edges[name]
    return False


def test_only_batches_of_data_knows_torch() -> None:
    """Looking at data starts fast: nothing else in `data` imports torch, directly or indirectly."""
    edges = graph(inner=False)
    found = {name for name in edges if name.startswith("striate.data.") and heavy(name, edges, "torch")}
    assert found == {"striate.data.batches"}


@pytest.mark.parametrize("name", LIGHT)
def test_light_modules_are_light(name: str) -> None:
    """What answers --help imports neither torch nor NumPy nor matplotlib when it is loaded."""
    edges = graph(inner=False)
    assert not [package for package in ("torch", "numpy", "matplotlib", "PIL") if heavy(name, edges, package)]


def test_draw_knows_neither_torch_nor_us() -> None:
    """Numbers become pictures; `draw` imports only errors and files of ours."""
    for path in ROOT.glob("draw/*.py"):
        for name in imports(path):
            assert name.split(".")[0] != "torch"
            assert name.split(".")[0] != "striate" or room(name) in {"draw", "errors", "files"}


def test_inside_works_on_strangers_networks() -> None:
    """Nothing of ours above layer 2 is known inside."""
    known = {"inside"} | LAYERS[0] | LAYERS[1]
    for path in ROOT.glob("inside/*.py"):
        for name in imports(path):
            assert name.split(".")[0] != "striate" or room(name) in known


def test_public_names() -> None:
    """striate.__all__ is the documented list; each name loads, and nothing else does."""
    assert {"Model", "Run", "StriateError", "check", "filters", "load", "network", "trace", "train"} <= set(
        striate.__all__
    )
    assert striate.__all__ == sorted(striate.__all__)
    for name in striate.__all__:
        assert getattr(striate, name) is not None
    assert set(striate.__all__) <= set(dir(striate))
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        _ = striate.trian


def test_importing_striate_loads_nothing() -> None:
    """import striate costs nothing; the first name used loads its own module."""
    code = (
        "import sys, striate; heavy = {'torch', 'numpy', 'matplotlib', 'PIL', 'sklearn'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert not [name for name in sys.modules if name.startswith('striate.')]\n"
        "striate.StriateError; assert not heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_files_and_functions_stay_short() -> None:
    """A file up to 350 lines, a function up to 40, the training loop up to 80, all of src up to 34,300."""
    total, long = 0, []
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        lines = len(text.splitlines())
        total += lines
        name = path.relative_to(ROOT).as_posix()
        if lines > 350:
            long.append(f"{name}: {lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                ceiling = 80 if (name, node.name) == ("train/loop.py", "_epoch") else 40
                length = node.end_lineno - node.lineno + 1
                if length > ceiling:
                    long.append(f"{name}: {node.name} has {length} lines")
    assert not long
    assert total <= 34_300


def test_no_rooms_without_a_meaning() -> None:
    """No utils, helpers, common, misc, base or core."""
    banned = {"utils", "util", "helpers", "common", "misc", "base", "core"}
    assert not [path for path in ROOT.rglob("*") if path.stem in banned]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_that_runs_code_from_files(path: Path) -> None:
    """No pickle, torch.load, allow_pickle, eval, exec or DataLoader anywhere in src."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for name in imports(path):
        assert name.split(".")[0] not in {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            assert node.attr != "DataLoader"
            assert not (node.attr == "load" and isinstance(node.value, ast.Name) and node.value.id == "torch")
        if isinstance(node, ast.Name):
            assert node.id not in {"DataLoader", "eval", "exec"}
        if isinstance(node, ast.keyword):
            assert node.arg not in {"allow_pickle", "weights_only"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_module_says_what_it_is_for(path: Path) -> None:
    """Each file with code in it starts with a docstring; users' mistakes are no asserts."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not tree.body or ast.get_docstring(tree)
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]


def test_every_test_says_what_must_hold() -> None:
    """Each test function has a docstring of its own."""
    silent = []
    for path in sorted((REPOSITORY / "tests").glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node):
                silent.append(f"{path.name}: {node.name}")
    assert not silent


def tree_of_the_readme() -> list[str]:
    """The paths of the fenced tree under the README's heading "Map", relative to the repository."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    section = re.search(r"^##+ [^\n]*\bmap\b[^\n]*\n(.*?)(?=^##? |\Z)", text, re.MULTILINE | re.DOTALL | re.IGNORECASE)
    assert section, "README.md has no heading with the word Map"
    fence = re.search(r"^```[a-z]*\n(.*?)^```", section.group(1), re.MULTILINE | re.DOTALL)
    assert fence, "no fenced tree under the heading Map"
    paths: list[str] = []
    above: list[tuple[int, str]] = []
    for line in fence.group(1).splitlines():
        match = re.match(r"^([\s│├└─|`+-]*)([\w./-]+)", line)
        if not match:
            continue
        depth, word = len(match.group(1)), match.group(2)
        above = [(at, name) for at, name in above if at < depth]
        paths.append("".join(name for _, name in above if name.endswith("/")) + word)
        above.append((depth, word))
    return paths


def test_the_readmes_map_is_true() -> None:
    """Every folder and top file of src/striate is on the map, and every path on the map exists."""
    paths = tree_of_the_readme()
    assert paths
    for path in paths:
        assert (REPOSITORY / path).exists(), f"{path} is on the map and not on the disk"
        assert (REPOSITORY / path).is_dir() == path.endswith("/"), path
    for entry in ROOT.iterdir():
        if entry.is_dir() and any(entry.glob("*.py")):
            assert f"src/striate/{entry.name}/" in paths
        elif entry.suffix == ".py" and entry.stem not in {"__main__"}:
            assert f"src/striate/{entry.name}" in paths


def test_the_environment_has_the_pip_that_messages_speak_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way of installing brings pip, once; an environment from before gets it with the next command."""
    spec = importlib.util.spec_from_file_location("make", REPOSITORY / "make.py")
    make, ran = importlib.util.module_from_spec(spec), []
    spec.loader.exec_module(make)
    monkeypatch.setattr(make, "run", lambda *words: ran.append(words))
    monkeypatch.setattr(make, "VENV", tmp_path)
    both = b"".join((REPOSITORY / name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))
    for tools, extras, name in (((), (), "striate"), (("pytest",), (), "tools"), (("pytest",), ("onnx",), "onnx")):
        (tmp_path / f"installed-{name}.txt").write_text(hashlib.sha256(both + repr(tools).encode()).hexdigest())
        for _ in range(2):
            make.install(*tools, extras=extras)
        (words,) = [words for words in ran if "--editable" in words]
        assert words[words.index("--editable") + 2 :] == ("pip", *tools)
        ran.clear()


def test_folders_that_are_functions_stay_so_and_say_what_they_take() -> None:
    """striate.train and striate.network can be called whatever was imported before. Signature and help are those of
    the function, with every option that the command has; torch stays unloaded until one asks."""
    code = (
        "import inspect, sys, striate, striate.train.settings, striate.network.text\n"
        "print('torch' in sys.modules)\n"
        "for one in (striate.train, striate.check, striate.network, striate.serve):\n"
        "    print(*inspect.signature(one).parameters)\n"
        "told = ['minutes: ' in each.__doc__ for each in (striate.train, striate.check)]\n"
        "print(one.__doc__.splitlines()[0], *told)\n"
        "print(striate.network('lenet5').output_shape, callable(striate.train))\n"
        "import striate.train.run as run; print(run.__name__)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded, *taken, said, called, module = out.splitlines()
    train, check, network, serve = (line.split() for line in taken)
    asked = [item.name for item in dataclasses.fields(Settings)]
    assert loaded == "False"
    assert train == ["source", "resume", "quiet", "watch", "started", *asked]
    assert check[:3] == ["source", "quick", "quiet"]
    assert {"group", "labels"} < set(check) < {"quick", *train}
    assert network == ["name_or_line", "input_shape", "classes", "seed"]
    assert serve[:2] == ["place", "port"]
    assert said.startswith("Answer with the predictions of the model")
    assert said.endswith("True False")
    assert (called, module) == ("(10,) True", "striate.train.run")
