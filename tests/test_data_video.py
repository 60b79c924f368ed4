"""Films: every frame in its order, and clear words where there is none."""

import sys
from pathlib import Path

import numpy as np
import pytest

from striate.data.video import frames, is_video
from striate.errors import StriateError


def test_what_is_a_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Films are known by their suffix, cameras by their word; pictures and folders are neither, even of such names."""
    assert all(map(is_video, ("a.mp4", "b/C.AVI", "camera", "camera:1")))
    assert not any(map(is_video, ("a.png", "camera.png", "mp4", "camera:x", "folder")))
    monkeypatch.chdir(tmp_path)
    for name in ("camera", "clips.mp4"):
        (tmp_path / name).mkdir()
        assert not is_video(name)


def test_every_frame_comes_in_order(tmp_path: Path) -> None:
    """A film of grey levels gives them back, frame by frame, with its colours in the order red, green, blue."""
    cv2 = pytest.importorskip("cv2", reason="needs: pip install 'striate[video]'")
    path = tmp_path / "film.avi"
    film = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for level in range(0, 200, 25):
        frame = np.full((48, 64, 3), level, np.uint8)
        frame[:, :32, 2] = 250  # red, which that library keeps last
        film.write(frame)
    film.release()
    found = list(frames(path))
    assert [name for name, _ in found] == [f"{path}/{number:06}" for number in range(8)]
    for number, (_, picture) in enumerate(found):
        assert picture.shape == (48, 64, 3)
        assert abs(int(picture[24, 50].mean()) - 25 * number) <= 6
        assert picture[24, 10, 0] > 230
        assert abs(int(picture[24, 10, 2]) - 25 * number) <= 12


def test_a_film_that_is_none_is_refused(tmp_path: Path) -> None:
    """Words that only have a film's name, and a film that is not there."""
    pytest.importorskip("cv2", reason="needs: pip install 'striate[video]'")
    (tmp_path / "words.mp4").write_text("no film")
    for name in ("words.mp4", "absent.mp4"):
        with pytest.raises(StriateError, match=r"must give pictures.*received: none"):
            list(frames(tmp_path / name))


def test_without_the_package_its_command_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain install says what to type."""
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(StriateError, match=r"pip install 'striate\[video\]'"):
        list(frames("film.mp4"))
