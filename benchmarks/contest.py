"""The same task for every library: pictures to learn from, test pictures without their answers, and an own scorer.

A contest folder has train/CLASS/NUMBER.png and test/CLASS/NUMBER.png, all links to the pictures. The test pictures
are dealt out over the class folders in turn whatever they show, so neither their folder nor their name says
anything; the answers stay with the scorer.
"""

import csv
import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

TEST_SHARE = 0.2  # of a set that comes without a split
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}
LEARNED = {"train", "training", "training_set", "train_set"}
TESTED = {"test", "testing", "test_set", "testing_set"}


@dataclass(frozen=True)
class Contest:
    """folder: what the contenders get. truth: the class of every test file, by its path in the folder.
    given: whether the set came with its own split."""

    name: str
    folder: Path
    truth: dict[str, str]
    train: int
    classes: tuple[str, ...]
    given: bool


def prepare(source: Path, into: Path) -> Contest:
    """The contest of a folder of classes, of train and test folders of classes, or of a folder with MNIST's files."""
    if any(source.glob("*-idx3-ubyte*")):
        source = write_idx(source, into / "pictures")
    learned, tested, given = divide(source)
    classes = tuple(sorted({label for _, label in learned}))
    folder = into / "contest"
    for number, (path, label) in enumerate(learned):
        link(path, folder / "train" / label / f"{number:06}{path.suffix.lower()}")
    truth = {}
    for number, (path, label) in enumerate(sorted(tested, key=lambda item: content(item[0]))):
        place = Path("test") / classes[number % len(classes)] / f"{number:06}{path.suffix.lower()}"
        link(path, folder / place)
        truth[place.as_posix()] = label
    return Contest(source.name, folder, truth, len(learned), classes, given)


def divide(source: Path) -> tuple[list[tuple[Path, str]], list[tuple[Path, str]], bool]:
    """(picture, class) to learn from and to be tested on, and whether that is the set's own split.

    Without one, a fifth of each class is tested: the pictures with the lowest hashes of their content, so that
    equal files stay together and every machine divides alike. Other folders beside train and test are not used.
    """
    folders = {path.name.lower(): path for path in sorted(source.iterdir()) if path.is_dir()}
    train = [path for name, path in folders.items() if name in LEARNED]
    test = [path for name, path in folders.items() if name in TESTED]
    if train and test:
        return pictures(train[0]), pictures(test[0]), True
    learned, tested = [], []
    for label in sorted({label for _, label in pictures(source)}):
        mine = sorted((item for item in pictures(source) if item[1] == label), key=lambda item: content(item[0]))
        cut = max(round(TEST_SHARE * len(mine)), 1)
        while cut < len(mine) and content(mine[cut][0]) == content(mine[cut - 1][0]):
            cut += 1
        tested += mine[:cut]
        learned += mine[cut:]
    return learned, tested, False


def pictures(folder: Path) -> list[tuple[Path, str]]:
    """Every picture file below the class folders, with its class."""
    return [
        (path, kind.name)
        for kind in sorted(folder.iterdir())
        if kind.is_dir()
        for path in sorted(kind.rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.is_file()
    ]


def content(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


def link(path: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(path.resolve())


def write_idx(source: Path, into: Path) -> Path:
    """MNIST's four files as into/NAME/{train,test}/DIGIT/NUMBER.png."""
    folder = into / source.name
    for part, stem in (("train", "train"), ("test", "t10k")):
        grids, labels = (_idx(next(source.glob(f"{stem}-{kind}-ubyte*"))) for kind in ("images-idx3", "labels-idx1"))
        for digit in range(10):
            (folder / part / str(digit)).mkdir(parents=True)
        for number, (grid, label) in enumerate(zip(grids, labels, strict=True)):
            Image.fromarray(grid).save(folder / part / str(label) / f"{number:05}.png", compress_level=1)
    return folder


def _idx(path: Path) -> np.ndarray:
    """The array of an IDX file: two zeros, a type, the number of axes, their lengths as big-endian words, bytes."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    axes = data[3]
    shape = np.frombuffer(data, ">u4", axes, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)


def score(predictions: Path, contest: Contest) -> dict:
    """How many test files a table of `path,predicted` names rightly; a file that it lacks is wrong."""
    named = {}
    with predictions.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            named[row["path"]] = row["predicted"]
    right = sum(named.get(path) == label for path, label in contest.truth.items())
    missing = sum(path not in named for path in contest.truth)
    return {"accuracy": right / len(contest.truth), "right": right, "missing": missing}
