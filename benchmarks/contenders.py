"""Processes that are timed by turns: every contender is loaded and warm, and they run one after the other.

The order goes A B C, C B A, A B C, ...: a machine that slows down or speeds up meanwhile does so for all. A ratio
is made within one round, of figures that were measured right after each other.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from environments import python_of

HERE = Path(__file__).resolve().parent
PAUSE = 0.5  # seconds after a turn, in which the threads of the one that ran go to sleep


@dataclass(frozen=True)
class Contender:
    """What to start: a script of this folder in an environment, its arguments and its own environment variables."""

    name: str
    environment: str
    script: str
    arguments: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)


class Worker:
    """A contender that was started; `about` is what it said of itself."""

    def __init__(self, contender: Contender, log: Path) -> None:
        python = python_of(contender.environment)
        if python is None:
            raise FileNotFoundError(f"the environment {contender.environment!r} has not been made")
        self.contender, self.log = contender, log
        self.process = subprocess.Popen(
            [str(python), str(HERE / contender.script), *contender.arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log.open("w"), text=True,
            env={**os.environ, **own_path(), **contender.variables},
        )  # fmt: skip
        self.about = self._answer()

    def ask(self, command: str, count: int) -> dict:
        """What the worker says of having done `command` `count` times."""
        self.process.stdin.write(f"{command} {count}\n")
        self.process.stdin.flush()
        return self._answer()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()

    def _answer(self) -> dict:
        for line in self.process.stdout:
            if line.startswith("@"):
                return json.loads(line[1:])
        self.process.wait()
        lines = self.log.read_text(errors="replace").strip().splitlines() or ["it ended without a word"]
        raise RuntimeError(lines[-1])


def own_path() -> dict[str, str]:
    """So that Striate's source of this checkout is found, installed or not."""
    return {"PYTHONPATH": os.pathsep.join([str(HERE.parent / "src"), os.environ.get("PYTHONPATH", "")]).rstrip(":")}


def start(contenders: Sequence[Contender], folder: Path) -> tuple[list[Worker], dict[str, str]]:
    """Those that could be started, and why the others could not."""
    workers, missing = [], {}
    for contender in contenders:
        begun = time.monotonic()
        try:
            workers.append(Worker(contender, folder / f"{contender.name}.log"))
        except (OSError, RuntimeError, ValueError) as problem:
            missing[contender.name] = without_places(str(problem))
            say(f"{contender.name}: not measured: {problem}")
        else:
            say(f"{contender.name}: ready after {time.monotonic() - begun:.1f} s")
    return workers, missing


def take_turns(workers: Sequence[Worker], turn: Callable[[Worker], dict], rounds: int) -> dict[str, list[dict]]:
    """What `turn` gave for every worker in every round, the order turned round each time."""
    answers: dict[str, list[dict]] = {worker.contender.name: [] for worker in workers}
    for number in range(rounds):
        for worker in workers if number % 2 == 0 else reversed(workers):
            answers[worker.contender.name].append(turn(worker))
            time.sleep(PAUSE)
        say(f"round {number + 1} of {rounds}")
    return answers


def count_for(worker: Worker, seconds: float, command: str = "run", first: int = 2) -> int:
    """How often `command` goes into about `seconds`, found by doing it; this warms the worker up too."""
    worker.ask(command, first)
    taken = worker.ask(command, first)["seconds"]
    count = max(round(first * seconds / max(taken, 1e-6)), 1)
    if taken < seconds / 20:  # too short to tell
        taken = worker.ask(command, max(count // 5, 1))["seconds"]
        count = max(round(max(count // 5, 1) * seconds / max(taken, 1e-6)), 1)
    return count


def time_commands(commands: dict[str, list[str]], rounds: int, folder: Path) -> tuple[dict[str, list[float]], dict]:
    """Wall seconds of whole processes, from start to end, by turns; and why some could not be timed.

    Each is run once before, so that all find their files in memory. Striate's source is on the path of all.
    """
    variables, log = {**os.environ, **own_path(), "YOLO_CONFIG_DIR": str(folder)}, folder / "command.log"

    def seconds(words: list[str]) -> float:
        begun = time.monotonic()
        with log.open("w") as file:
            subprocess.run(words, stdout=file, stderr=subprocess.STDOUT, env=variables, cwd=folder, check=True)
        return time.monotonic() - begun

    taken, failed = {name: [] for name in commands}, {}
    for number in range(-1, rounds):
        for name in list(taken) if number % 2 == 0 else reversed(list(taken)):
            try:
                now = seconds(commands[name])
            except (OSError, subprocess.CalledProcessError):
                failed[name] = without_places((log.read_text(errors="replace").splitlines() or ["no word"])[-1])
                del taken[name]
                say(f"{name}: not measured: {failed[name]}")
                continue
            if number >= 0:
                taken[name].append(now)
        say(f"round {number + 1} of {rounds}")
    return taken, failed


def without_places(text: str) -> str:
    """A message with absolute paths cut to their last part, which is all that means something elsewhere."""
    return re.sub(r"(?<![\w.])(?:/[^\s/'\":]+)+/", "", text.strip())[:300]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
