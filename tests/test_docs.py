"""What README and docs say is so: commands parse, links lead somewhere, help texts are the true ones."""

import argparse
import ast
import builtins
import contextlib
import importlib
import importlib.util
import io
import re
import shlex
from pathlib import Path

import pytest

from striate import cli, commands, views
from striate.network.catalog import CATALOG
from striate.network.text import KINDS
from striate.train.settings import Settings

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = (
    "train",
    "check",
    "evaluate",
    "compare",
    "predict",
    "serve",
    "export",
    "convert",
    "open",
    "look",
    "summary",
    "filter",
)
# Shown to fail on purpose: the page teaches what the message looks like.
MEANT_TO_FAIL = {"striate train pictures/shapes --optimizer adamm", "striate trian pictures/shapes"}


def shown_commands(page: Path) -> list[str]:
    """Every `striate ...` line of the blocks marked bash or console, and within the text."""
    text = page.read_text(encoding="utf-8")
    # Within a line of text only those with an argument: `striate train` alone is a name.
    lines = list(re.findall(r"`(striate [a-z]+ [^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)))
    for kind, block in re.findall(r"```(bash|console)\n(.*?)```", text, re.DOTALL):
        wanted = [line[2:] for line in block.splitlines() if line.startswith("$ ")] if kind == "console" else None
        lines += block.splitlines() if wanted is None else wanted
    cut = (line.removeprefix(".venv/bin/") for line in lines)
    return [line for line in cut if line.startswith("striate ")]


ALL_COMMANDS = [(page.name, line) for page in PAGES for line in shown_commands(page)]


def help_of(*words: str) -> str:
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        cli.main([*words, "--help"])
    return text.getvalue()


def plain(text: str) -> str:
    """Without what depends on the width of the terminal."""
    return re.sub(r"\s+", "", text)


def test_commands_are_shown() -> None:
    """Each command appears, and the reader of this test sees that the search finds them."""
    shown = {line.split()[1] for _, line in ALL_COMMANDS}
    assert shown >= set(COMMANDS)


@pytest.mark.parametrize(("page", "line"), ALL_COMMANDS)
def test_every_shown_command_parses(page: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a command and options that exist and values that are accepted; nothing is run."""
    words = shlex.split(line, comments=True)[1:]
    if "--version" in words or "--help" in words:
        return
    seen: list[argparse.Namespace] = []
    for command in COMMANDS:
        name = f"{command}_" if command in dir(builtins) else command
        room = views if hasattr(views, name) else commands
        monkeypatch.setattr(room, name, lambda options: seen.append(options) or 0)
    if line in MEANT_TO_FAIL:
        assert cli.main(words) == 2 or _settings(seen[0]) is None
    else:
        assert cli.main(words) == 0, f"{page}: {line}"
        assert words[0] != "train" or _settings(seen[0]) is not None


def _settings(options: argparse.Namespace) -> Settings | None:
    from striate.errors import StriateError
    from striate.train.settings import settings_from

    names = Settings.__dataclass_fields__
    try:
        return settings_from({name: value for name, value in vars(options).items() if name in names})
    except StriateError:
        return None


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_the_true_one(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/commands.md shows what `striate COMMAND --help` prints (mended by docs/refresh.py)."""
    monkeypatch.setenv("COLUMNS", "100")
    words = [command] if command else []
    block = re.search(
        rf"\$ {' '.join(['striate', *words])} --help\n(.*?)(?=\n\$ |```)",
        (ROOT / "docs/commands.md").read_text(encoding="utf-8"),
        re.DOTALL,
    )
    assert block is not None
    # Python 3.13 writes "-j, --workers N" for "-j N, --workers N", so lines with two flags are compared by their words.
    known = {flag.rstrip(",") for flag in re.findall(r"--?[a-z][a-z-]*", help_of(*words))}
    assert {flag.rstrip(",") for flag in re.findall(r"--?[a-z][a-z-]*", block[1])} == known
    texts = [plain(text) for text in re.findall(r"  (\S.*)", help_of(*words)) if not text.startswith("-")]
    missing = [text for text in texts if text not in plain(block[1])]
    assert not missing, "run docs/refresh.py docs/commands.md"


def test_pages_show_what_works() -> None:
    """Commands that are shown with their output end well, but for the slips of getting-started.md; docs/refresh.py
    would write down whatever they say."""
    told = {page.name for page in PAGES if re.search(r"^striate: ", page.read_text(encoding="utf-8"), re.MULTILINE)}
    assert told == {"getting-started.md"}
    compared = re.findall(r"^\$ striate compare .*\n(?!\$|```)", (ROOT / "docs/evaluate.md").read_text(), re.MULTILINE)
    assert len(compared) == 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file, and its part after # a heading of that file."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{page.name}: {target}"


def test_every_folder_has_its_page() -> None:
    """docs/FOLDER.md exists for each folder of the package, and README leads to every page."""
    folders = {path.name for path in (ROOT / "src/striate").iterdir() if (path / "__init__.py").is_file()}
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert folders <= pages
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [page for page in sorted(pages) if f"(docs/{page}.md)" not in readme] == []


def test_notation_page_is_complete() -> None:
    """Every layer and every value of the notation is on the page, and every network of the catalogue."""
    text = (ROOT / "docs/network.md").read_text(encoding="utf-8")
    for kind, values in KINDS.items():
        row = re.search(rf"^\| `{re.escape(kind)}[ `(].*$", text, re.MULTILINE)
        assert row is not None, kind
        assert all(f"`{name}`" in row[0] for name in values), kind
    assert all(f"`{name}`" in text for name in CATALOG)


def test_no_place_of_one_machine_is_named() -> None:
    """Paths shown are those of a reader, not of whoever wrote the page."""
    for page in PAGES:
        assert not re.search(r"/(tmp|root|work|mnt)/", page.read_text(encoding="utf-8")), page.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_shown_python_is_python(page: Path) -> None:
    """Blocks marked python compile, and what they take from striate is there."""
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("striate"):
                module = importlib.import_module(str(node.module))
                assert all(
                    hasattr(module, alias.name) or _is_module(f"{node.module}.{alias.name}") for alias in node.names
                )


def _is_module(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def test_first_python_of_the_tutorials_page_runs() -> None:
    """The moved picture gives the moved map: the block asserts it itself."""
    text = (ROOT / "docs/tutorials.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert "assert np.array_equal" in block
    exec(compile(block, "tutorials.md", "exec"), {})
