"""Silence for the libraries that decode pictures: their warnings and log lines are not for our users."""

import contextlib
import ctypes
import functools
import logging
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import PIL

_NOISY = ("PIL", "tifffile", "pydicom")
_lock = threading.Lock()
_inside = 0
_stack = contextlib.ExitStack()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """While at least one thread is inside, warnings are ignored and Pillow, tifffile and pydicom log nothing.

    The state of `warnings` belongs to the whole process, so the first thread in saves it and the last
    one out restores it; one save per thread would restore them in the wrong order.
    """
    global _inside
    with _lock:
        _inside += 1
        if _inside == 1:
            _stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            for logger in map(logging.getLogger, _NOISY):
                _stack.callback(logger.setLevel, logger.level)
                logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _stack.close()


@functools.cache
def hush_libtiff() -> None:
    """Tell the libtiff inside Pillow not to print on the terminal, where its copy can be found.

    It writes past Python, straight to the process's error stream, for every odd tag of every file.
    """
    home = Path(PIL.__file__).parent
    copies = [*home.parent.glob("[Pp]illow.libs/libtiff*"), *home.glob(".dylibs/libtiff*")]
    for copy in copies or ["libtiff.so.6"]:
        with contextlib.suppress(OSError, AttributeError):
            library = ctypes.CDLL(str(copy))
            for setter in (library.TIFFSetErrorHandler, library.TIFFSetWarningHandler):
                setter.argtypes, setter.restype = [ctypes.c_void_p], ctypes.c_void_p
                setter(None)
