"""The one file format: what is written comes back bit for bit, and nothing damaged or foreign is read."""

import json
import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch

from striate.errors import StriateError
from striate.export.tensors import read_tensors, write_tensors

TENSORS = {
    "weight": torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0)),
    "last": torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(1)).contiguous(
        memory_format=torch.channels_last
    ),
    "half": torch.tensor([1.5, float("nan"), float("-inf")], dtype=torch.bfloat16),
    "count": torch.tensor(7),
    "nothing": torch.zeros(0, 3),
}
HEADER = {"line": "dense 3", "classes": ["é", "b"], "n": 3}


def written(folder: Path) -> Path:
    write_tensors(folder / "m.safetensors", TENSORS, HEADER)
    return folder / "m.safetensors"


def test_tensors_and_header_come_back(tmp_path: Path) -> None:
    """Values, kinds and shapes bit for bit, NaN included, whatever the memory order; the header as it was."""
    tensors, header = read_tensors(written(tmp_path))
    assert {key: header[key] for key in HEADER} == HEADER
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in tensors.items():
        before = TENSORS[name].contiguous()
        assert (tensor.dtype, tensor.shape) == (before.dtype, before.shape)
        assert tensor.reshape(-1).view(torch.uint8).tolist() == before.reshape(-1).view(torch.uint8).tolist()


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    """No time, no order of a dictionary and no memory address gets into the file."""
    first = written(tmp_path).read_bytes()
    for _ in range(8):
        write_tensors(tmp_path / "again", dict(reversed(TENSORS.items())), dict(reversed(HEADER.items())))
        assert (tmp_path / "again").read_bytes() == first


def test_any_program_can_read_it(tmp_path: Path) -> None:
    """The file is plain safetensors."""
    assert torch.equal(safetensors.torch.load_file(written(tmp_path))["weight"], TENSORS["weight"])


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    """One bit flipped anywhere in the tensors, and at a hundred places of the header, is refused."""
    path = written(tmp_path)
    whole = path.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    for place in [*range(start, len(whole), 7), *range(8, start, max(1, (start - 8) // 100))]:
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        try:
            tensors, header = read_tensors(path)
        except StriateError:
            continue
        # A bit in the padding of the header changes nothing that is read.
        assert header == read_header(whole), place
        assert tensors.keys() == TENSORS.keys(), place
        assert place < start


def read_header(whole: bytes) -> dict:
    size = int.from_bytes(whole[:8], "little")
    return json.loads(json.loads(whole[8 : 8 + size])["__metadata__"]["striate"])


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.9999])
def test_a_cut_file_is_refused(tmp_path: Path, share: float) -> None:
    """A file that ends early is named, with what to give instead."""
    path = written(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(StriateError, match=r"a model file is a \.safetensors file written by striate") as problem:
        read_tensors(path)
    assert problem.value.where == path


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    """Someone else's safetensors, a pickle, text, a folder and nothing at all are no model of ours."""
    safetensors.torch.save_file({"a": torch.zeros(2)}, tmp_path / "foreign")
    (tmp_path / "pickle").write_bytes(pickle.dumps({"a": 1}))
    (tmp_path / "text").write_text("hello")
    (tmp_path / "folder").mkdir()
    for name in ("foreign", "pickle", "text", "folder", "absent"):
        with pytest.raises(StriateError, match="a model file is a"):
            read_tensors(tmp_path / name)


def test_a_hostile_pickle_is_not_run(tmp_path: Path) -> None:
    """Reading a file made to run a command only ends in our error."""

    class Trap:
        def __reduce__(self) -> tuple:
            return Path.touch, (tmp_path / "sprung",)

    (tmp_path / "model.safetensors").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(StriateError):
        read_tensors(tmp_path / "model.safetensors")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("text", ["[1]", "3", "{", '{"format": 99}', '{"format": null}', "[" * 100_000])
def test_a_forged_header_is_refused(tmp_path: Path, text: str) -> None:
    """Headers that are no object, of another format or absurdly deep end in our error."""
    from striate.export import tensors as module

    path, plain = tmp_path / "m", {"a": torch.zeros(1)}
    metadata = {module.HEADER: text, module.DIGEST: module._digest(plain, text)}
    path.write_bytes(safetensors.torch.save(plain, metadata))
    with pytest.raises(StriateError):
        read_tensors(path)
