"""The pictures of a run laid out by what the network's last layer goes by: those that lie together look alike to it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import islice

import numpy as np
from PIL import Image

from striate.data.load import Loaded
from striate.data.prepare import Shape, size_in
from striate.draw.pixels import three_channels
from striate.serve.gallery import Entry, Gallery
from striate.serve.reply import Refusal, Request

MOST, LEAST = 600, 60  # pictures that are laid out, of which half may be of the test part; of a costly network
OPERATIONS = 2e12  # for all of them: about half a minute on one core
NEAR, ABOUT = 12, 3  # neighbours that are named; those that say where a picture lies that is not laid out
SIDE, LONGEST = 48, 4  # pixels of a thumbnail, and how often its height it is wide at most
NEIGHBOURS = 30  # the perplexity of t-SNE
TOGETHER = 16  # pictures that the network is given at a time: who looks at one waits for these
Embed = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Embedding:
    """Pictures beside each other.

    entries: N pictures. rows: (N, D) float32 of length 1, what the last layer goes by less its mean. mean: (D,) that
    mean. places: (N, 2) x and y from 0 to 1. thumbnails: (N, SIDE, SIDE, 4) uint8 with what is covered. missing: how
    many more cannot be read.
    """

    entries: tuple[Entry, ...]
    rows: np.ndarray
    mean: np.ndarray
    places: np.ndarray
    thumbnails: np.ndarray
    missing: int

    @classmethod
    def of(cls, embed: Embed, gallery: Gallery, request: Request, operations: float) -> "Embedding":
        """Of up to MOST pictures, evenly over the test part and the others; embed: prepared pictures (N, H, W, C) as
        what they are before the last layer (N, D), at so many operations each. Refusal 404 where there are too few."""
        most = min(MOST, max(LEAST, int(OPERATIONS / operations)))
        entries, raw, thumbnails, asked = [], [], [], _some([*gallery.entries.values()], most)
        each = ((entry, one) for entry, one in gallery.prepared_each(asked) if not one.problem)
        if not asked:
            raise Refusal(404, "pictures of a run are laid out, and this is none: open the folder of one")
        while chunk := list(islice(each, TOGETHER)):
            request.require_waiting()
            raw.append(embed(np.stack([one.picture for _, one in chunk])))
            entries += [entry for entry, _ in chunk]
            thumbnails += [_thumbnail(gallery.seen(_own(one, gallery.shape))) for _, one in chunk]
        if len(entries) < ABOUT:
            said = f"{len(entries)} of the run's {len(asked)} can be read; arrays in memory are not kept"
            raise Refusal(404, f"too few pictures to lay out: {said}")
        vectors = np.concatenate(raw)
        if not np.isfinite(vectors).all():
            raise Refusal(404, "pictures are laid out by finite numbers, and this network makes others of some")
        mean = vectors.mean(axis=0)
        rows = _unit(vectors - mean)
        return cls(tuple(entries), rows, mean, laid_out(rows), np.stack(thumbnails), len(asked) - len(entries))

    @property
    def bytes(self) -> int:
        return self.rows.nbytes + self.thumbnails.nbytes

    def near(self, picture: str, raw: np.ndarray) -> dict:
        """What JSON holds: which NEAR others are most alike, and where it lies itself; raw: (D,) from `embed`."""
        alike = self.rows @ _unit((raw - self.mean)[None])[0]
        own = next((place for place, entry in enumerate(self.entries) if entry.id == picture), None)
        order = [place for place in np.argsort(-alike, kind="stable").tolist() if place != own]
        place = self.places[order[:ABOUT]].mean(axis=0) if own is None else self.places[own]
        return {"near": order[:NEAR], "place": place}

    def told(self) -> dict:
        """What JSON holds; agree: how many test pictures, of n, have the class of the most alike other picture."""
        alike = self.rows @ self.rows.T
        np.fill_diagonal(alike, -np.inf)
        truths = [entry.truth for entry in self.entries]
        tested = [place for place, entry in enumerate(self.entries) if entry.part == "test"]
        same = sum(truths[place] == truths[int(alike[place].argmax())] for place in tested)
        both = zip(self.entries, self.places.tolist(), strict=True)
        points = [{**asdict(entry), "x": x, "y": y} for entry, (x, y) in both]
        agree = {"same": same, "n": len(tested)}
        return {"points": points, "numbers": self.rows.shape[1], "missing": self.missing, "agree": agree}


def laid_out(rows: np.ndarray) -> np.ndarray:
    """Places (N, 2) from 0 to 1 for rows (N, D) of length 1: t-SNE (van der Maaten & Hinton 2008) of 1 minus their
    cosines, from the two principal components on; the same for the same rows."""
    from sklearn.manifold import TSNE  # half a second, and most visits never ask

    centred = rows - rows.mean(axis=0)
    values, vectors = np.linalg.eigh((centred @ centred.T).astype(np.float64))
    first = vectors[:, -1:-3:-1] * np.sqrt(np.maximum(values[-1:-3:-1], 0))
    first *= np.where(first.sum(axis=0) < 0, -1, 1) * 1e-4 / max(first[:, 0].std(), 1e-12)
    apart = np.clip(1 - rows @ rows.T, 0, None)
    np.fill_diagonal(apart, 0)
    perplexity = min(NEIGHBOURS, (len(rows) - 1) / 3)
    made = TSNE(perplexity=perplexity, metric="precomputed", init=first.astype(np.float32), random_state=0)
    places = made.fit_transform(apart)
    low = places.min(axis=0)
    return (places - low) / np.maximum(places.max(axis=0) - low, 1e-12)


def _some(entries: list[Entry], most: int) -> list[Entry]:
    """Up to `most`: of the test part up to half of it, or what the others leave, and evenly of the rest."""
    tested = [entry for entry in entries if entry.part == "test"]
    others = [entry for entry in entries if entry.part != "test"]
    tested = _spaced(tested, max(most // 2, most - len(others)))
    return tested + _spaced(others, most - len(tested))


def _spaced(entries: list[Entry], most: int) -> list[Entry]:
    """As many as there may be, the first and the last among them (`evenly` takes every second of one too many)."""
    places = np.linspace(0, len(entries) - 1, min(len(entries), most)).round().astype(int)
    return [entries[place] for place in places.tolist()]


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _own(one: Loaded, shape: Shape) -> np.ndarray:
    """A prepared picture without the mirror images that fill its grid."""
    height, width = size_in(shape, *one.size) if shape.mirrored else one.picture.shape[:2]
    return one.picture[:height, :width]


def _thumbnail(picture: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE, 4) uint8: a picture for the eye (H, W, 1 or 3) in its form, in the middle, 0 around it; of a long
    line such as a text the beginning."""
    image = Image.fromarray(three_channels(picture[:, : LONGEST * len(picture)]))
    grown = SIDE / max(image.size)
    size = tuple(max(round(side * grown), 1) for side in image.size)
    out = Image.new("RGBA", (SIDE, SIDE))
    method = Image.Resampling.NEAREST if grown > 1 else Image.Resampling.BOX
    out.paste(image.resize(size, method), tuple((SIDE - side) // 2 for side in size))
    return np.asarray(out)
