"""Pictures out of a film or from a camera, one after the other and in bounded memory."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from striate.errors import StriateError

SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")
CAMERA = "camera"  # "camera", or "camera:1" for the second one


def is_video(source: str | Path) -> bool:
    """Whether a source is a film, by its name, or a camera; a folder is neither, whatever its name."""
    name, _, number = str(source).partition(":")
    is_camera = name == CAMERA and (not number or number.isdecimal())
    return (is_camera or Path(source).suffix.lower() in SUFFIXES) and not Path(source).is_dir()


def frames(source: str | Path) -> Iterator[tuple[str, np.ndarray]]:
    """Every frame of a film, or of a camera until it is unplugged or the reader stops: ("film.mp4/000012", (H, W, 3) of
    uint8, red first).

    Raises StriateError where it cannot be opened, holds no frame, or the package that reads films is missing.
    """
    try:
        import cv2
    except ImportError:
        remedy = "pip install 'striate[video]'"
        raise StriateError("films and cameras need one more package", where=source, remedy=remedy) from None
    name, _, number = str(source).partition(":")
    opened = cv2.VideoCapture(int(number or 0) if name == CAMERA else str(source))
    try:
        count = 0
        while (got := opened.read())[0]:
            yield f"{source}/{count:06}", np.ascontiguousarray(got[1][:, :, ::-1])
            count += 1
    finally:
        opened.release()
    if not count:
        raise StriateError("a film or camera must give pictures", received="none", where=source)
