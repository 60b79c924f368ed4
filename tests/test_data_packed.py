"""Files of many pictures are read as NumPy wrote them, part by part, or refused before they cost anything."""

import gzip
import io
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from drawn import TINY, picture, read_table

import striate
from striate.data.packed import is_packed, packed_pictures
from striate.data.sources import read_source
from striate.errors import StriateError

RANDOM = np.random.default_rng(0)
PICTURES = RANDOM.integers(0, 256, (12, 6, 5), np.uint8)
LABELS = np.arange(12, dtype=np.uint8) % 3


def idx(values: np.ndarray) -> bytes:
    """An array as the format of MNIST has it (Y. LeCun, "The MNIST database")."""
    kinds = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}
    big = values.astype(values.dtype.newbyteorder(">"))
    head = bytes([0, 0, kinds[values.dtype.str[1:]], values.ndim])
    return head + struct.pack(f">{values.ndim}I", *values.shape) + big.tobytes()


def refused(source: Path) -> str:
    with pytest.raises(StriateError) as caught:
        read_source(source)
    return str(caught.value)


def same(found, pictures: np.ndarray, labels: np.ndarray) -> None:
    np.testing.assert_array_equal(np.stack([s.source for s in found.samples]), pictures)
    assert [s.target for s in found.samples] == [str(label) for label in labels.ravel()]


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_the_header(tmp_path: Path, version: tuple[int, int]) -> None:
    """An array in any version of NumPy's format is read, in a ZIP file and as a file of its own."""
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as archive:
        for name, values in (("images", PICTURES), ("labels", LABELS)):
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, values, version)
    with (tmp_path / "X.npy").open("wb") as file:
        np.lib.format.write_array(file, PICTURES, version)
    np.save(tmp_path / "y.npy", LABELS)
    for name in ("set.npz", "X.npy"):
        same(read_source(tmp_path / name), PICTURES, LABELS)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("column", [True, False])
def test_medmnist(tmp_path: Path, save, column: bool) -> None:
    """MedMNIST's names give the parts; labels may be a column."""
    labels = LABELS[:, None] if column else LABELS
    cut = {"train": slice(0, 6), "val": slice(6, 8), "test": slice(8, 12)}
    arrays = {f"{part}_images": PICTURES[rows] for part, rows in cut.items()}
    save(tmp_path / "mnist.npz", **arrays, **{f"{part}_labels": labels[rows] for part, rows in cut.items()})
    for source in (tmp_path / "mnist.npz", tmp_path):
        found = read_source(source)
        same(found, PICTURES, LABELS)
        assert [s.part for s in found.samples] == ["train"] * 6 + ["validation"] * 2 + ["test"] * 4
        assert (found.kind, found.samples[0].path, found.samples[-1].path) == ("packed", "train/0", "test/3")
    assert [name for name, _ in packed_pictures(tmp_path)][6:8] == ["validation/0", "validation/1"]


@pytest.mark.parametrize(("shape", "told"), [((12, 6, 6, 6), True), ((12, 6, 6, 3), False), ((12, 6, 7, 6), False)])
def test_cubes_may_be_volumes(tmp_path: Path, shape: tuple[int, ...], told: bool) -> None:
    """As many channels as rows and columns are those of MedMNIST's 3-D sets, and --form volume is named."""
    np.savez(tmp_path / "set.npz", images=np.zeros(shape, np.uint8), labels=LABELS)
    notes = read_source(tmp_path / "set.npz").notes
    assert [("6 channels" in note, "--form volume" in note) for note in notes] == [(True, True)] * told
    assert not read_source(tmp_path / "set.npz", form="volume").notes


@pytest.mark.parametrize(
    "names",
    [
        ("images", "labels"), ("x", "y"), ("X", "y"), ("data", "target"), ("arr_0", "arr_1"), ("pictures", "classes"),
        ("x_train", "y_train"), ("trainX", "trainY"), ("xtrain", "ytrain"), ("train/x", "train/y"), ("stack", "kinds"),
    ],
)  # fmt: skip
def test_one_pair(tmp_path: Path, names: tuple[str, str]) -> None:
    """One pair of arrays is understood under the usual names, and by shape; one part alone is no part."""
    np.savez(tmp_path / "set.npz", **{names[0]: PICTURES, names[1]: LABELS})
    found = read_source(tmp_path / "set.npz")
    same(found, PICTURES, LABELS)
    assert {s.part for s in found.samples} == {None}


def test_other_contents_of_an_npz(tmp_path: Path) -> None:
    """Words as labels, groups, colour, channels first, 16 bits, other arrays beside them."""
    deep = RANDOM.integers(0, 2**16, (12, 3, 8, 7), np.uint16)
    words, groups = np.array(["ill", "well"] * 6), np.arange(12) // 2
    np.savez(
        tmp_path / "a.npz",
        images=deep,
        labels=words,
        patient_id=groups,
        class_names=np.array(["ill", "well"]),
        image_ids=np.arange(12),
    )
    found = read_source(tmp_path / "a.npz")
    same(found, np.moveaxis(deep, 1, -1), words)
    assert [s.group for s in found.samples] == [str(group) for group in groups]
    np.savez(tmp_path / "b.npz", images=deep[:, 0], labels=np.eye(12)[:, ::-1])
    assert [s.target for s in read_source(tmp_path / "b.npz").samples] == [str(n) for n in range(11, -1, -1)]


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("names", [("{}-images-idx3-ubyte", "{}-labels-idx1-ubyte"), ("{}_images.idx", "{}_labels.idx"),
                                   ("{}-images.idx3-ubyte", "{}-labels.idx1-ubyte")])  # fmt: skip
def test_mnist(tmp_path: Path, names: tuple[str, str], packed: bool) -> None:
    """MNIST's files, packed or not, in a folder or alone with their labels beside them; t10k is the test part."""
    for part, rows in (("train", slice(0, 8)), ("t10k", slice(8, 12))):
        for name, values in zip(names, (PICTURES[rows], LABELS[rows]), strict=True):
            data = idx(values)
            file = tmp_path / (name.format(part) + ".gz" * packed)
            file.write_bytes(gzip.compress(data) if packed else data)
    (tmp_path / "README.txt").write_text("digits")
    found = read_source(tmp_path)
    same(found, PICTURES, LABELS)
    assert [s.part for s in found.samples] == ["train"] * 8 + ["test"] * 4
    alone = read_source(tmp_path / (names[0].format("t10k") + ".gz" * packed))
    same(alone, PICTURES[8:], LABELS[8:])
    assert (alone.samples[0].path, alone.samples[0].part) == ("test/0", None)


@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "i4", "f4", "f8"])
def test_types_of_idx(tmp_path: Path, kind: str) -> None:
    """Every type of the format comes back as it was."""
    values = RANDOM.integers(0, 100, (4, 3, 3)).astype(kind)
    (tmp_path / "images.idx").write_bytes(idx(values))
    (tmp_path / "labels.idx").write_bytes(idx(LABELS[:4]))
    found = read_source(tmp_path)
    same(found, values, LABELS[:4])
    assert found.samples[0].source.dtype == np.dtype(kind)


def test_npy_pairs(tmp_path: Path) -> None:
    """X.npy with y.npy is a set; a lone .npy, or one called otherwise, is none."""
    np.save(tmp_path / "X.npy", np.asfortranarray(PICTURES))
    assert not is_packed(tmp_path / "X.npy")
    np.save(tmp_path / "y.npy", LABELS)
    same(read_source(tmp_path), PICTURES, LABELS)
    same(read_source(tmp_path / "X.npy"), PICTURES, LABELS)
    assert type(read_source(tmp_path).samples[0].source) is np.ndarray
    np.save(tmp_path / "scan7.npy", PICTURES[0])
    assert not is_packed(tmp_path / "scan7.npy")
    assert not is_packed(tmp_path / "absent.npz")


def test_rows_are_views_of_one_array(tmp_path: Path) -> None:
    """Thousands of pictures take no more memory than their array."""
    np.savez(tmp_path / "a.npz", images=np.zeros((5000, 4, 4), np.uint8), labels=np.arange(5000) % 2)
    found = read_source(tmp_path / "a.npz")
    assert np.shares_memory(found.samples[0].source.base, found.samples[-1].source.base)


def test_hdf5(tmp_path: Path) -> None:
    """Datasets by name, in groups, with labels in a second file (PatchCamelyon), and by shape."""
    h5py = pytest.importorskip("h5py", reason="pip install 'striate[hdf5]'")

    def save(name: str, **arrays: np.ndarray) -> Path:
        with h5py.File(tmp_path / name, "w") as file:
            for key, values in arrays.items():
                file[key] = values
        return tmp_path / name

    same(read_source(save("one.h5", images=PICTURES, labels=LABELS)), PICTURES, LABELS)
    same(read_source(save("shape.hdf5", stack=PICTURES, kind=LABELS)), PICTURES, LABELS)
    both = {"train/x": PICTURES[:8], "train/y": LABELS[:8], "test/x": PICTURES[8:], "test/y": LABELS[8:]}
    found = read_source(save("parts.h5", **both))
    same(found, PICTURES, LABELS)
    assert [s.part for s in found.samples] == ["train"] * 8 + ["test"] * 4
    pcam = save("level_2_split_train_x.h5", x=PICTURES)
    save("level_2_split_train_y.h5", y=LABELS.reshape(-1, 1, 1, 1))
    same(read_source(pcam), PICTURES, LABELS)
    words = save("words.h5", images=PICTURES, labels=np.array(["a", "b"] * 6, dtype=h5py.string_dtype()))
    assert [s.target for s in read_source(words).samples] == ["a", "b"] * 6
    (tmp_path / "bad.h5").write_bytes(words.read_bytes()[:700])
    assert "bad.h5" in refused(tmp_path / "bad.h5")


def test_what_is_unclear(tmp_path: Path) -> None:
    """Where names do not tell pictures from labels, or there are none, the message says what is there."""
    np.savez(tmp_path / "a.npz", one=PICTURES, two=PICTURES, y=LABELS)
    assert "one (12, 6, 5), two (12, 6, 5), y (12,)" in refused(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", images=PICTURES, img=PICTURES, labels=LABELS)
    assert "pictures in images, img" in refused(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", test_images=PICTURES)
    assert "no labels for test_images" in refused(tmp_path / "c.npz")
    assert [name for name, _ in packed_pictures(tmp_path / "c.npz")][:2] == ["test/0", "test/1"]
    np.savez(tmp_path / "d.npz", images=PICTURES, labels=LABELS[:5])
    assert "12 pictures and 5 labels" in refused(tmp_path / "d.npz")
    (tmp_path / "e.npz").write_bytes(b"PK\5\6" + bytes(18))
    assert "without NumPy arrays" in refused(tmp_path / "e.npz")


def test_pickles_are_never_read(tmp_path: Path) -> None:
    """An array of Python objects is refused, and nothing in it runs."""

    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    np.savez(tmp_path / "a.npz", images=PICTURES, labels=np.array([Evil()] * 12, dtype=object))
    assert "pickled objects" in refused(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(pickle.dumps({"images": Evil()}))
    assert "neither .npz" in refused(tmp_path / "b.npz")
    assert not (tmp_path / "ran").exists()


def header(shape: tuple, descr: str = "|u1") -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()


def bomb(tmp_path: Path, kind: str) -> Path:
    """A small file that says, or unpacks to, gigabytes."""
    if kind == "idx":
        file = tmp_path / "images.idx"
        file.write_bytes(b"\0\0\x08\x03" + struct.pack(">3I", 2**31, 2**10, 2**10))
        (tmp_path / "labels.idx").write_bytes(idx(LABELS))
        return file
    file, size = tmp_path / "a.npz", 120_000_000
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("images.npy", "w") as member:
            member.write(header((size // 100, 10, 10) if kind == "zeros" else (10**15, 10, 10)))
            for _ in range(size // 10**7 if kind == "zeros" else 1):
                member.write(bytes(10**7))
        archive.writestr("labels.npy", header((10,)) + bytes(10))
    return file


@pytest.mark.parametrize("kind", ["zeros", "lie", "idx"])
def test_bombs_cost_nothing(tmp_path: Path, kind: str) -> None:
    """What a header declares is checked before any memory is taken."""
    file = bomb(tmp_path, kind)
    tracemalloc.start()
    try:
        told, peak = refused(file), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert {"zeros": "bomb", "lie": "declares", "idx": "bomb"}[kind] in told
    assert peak < 10_000_000


def test_damage_is_told(tmp_path: Path) -> None:
    """Files that are cut short or changed anywhere are refused with their name, or read; nothing else happens."""
    np.savez_compressed(tmp_path / "whole.npz", images=PICTURES, labels=LABELS)
    (tmp_path / "labels.idx").write_bytes(idx(LABELS))
    sources = {"a.npz": (tmp_path / "whole.npz").read_bytes(), "images.idx": idx(PICTURES),
               "images.idx.gz": gzip.compress(idx(PICTURES))}  # fmt: skip
    for name, data in sources.items():
        file, seen = tmp_path / name, 0
        places = RANDOM.integers(0, len(data), 60)
        spoilt = [data[:place] for place in places]
        spoilt += [data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :] for place in places]
        for bytes_ in spoilt:
            file.write_bytes(bytes_)
            try:
                read_source(file)
            except StriateError as error:
                seen += str(file) in str(error)
        file.unlink()
        assert seen >= 60


@pytest.mark.usefixtures("quick")
def test_from_a_packed_set_to_predictions(tmp_path: Path) -> None:
    """A set is learned from, scored by part and predicted, each picture under its name."""
    pictures, labels = np.stack([picture(n % 2, n) for n in range(24)]), np.arange(24) % 2
    file = tmp_path / "set.npz"
    np.savez(file, x_train=pictures[:16], y_train=labels[:16], x_test=pictures[16:], y_test=labels[16:])
    run = striate.train(file, network=TINY, epochs=1, out=str(tmp_path / "runs"), workers=0, quiet=True)
    rows = {row["path"]: row for row in read_table(run.folder / "data.csv")}
    assert {path for path, row in rows.items() if row["part"] == "test"} == {f"test/{n}" for n in range(8)}
    names = [one.path for one in run.model.predict(file)]
    assert names == [*(f"train/{n}" for n in range(16)), *(f"test/{n}" for n in range(8))]
    assert run.model.evaluate(file, part="test")["n"] == 8
    np.testing.assert_allclose(
        [one.confidence for one in run.model.predict(file)],
        [one.confidence for one in run.model.predict(list(pictures))],
    )
