"""The one door for people and CI: python3 make.py digits | test | test-all | check | clean.

Needs Python 3.11 and pip and nothing else; everything is installed into .venv beside this file.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
# captum is what heatmaps are held against; playwright drives the browser that is installed, and axe looks for what
# shuts people out.
TEST_TOOLS = (
    "pytest>=8", "pytest-xdist>=3.6", "ruff>=0.8", "scipy>=1.13", "hypothesis>=6.100", "captum>=0.9",
    "playwright>=1.50", "axe-playwright-python>=0.1.4",
)  # fmt: skip
# Two tests at a time, one thread each, so that they do not wait for each other's threads.
PYTEST = ("-m", "pytest", "-q", "-n", "2", "--dist", "worksteal")


def install(*tools: str, extras: tuple[str, ...] = ()) -> None:
    """Striate with `extras`, and `tools`, into .venv, unless that was done with these very files before. pip goes there
    too: messages and pages say `pip install 'striate[onnx]'`, and any other pip would look for that on an index."""
    wanted = hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")))
    wanted.update(repr(("pip", *tools)).encode())
    stamp = VENV / f"installed-{'-'.join(extras) or ('tools' if tools else 'striate')}.txt"
    if stamp.is_file() and stamp.read_text() == wanted.hexdigest():
        return
    if not PYTHON.exists():
        # Debian's Python cannot put pip into a virtual environment without one more package, but its pip can
        # install into one from outside.
        run(sys.executable, "-m", "venv", "--without-pip", str(VENV))
    print("Installing into .venv (torch is large: a minute or more) ...", flush=True)
    run(
        sys.executable, "-m", "pip", "--python", str(PYTHON), "install", "--quiet", "--constraint",
        str(ROOT / "constraints.txt"), "--editable", f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT),
        "pip", *tools,
    )  # fmt: skip
    stamp.write_text(wanted.hexdigest())


def every_extra() -> tuple[str, ...]:
    """The optional parts that pyproject.toml knows."""
    return tuple(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])


def run(*command: str, **environment: str) -> None:
    """Run a command here; end with its exit code when it fails."""
    code = subprocess.call(command, cwd=ROOT, env=os.environ | environment)
    if code:
        sys.exit(code)


def main(target: str) -> None:
    if target == "digits":
        install()
        run(str(PYTHON), "-m", "striate", "train")
    elif target in ("test", "test-all"):
        install(*TEST_TOOLS, extras=every_extra() if target == "test-all" else ())
        run(str(PYTHON), *PYTEST, OMP_NUM_THREADS="1")
    elif target == "check":
        install(*TEST_TOOLS)
        run(str(PYTHON), "-m", "ruff", "check", ".")
        run(str(PYTHON), "-m", "ruff", "format", "--check", ".")
    elif target == "clean":
        shutil.rmtree(VENV, ignore_errors=True)
    else:
        sys.exit(f"make.py: no target {target!r}; choose digits, test, test-all, check or clean")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "digits")
