"""Runs every command that the pages show and writes its true output under it: python docs/refresh.py [PAGE.md ...]

In a block marked `console`, lines that start with "$ " are commands and the rest is what they printed. The
commands of a page run in order, in one empty folder that holds nothing but examples/; the page shows that
folder as /home/you/striate.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
SHOWN_AS = "/home/you/striate"
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
# So that pages show what an installed Striate prints, without asking that it be installed.
NAMES = f'striate() {{ "{sys.executable}" -m striate "$@"; }}; python3() {{ "{sys.executable}" "$@"; }}; '


def refresh(page: Path) -> None:
    """The page with what its commands print today."""
    text = page.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "examples").symlink_to(ROOT / "examples")
        page.write_text(BLOCK.sub(lambda block: _run_block(block[1], scratch), text), encoding="utf-8")


def _run_block(block: str, folder: str) -> str:
    commands = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    shown = [f"$ {command}\n{_output(command, folder)}" for command in commands]
    return "```console\n" + "".join(shown) + "```"


def _output(command: str, folder: str) -> str:
    print(f"$ {command}", flush=True)
    paths = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    environment = {**os.environ, "COLUMNS": "100", "PYTHONPATH": paths}
    done = subprocess.run(
        ["bash", "-c", NAMES + command], cwd=folder, env=environment, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    text = done.stdout.replace(os.path.realpath(folder), SHOWN_AS).replace(folder, SHOWN_AS)
    return text if not text or text.endswith("\n") else text + "\n"


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(str(path) for path in DOCS.glob("*.md")):
        refresh(Path(name))
