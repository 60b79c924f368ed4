"""From a source to what the store keeps of it: the one step that reads, decodes, notes and fits a picture.

It runs in this process (arrays) or in one of its own (files, see `guard`), with the same result.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from striate.data.content import read_file
from striate.data.decode import decode, look, read
from striate.data.facts import facts_of
from striate.data.header import WHOLE, Header, Pick, Unreadable
from striate.data.prepare import Shape, fit
from striate.data.values import mask_values

HASH = 32  # letters of a content hash

Source = Path | bytes | np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """What is wanted of a source: its header alone; with a shape, the picture made to fit; else as it is decoded.

    noted: its facts and the hash of its contents too. pick: page and channels, where there is no shape to say so.
    values: the numbers of a mask as they are written (see `mask_values`), in place of a picture.
    """

    shape: Shape | None = None
    noted: bool = False
    header: bool = False
    pick: Pick = WHOLE
    values: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What came of a source.

    picture: (H, W, C), None where `problem` says why there is none. channels, depth: of the picture before it was
    made to fit, 0 and "" where it could not be decoded. facts: a record of FACTS. content: a hash of the file's bytes
    (of the pixels for an array), "" where they could not be read.
    """

    picture: np.ndarray | None = None
    problem: Unreadable | None = None
    header: Header | None = None
    channels: int = 0
    depth: str = ""
    facts: np.ndarray | None = None
    content: str = ""


def load(source: Source, want: Want) -> Loaded:
    """`source` as it is wanted; what is wrong with it is in `problem`, nothing is raised."""
    known = {}
    try:
        if want.header:
            return Loaded(header=look(source, want.pick))
        data = read_file(source) if isinstance(source, Path) else source
        if want.noted:
            known["content"] = hash_of(data)
        if want.values:
            return Loaded(picture=mask_values(data))
        if want.shape is None:
            return Loaded(picture=decode(data, 0, want.pick), **known)
        enough = max(want.shape.height, want.shape.width)
        if want.noted:
            picture, header = read(data, enough, want.shape.pick)
            known["facts"] = facts_of(picture, header, data.nbytes if isinstance(data, np.ndarray) else len(data))
        else:
            picture = decode(data, enough, want.shape.pick)
        known.update(channels=picture.shape[2], depth=picture.dtype.name)
        return Loaded(picture=fit(picture, want.shape), **known)
    except Unreadable as problem:
        return Loaded(problem=problem, **known)
    except MemoryError:
        return Loaded(problem=Unreadable("needs more memory than there is for one picture", "size"), **known)
    except ValueError as error:  # it does not fit
        return Loaded(problem=Unreadable(str(error), "values"), **known)


def hash_of(data: bytes | np.ndarray) -> str:
    """A hash of bytes, or of the pixels, shape and type of an array."""
    digest = hashlib.blake2b(digest_size=HASH // 2)
    if isinstance(data, np.ndarray):
        digest.update(f"{data.shape} {data.dtype.str} ".encode())
        data = data.tobytes()
    digest.update(data)
    return digest.hexdigest()
