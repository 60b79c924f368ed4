"""Objects as peaks: boxes become heat-maps of their centres, and heat-maps become boxes again.

A detector's maps (B, K + 4, h, w) say for every cell and each of K classes whether the centre of an object is there,
and how far away the four sides of its box are (left, top, right, bottom: logarithms of multiples of `reach`). It
learns as in CenterNet (Zhou, Wang and Krähenbühl 2019) and TTFNet (Liu et al., AAAI 2020): every class has its own
heat-map with a bell around each centre, as long and wide as the box asks, and every cell under the middle of a bell
learns the box too, by its overlap with it (GIoU, Rezatofighi et al. 2019).

Boxes are (..., 4) x0, y0, x1, y1 in shares of the picture's width and height here, so maps of any size fit them. An
encoded picture is (M, 5): rows of kind, x0, y0, x1, y1, where kind is the class number or one of EMPTY and IGNORED; the
first row is SIZE, width, height, 0, 0 of the picture that the network sees, in pixels.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

EMPTY, IGNORED, SIZE = -1, -2, -3  # a row without a box, a box that is neither right nor wrong, the size in pixels
PRIOR = 3.0  # taken from every centre's logit: at first nothing is an object
BELL = 0.09  # deviation of a bell as a share of the side of its box
NARROWEST = 0.3  # cells: the least deviation of a bell
MIDDLE = 0.3  # height of a bell from which on a cell learns the box
OVERLAP_WEIGHT = 2.0  # of boxes beside centres in the loss
SEEN, PARTLY = 0.1, 0.35  # share of a box that must be left in a moved picture to count at all, and to count as one
MOST = 300  # peaks of a picture that are looked at, where pictures have no more objects than usual
LEAST_CONFIDENCE = 0.01
CELLS = 1 << 20  # of all bells that are laid out at a time
SURE = 0.3  # from which on a centre is one for the figure of each epoch
SAME = 0.6  # overlap from which on two boxes of a class are one object


def centre_logits(maps: Tensor) -> Tensor:
    """(B, K, h, w) logits of "here is the centre of an object of this class"."""
    return maps[:, :-4].float() - PRIOR


def side_boxes(maps: Tensor, reach: tuple[float, float]) -> Tensor:
    """(B, h, w, 4) the box that each cell gives; reach: the typical half width and half height of a box."""
    height, width = maps.shape[2:]
    sides = maps[:, -4:].float().clamp(-8, 8).exp()  # [B, left top right bottom, h, w]
    x = ((torch.arange(width, device=maps.device) + 0.5) / width)[None, None, :]
    y = ((torch.arange(height, device=maps.device) + 0.5) / height)[None, :, None]
    across, down = reach
    edges = (x - across * sides[:, 0], y - down * sides[:, 1], x + across * sides[:, 2], y + down * sides[:, 3])
    return torch.stack(edges, dim=-1)


def bells(boxes: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """A bell for each of M boxes (M, 4), elliptic as the box is, and exactly 1 in the cell of its centre: the product
    of its two sides, (M, h) and (M, w)."""

    def along(low: Tensor, high: Tensor, cells: int) -> Tensor:
        centre = ((low + high) / 2 * cells).floor().clamp(0, cells - 1)
        deviation = ((high - low) * cells * BELL).clamp(min=NARROWEST)
        places = torch.arange(cells, device=boxes.device)
        return torch.exp(-0.5 * ((places - centre[:, None]) / deviation[:, None]) ** 2)

    return along(boxes[:, 1], boxes[:, 3], height), along(boxes[:, 0], boxes[:, 2], width)


def shared(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """The areas of what both boxes of each pair fill, and of what either does: (..., 4) twice to (...) twice."""
    low, high = torch.maximum(first[..., :2], second[..., :2]), torch.minimum(first[..., 2:], second[..., 2:])
    both = (high - low).clamp(min=0).prod(dim=-1)
    areas = [(boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(dim=-1) for boxes in (first, second)]
    return both, areas[0] + areas[1] - both


def giou(first: Tensor, second: Tensor) -> Tensor:
    """Overlap less the share of the common hull that neither fills: (..., 4) twice to (...), from -1 to 1."""
    both, either = shared(first, second)
    low, high = torch.minimum(first[..., :2], second[..., :2]), torch.maximum(first[..., 2:], second[..., 2:])
    hull = (high - low).prod(dim=-1)
    return both / either.clamp(min=1e-12) - (hull - either) / hull.clamp(min=1e-12)


def centre_loss(maps: Tensor, encoded: Tensor, reach: tuple[float, float], weights: Tensor | None) -> Tensor:
    """Mean loss per object of a batch: focal on the heat-maps, 1 - GIoU on the boxes; weights: a factor per class."""
    logits, said = centre_logits(maps), side_boxes(maps, reach)
    weights = torch.ones(logits.shape[1], device=maps.device) if weights is None else weights
    heats, overlap, count = [], said.sum() * 0.0, maps.new_zeros((), dtype=torch.float32)
    for row, boxes in enumerate(encoded):
        boxes = boxes[boxes[:, 0] >= 0]
        kinds = boxes[:, 0].long()
        heat, (y, x), owner, share = _taught(boxes, logits.shape[1:])
        heats.append(heat)
        count = count + weights[kinds].sum()
        if len(boxes):
            each = (1 - giou(said[row, y, x], boxes[owner, 1:])) * share
            overlap = overlap + (each * weights[kinds[owner]]).sum()
    heat = torch.stack(heats)  # an object in an ignored box is one all the same
    each = _focal(logits, heat) * torch.maximum(_judged(encoded, *logits.shape[2:])[:, None], (heat >= MIDDLE).float())
    return ((each * weights[:, None, None]).sum() + OVERLAP_WEIGHT * overlap) / count.clamp(min=1.0)


def _taught(boxes: Tensor, shape: torch.Size) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor, Tensor]:
    """What boxes (M, 5) teach maps of this shape (K, h, w): the highest bell of every class; the cells (y, x) that
    learn a box, which of the boxes each learns, and its share of that box's loss.

    Where bells meet, a cell belongs to the smallest box. A few bells at a time are laid out in full.
    """
    order = (boxes[:, 3:] - boxes[:, 1:3]).prod(dim=1).argsort(descending=True, stable=True)
    kinds, (down, across) = boxes[order, 0].long(), bells(boxes[order, 1:], *shape[1:])
    heat, last = down.new_zeros(*shape), torch.full(tuple(shape[1:]), -1, dtype=torch.int32, device=boxes.device)
    for first in range(0, len(boxes), step := max(CELLS // shape[1:].numel(), 1)):
        some = slice(first, first + step)
        bell = down[some, :, None] * across[some, None, :]
        for kind in kinds[some].unique().tolist():
            heat[kind] = torch.maximum(heat[kind], bell[kinds[some] == kind].amax(dim=0))
        numbers = torch.arange(first, first + len(bell), dtype=torch.int32, device=boxes.device)
        last = torch.maximum(last, torch.where(bell >= MIDDLE, numbers[:, None, None], -1).amax(dim=0))
    y, x = (last >= 0).nonzero(as_tuple=True)
    number = last[y, x].long()
    owner, share = order[number], down[number, y] * across[number, x]
    whole = torch.zeros(len(boxes), device=boxes.device).index_add_(0, owner, share)
    return heat, (y, x), owner, share / whole[owner]


def _focal(logits: Tensor, heat: Tensor) -> Tensor:
    """Focal loss (Lin et al. 2017) that is milder on cells near a centre (Law and Deng 2018)."""
    sure = logits.sigmoid()
    there = -((1 - sure) ** 2) * F.logsigmoid(logits)
    away = -(sure**2) * F.logsigmoid(-logits) * (1 - heat) ** 4
    return torch.where(heat > 1 - 1e-6, there, away)


def _judged(encoded: Tensor, height: int, width: int) -> Tensor:
    """(B, h, w) 1 where an answer is right or wrong, 0 inside of ignored boxes."""
    is_ignored = encoded[:, :, 0] == IGNORED
    if not is_ignored.any():
        return torch.ones((), device=encoded.device).expand(len(encoded), height, width)
    x = (torch.arange(width, device=encoded.device) + 0.5) / width
    y = (torch.arange(height, device=encoded.device) + 0.5) / height
    across = (x >= encoded[..., 1, None]) & (x < encoded[..., 3, None]) & is_ignored[..., None]
    down = (y >= encoded[..., 2, None]) & (y < encoded[..., 4, None])
    return (~(down[..., None] & across[..., None, :]).any(dim=1)).to(torch.float32)


def moved(encoded: Tensor, sources: Tensor) -> Tensor:
    """Encoded boxes (B, M, 5) that follow their pictures; what is left of one at the edge is what counts.

    sources: (B, 2, 3) from a pixel of the changed picture to its place in the old one (see `augment.geometry`). A
    turned box becomes the upright one around its corners. One of which less than PARTLY is left is ignored, less than
    SEEN is gone.
    """
    linear, shift = sources[:, :, :2].cpu(), sources[:, :, 2].cpu()
    first, rows = encoded[:, :1], encoded[:, 1:].cpu()
    side = first[:, :, 1:3].cpu().double()  # [B, 1, width height]
    # Pixel centres are whole numbers there; a box's edges lie half a pixel before and behind them.
    edges = rows[..., 1:].double() * side.repeat(1, 1, 2) - 0.5
    corners = torch.stack([edges[..., pair] for pair in ([0, 1], [2, 1], [0, 3], [2, 3])], dim=2)
    back = torch.linalg.inv(linear)
    there = torch.einsum("bij,bmkj->bmki", back, corners - shift[:, None, None]) + 0.5
    low, high = there.amin(dim=2), there.amax(dim=2)
    whole = (high - low).prod(dim=-1)
    low, high = (torch.minimum(edge.clamp(min=0), side) for edge in (low, high))
    left = (high - low).prod(dim=-1) / whole.clamp(min=1e-9)
    kinds = rows[..., 0]
    kinds = torch.where((kinds >= 0) & (left < PARTLY), torch.full_like(kinds, IGNORED), kinds)
    kinds = torch.where(left < SEEN, torch.full_like(kinds, EMPTY), kinds)
    shares = (torch.cat([low, high], dim=-1) / side.repeat(1, 1, 2)).to(encoded.dtype)
    return torch.cat([first, torch.cat([kinds[..., None], shares], dim=-1).to(encoded.device)], dim=1)


def peaks(maps: Tensor, reach: tuple[float, float], most: int = MOST) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Per picture the objects on its maps, surest first: kinds (n,), boxes (n, 4), confidence (n,), at most `most`.

    A peak is a cell that no neighbour of its class exceeds; of boxes that overlap by SAME the surest stays.
    """
    sure = centre_logits(maps).sigmoid()
    sure = sure * is_peak(sure)
    said, answers = side_boxes(maps, reach), []
    for row in range(len(maps)):
        confidence, places = sure[row].flatten().topk(min(most, sure[row].numel()))
        known = confidence >= LEAST_CONFIDENCE
        confidence, places = confidence[known], places[known]
        cells = maps.shape[2] * maps.shape[3]
        kinds, boxes = places // cells, said[row].reshape(-1, 4)[places % cells].clamp(0, 1)
        kept = suppressed(kinds, boxes)
        answers.append((kinds[kept], boxes[kept], confidence[kept]))
    return answers


def is_peak(maps: Tensor) -> Tensor:
    """(B, K, h, w) whether a cell is exceeded by none of its eight neighbours."""
    return F.max_pool2d(maps, 3, stride=1, padding=1) == maps


def suppressed(kinds: Tensor, boxes: Tensor) -> Tensor:
    """Numbers of the boxes (n, 4), surest first, that overlap no surer one of their class by SAME (greedy NMS)."""
    kept = torch.zeros(0, dtype=torch.int64, device=boxes.device)
    for first in range(0, len(boxes), MOST):
        own = torch.arange(first, min(first + MOST, len(boxes)), device=boxes.device)
        own = own[~_rivals(kinds, boxes, own, kept).any(dim=1)]
        rivals, free = _rivals(kinds, boxes, own, own).cpu().numpy(), []
        for number in range(len(own)):
            if not rivals[number, free].any():
                free.append(number)
        kept = torch.cat([kept, own[free]])
    return kept


def _rivals(kinds: Tensor, boxes: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """(F, S) whether boxes of these numbers (F,) and (S,) are of one class and overlap by more than SAME."""
    both, either = shared(boxes[first, None], boxes[None, second])
    return (both / either.clamp(min=1e-12) > SAME) & (kinds[first, None] == kinds[None, second])


def found_shares(maps: Tensor, encoded: Tensor, reach: tuple[float, float]) -> float:
    """The sum over a batch of the share of a picture's objects that their own cell finds: with the right class surest
    and SURE enough, and a box that overlaps by a half. A picture without objects counts where nothing is seen on it."""
    sure, said, total = centre_logits(maps).sigmoid(), side_boxes(maps, reach), 0.0
    for row, boxes in enumerate(encoded):
        boxes = boxes[boxes[:, 0] >= 0]
        if not len(boxes):
            total += float(sure[row].max() < SURE)
            continue
        centre = (boxes[:, 1:3] + boxes[:, 3:]) / 2 * torch.tensor([*sure.shape[:1:-1]], device=maps.device)
        x, y = (centre[:, axis].long().clamp(0, sure.shape[3 - axis] - 1) for axis in (0, 1))
        best, kind = sure[row, :, y, x].max(dim=0)
        both, either = shared(said[row, y, x], boxes[:, 1:])
        total += float(((kind == boxes[:, 0]) & (best >= SURE) & (both >= 0.5 * either)).float().mean())
    return total


def mirrored_back(maps: Tensor) -> Tensor:
    """Maps of a picture that was mirrored left-right, as those of the picture itself."""
    kinds = maps.shape[1] - 4
    order = [*range(kinds), kinds + 2, kinds + 1, kinds, kinds + 3]
    return maps[:, order].flip(3)
