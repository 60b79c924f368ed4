"""What every result holds besides its figures: machine and versions, and how figures are put together.

A result is one JSON file in benchmarks/results/ with "kind" (which script made it), "machine", "versions" and
"settings" beside what was measured. Every single value is kept; medians and intervals can be made again from them.
"""

import contextlib
import json
import os
import platform
import random
import statistics
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from environments import OWN, packages_of, python_of

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).resolve().parent / "results"
DRAWS = 10_000  # of the bootstrap
PASSED_ON = ("ONEDNN_MAX_CPU_ISA", "OMP_NUM_THREADS")


def begin(kind: str, settings: dict, environments: Iterable[str] = (OWN,)) -> dict:
    """A record to be filled: what it is, when and where it is measured, with which versions."""
    return {
        "kind": kind,
        "started": time.strftime("%Y-%m-%d %H:%M"),
        "machine": machine() | ({"gpu": _gpu()} if settings.get("device") == "cuda" else {}),
        "versions": {name: versions(name) for name in dict.fromkeys([OWN, *environments])},
        "settings": settings,
    }


def machine() -> dict:
    """The processor, how much of it may be used, and how busy it was at the start."""
    flags = _cpuinfo("flags").split()
    units = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags]
    return {
        "processor": _cpuinfo("model name") or platform.processor() or platform.machine(),
        "units": units,
        "cores": cores(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "load": round(os.getloadavg()[0], 2),
        "environment": {name: os.environ[name] for name in PASSED_ON if name in os.environ},
    }


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions(environment: str) -> dict[str, str]:
    """Python's version and those of an environment's packages; empty where it is not there."""
    python = python_of(environment)
    if python is None:
        return {}
    code = (
        "import json, platform, sys; from importlib import metadata\n"
        "found = {'python': platform.python_version()}\n"
        "for name in sys.argv[1:]:\n"
        "    try: found[name] = metadata.version(name)\n"
        "    except metadata.PackageNotFoundError: pass\n"
        "print(json.dumps(found))"
    )
    out = subprocess.run([str(python), "-c", code, *packages_of(environment)], capture_output=True, text=True)
    found = json.loads(out.stdout or "{}")
    if environment == OWN:
        found["striate"] = _own_version()
    return found


def median_of(values: Sequence[float]) -> dict:
    """Median with a 95 % bootstrap interval (percentiles; a fixed seed) and the values themselves."""
    low, high = interval(values)
    return {
        "median": statistics.median(values), "low": low, "high": high, "n": len(values),
        "values": [round(value, 6) for value in values],
    }  # fmt: skip


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The range of 95 % of the medians of redrawn values."""
    draw = random.Random(0)
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(DRAWS))
    return medians[int(0.025 * DRAWS)], medians[int(0.975 * DRAWS) - 1]


def ratios(theirs: Sequence[float], ours: Sequence[float]) -> dict:
    """How many times `theirs` stands over `ours`, pair by pair: both were measured one right after the other."""
    return median_of([their / our for their, our in zip(theirs, ours, strict=True)])


def spread(values: Sequence[float]) -> dict:
    """Mean, standard deviation (None for one value), least and greatest, and the values."""
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return {
        "mean": statistics.mean(values), "sd": deviation, "low": min(values), "high": max(values), "n": len(values),
        "values": list(values),
    }  # fmt: skip


def write(path: Path, record: dict) -> None:
    """The record as JSON; the file is there whole or not at all, so that a long benchmark can save as it goes."""
    record["load_after"] = round(os.getloadavg()[0], 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    draft.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(path)


def _own_version() -> str:
    text = (ROOT / "src/striate/__init__.py").read_text(encoding="utf-8")
    number, commit = text.partition('__version__ = "')[2].partition('"')[0], ""
    with contextlib.suppress(OSError):
        asked = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude", "*"]
        commit = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    return number + (f" ({commit})" if commit else "")


def _gpu() -> str:
    """Name and driver of the first GPU, as NVIDIA's own tool says them."""
    with contextlib.suppress(OSError):
        asked = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        lines = subprocess.run(asked, capture_output=True, text=True).stdout.splitlines()
        if lines:
            return lines[0].strip().replace(", ", ", driver ")
    return "unknown GPU"


def _cpuinfo(name: str) -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{name}\t"):
                return line.partition(":")[2].strip()
    return ""
