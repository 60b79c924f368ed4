"""Volumes: the frames of a stack, whatever file they come from, side by side as the channels of one picture."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from drawn_files import dicom
from PIL import Image

from striate.data import raster
from striate.data.batches import scale, standardise
from striate.data.decode import decode, look
from striate.data.header import Pick, Unreadable
from striate.data.load import Want, load
from striate.data.measure import measure
from striate.data.prepare import Shape, fit
from striate.data.sample import Sample
from striate.data.sources import read_source
from striate.data.store import build_store
from striate.data.survey import survey

WHOLE = Pick(volume=True)
GREY = {"photometric": "minisblack"}


def volume(seed: int, frames: int = 5, side: int = 8, depth: str = "uint8", channels: int = 1) -> np.ndarray:
    """(frames, side, side + 1[, channels]) of random values."""
    shape = (frames, side, side + 1, channels)[: 3 + (channels > 1)]
    return np.random.default_rng(seed).integers(0, 200, shape).astype(depth)


@pytest.mark.parametrize("depth", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_same_volume_from_every_file(tmp_path: Path, depth: str, channels: int) -> None:
    """A TIFF stack, a .npy file and an array give the same frames, channel beside channel; the header counts them."""
    frames = volume(1, depth=depth, channels=channels)
    np.save(tmp_path / "a.npy", frames)
    photometric = "rgb" if channels == 3 else "minisblack"
    tifffile.imwrite(tmp_path / "a.tif", frames, photometric=photometric)
    expected = frames.reshape(5, 8, 9, channels).transpose(1, 2, 0, 3).reshape(8, 9, -1)
    for source in (frames, tmp_path / "a.npy", tmp_path / "a.tif"):
        made, header = decode(source, 0, WHOLE), look(source, WHOLE)
        np.testing.assert_array_equal(made, expected)
        assert made.dtype == depth
        assert (header.pages, header.height, header.width, header.channels) == (5, 8, 9, channels)


@pytest.mark.parametrize("way", [{"imagej": True}, {"ome": True}])
def test_slices_that_were_written_as_channels(tmp_path: Path, way: dict) -> None:
    """ImageJ and OME files whose writer was not told what its slices are give the same volume as a plain stack, but for
    a few, which may well be channels, and where channels are asked for."""
    for count, frames in ((14, 14), (4, 1)):
        slices = volume(1, count, depth="uint16")
        tifffile.imwrite(tmp_path / "a.tif", slices, **way)
        header = look(tmp_path / "a.tif", WHOLE)
        assert (header.pages, header.channels) == (frames, count // frames)
        np.testing.assert_array_equal(decode(tmp_path / "a.tif", 0, WHOLE), np.moveaxis(slices, 0, 2))
    tifffile.imwrite(tmp_path / "a.tif", volume(1, 14), **way)
    assert look(tmp_path / "a.tif").channels == 14
    assert look(tmp_path / "a.tif", Pick(volume=True, channels=(0, 9))).channels == 2


def test_frames_of_an_animation(tmp_path: Path) -> None:
    """Any file of several pages is a volume of them; a single picture is one of a single frame."""
    frames = [Image.fromarray(frame) for frame in volume(2, 3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=100)
    assert decode(tmp_path / "a.gif", 0, WHOLE).shape[2] == 3 * look(tmp_path / "a.gif", WHOLE).channels
    frames[0].save(tmp_path / "a.png")
    assert decode(tmp_path / "a.png", 0, WHOLE).shape == (8, 9, 1)


@pytest.mark.parametrize("ending", ["gif", "png", "webp", "tif", "fax.tif", "dcm"])
def test_a_volume_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    """All pages come from one opening, however many they are, and are those that `page` gives one by one."""
    file, opened, frames = tmp_path / f"a.{ending}", [], volume(5, 9)
    if ending == "dcm":
        pydicom = pytest.importorskip("pydicom", reason="pip install 'striate[dicom]'")
        file.write_bytes(dicom(frames))
        places = [(pydicom, "dcmread")]
    elif ending == "tif":
        tifffile.imwrite(file, frames, **GREY)
        places = [(tifffile, "TiffFile")]
    else:
        images = [Image.fromarray(frame) for frame in frames]
        images = [image.convert("1") for image in images] if ending == "fax.tif" else images
        options = {"compression": "group4"} if ending == "fax.tif" else {"duration": 50}
        images[0].save(file, save_all=True, append_images=images[1:], **options)
        places = [(tifffile, "TiffFile")] if ending == "fax.tif" else [(raster, "open_image")]
    single = [decode(file, 0, Pick(page=page)) for page in range(9)]
    for place, name in places:
        real = getattr(place, name)
        monkeypatch.setattr(place, name, lambda *a, real=real, **k: opened.append(1) or real(*a, **k))
    np.testing.assert_array_equal(decode(file, 0, WHOLE), np.concatenate(single, axis=2))
    assert len(opened) == 2  # its header, and its pixels


def test_what_is_no_volume(tmp_path: Path) -> None:
    """Pages of different sizes and arrays of too many or too few axes are refused, with the reason."""
    with tifffile.TiffWriter(tmp_path / "mixed.tif") as file:
        for side in (8, 9):
            file.write(np.zeros((side, side), np.uint8))
    with pytest.raises(Unreadable, match="different sizes"):
        decode(tmp_path / "mixed.tif", 0, WHOLE)
    np.save(tmp_path / "flat.npy", np.zeros((8, 8)))
    for source in (np.zeros((8, 8)), tmp_path / "flat.npy"):
        with pytest.raises(Unreadable, match="not \\(frames, height, width\\)"):
            decode(source, 0, WHOLE)
    np.save(tmp_path / "huge.npy", np.zeros((401, 1000, 1000), np.uint8))
    with pytest.raises(Unreadable, match="at most 400 MB"):
        look(tmp_path / "huge.npy", WHOLE)


@pytest.mark.parametrize("big", [False, True])
def test_half_a_stack_is_no_volume(tmp_path: Path, big: bool) -> None:
    """A file that ends too early has whole pages at its start; they are a picture each, and no volume."""
    whole, cut = tmp_path / "whole.tif", tmp_path / "cut.tif"
    with tifffile.TiffWriter(whole, bigtiff=big) as file:
        for frame in volume(1, 4):
            file.write(frame, contiguous=False, metadata=None)
    assert decode(whole, 0, WHOLE).shape[2] == 4
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 3 // 5])
    assert np.array_equal(decode(cut), decode(whole))
    with pytest.raises(Unreadable, match=r"its pages break off after the first [123]"):
        decode(cut, 0, WHOLE)


def test_frames_are_stretched_along_their_own_axis() -> None:
    """A volume of linear ramps stays one at any size: height, width and frames are each interpolated."""
    d, y, x = np.meshgrid(np.linspace(0, 1, 9), np.linspace(0, 2, 12), np.linspace(0, 4, 16), indexing="ij")
    ramp = decode((d + y + x).astype(np.float32), 0, WHOLE)
    shape = Shape(height=6, width=8, channels=1, depth="float32", form="volume", frames=3)
    made = fit(ramp, shape)
    assert made.shape == shape.stored == (6, 8, 3)
    middle = made[1:-1, 1:-1]
    np.testing.assert_allclose(np.diff(middle, axis=2)[:, :, 0], 3 / 8, atol=0.1)
    np.testing.assert_allclose(np.diff(middle, axis=1), 8 / 15, atol=0.02)
    np.testing.assert_allclose(np.diff(middle, axis=0), 4 / 11, atol=0.02)
    coloured = decode(volume(3, 4, channels=3), 0, WHOLE)
    rgb = Shape(height=8, width=9, channels=3, form="volume", frames=4)
    np.testing.assert_array_equal(fit(coloured, rgb), coloured)
    with pytest.raises(ValueError, match="4 channels where 3"):
        fit(decode(volume(3, 4), 0, WHOLE), rgb)


def test_grey_and_coloured_volumes_in_one_set(tmp_path: Path) -> None:
    """Six grey frames beside colour are six frames with three equal channels, and not two of three; of two channels
    they are not, though their number can be divided by two."""
    grey, colour, two = (volume(n, 6, 8, channels=channels) for n, channels in enumerate((1, 3, 2)))
    samples = [Sample(path=f"array/{n}", source=one, target="x") for n, one in enumerate((grey, colour, two))]
    shape = Shape(height=8, width=9, channels=3, form="volume", frames=6)
    store = build_store(samples, tmp_path, shape)
    copied = np.repeat(grey.reshape(6, 8, 9, 1), 3, axis=3)
    for made, frames in zip(store.pictures, (copied, colour), strict=True):
        np.testing.assert_array_equal(made.reshape(8, 9, 6, 3), frames.transpose(1, 2, 0, 3))
    assert [item.reason for item in store.left_out] == ["2 channels where the other pictures have 3"]
    asked = Want(shape=replace(shape, channels=2, frames=3))
    assert str(load(grey, asked).problem) == "1 channel where 2 are expected"


def test_a_network_sees_five_axes(tmp_path: Path) -> None:
    """From class folders of stacks to (B, C, D, H, W): every value at its place, frames scaled by one figure."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(3):
            tifffile.imwrite(
                tmp_path / name / f"{number}.tif", volume(number + 7 * (name == "b"), 4, depth="uint16"), **GREY
            )
    found = read_source(tmp_path, form="volume")
    looked = survey(found.samples, pick=WHOLE)
    assert (found.form, looked.typical_size, looked.typical_pages, looked.channels) == ("volume", (8, 9), 4, 1)
    shape = Shape(height=8, width=9, channels=1, depth=looked.depth, form="volume", frames=4)
    store = build_store(found.samples, tmp_path / ".store", shape)
    preparation = measure(store.pictures, np.arange(6), shape)
    assert [len(preparation.low), len(preparation.std)] == [1, 1]
    assert shape.seen == (1, 4, 8, 9)
    seen = standardise(scale(np.array(store.pictures), preparation, torch.device("cpu")), preparation)
    assert seen.shape == (6, 1, 4, 8, 9)
    low, high, mean, std = (preparation.low[0], preparation.high[0], preparation.mean[0], preparation.std[0])
    scaled = np.clip((volume(8, 4).astype(float) - low) / (high - low), -1, 2)
    np.testing.assert_allclose(seen[4, 0].numpy(), (scaled - mean) / std, rtol=1e-4, atol=1e-4)


def test_arrays_of_volumes(tmp_path: Path) -> None:
    """In Python and in .npz an array (N, D, H, W) holds volumes where that is said: MedMNIST's 3-D sets."""
    many = np.stack([volume(n) for n in range(4)])
    np.savez(tmp_path / "v.npz", train_images=many, train_labels=np.array([0, 1, 0, 1]))
    for source in ((many, [0, 1, 0, 1]), tmp_path / "v.npz"):
        found = read_source(source, form="volume")
        assert found.form == "volume"
        np.testing.assert_array_equal(decode(found.samples[2].source, 0, WHOLE), many[2].transpose(1, 2, 0))
