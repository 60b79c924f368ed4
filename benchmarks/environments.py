"""Environments of the other libraries, so that none disturbs another: python benchmarks/environments.py [NAME ...]

Each is made under benchmarks/.envs/NAME from the list below. STRIATE_BENCH_ENVS may name a folder that holds
ready-made ones under the same names. A benchmark whose environment is missing says so and goes on without it.
"""

import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(os.environ.get("STRIATE_BENCH_ENVS") or Path(__file__).resolve().parent / ".envs")
# The versions that the published figures were measured with. On Linux plain `torch` brings CUDA; where only a
# processor is used, an index with CPU wheels given to pip (PIP_EXTRA_INDEX_URL) saves gigabytes.
REQUIREMENTS = {
    "tensorflow": ("keras==3.15.1", "tensorflow-cpu==2.21.0", "pillow==13.0.0"),
    "jax": ("keras==3.15.1", "jax==0.10.2", "tensorflow-cpu==2.21.0", "pillow==13.0.0"),
    "torch": (
        "torch==2.14.1",
        "torchvision==0.29.1",
        "fastai==2.8.12",
        "timm==1.0.31",
        "lightning==2.6.6",
        "ultralytics==8.4.190",
    ),
}
OWN = "striate"  # the environment that runs these scripts


def python_of(name: str) -> Path | None:
    """The Python of an environment, or None where it has not been made; OWN is the one running."""
    if name == OWN:
        return Path(sys.executable)
    inside = "Scripts/python.exe" if sys.platform == "win32" else "bin/python"
    path = FOLDER / name / inside
    return path if path.exists() else None


def packages_of(name: str) -> tuple[str, ...]:
    """The names of what an environment is for, without versions."""
    if name == OWN:
        return ("striate", "torch", "numpy", "pillow")
    return tuple(requirement.partition("==")[0] for requirement in REQUIREMENTS[name])


def make(name: str) -> None:
    """The environment `name` with its packages; one that is there already is brought to these versions.

    pip works from outside: Debian's Python cannot put pip into an environment without one more package.
    """
    if python_of(name) is None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(FOLDER / name)], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(python_of(name)), "install", "--quiet"]
    subprocess.run([*pip, *REQUIREMENTS[name]], check=True)
    print(f"{name}: {', '.join(REQUIREMENTS[name])}")


if __name__ == "__main__":
    for wanted in sys.argv[1:] or REQUIREMENTS:
        if wanted not in REQUIREMENTS:
            sys.exit(f"environments.py: no environment {wanted!r}; choose from {', '.join(REQUIREMENTS)}")
        make(wanted)
