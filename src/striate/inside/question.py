"""What is asked of a network: a picture, and the one number of the output that is to be explained."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from striate.errors import StriateError
from striate.inside.capture import Picture, at_rest, capture, in_float32
from striate.inside.operations import every

Score = int | Callable[[Tensor], Tensor]
Baseline = float | str | Tensor

CHUNK = 1 << 19  # pixel values that go through the network at once
CLOSING = (nn.Softmax, nn.LogSoftmax, nn.Sigmoid)


@dataclass(frozen=True)
class Question:
    """A network at rest, the picture (1, C, *spatial) on its device, and the scalar that is asked about."""

    network: nn.Module
    picture: Tensor
    score: Score
    versus: Score | None
    tensors: dict[str, Tensor] = field(repr=False)  # weights and buffers in float32

    def run(self, pictures: Tensor) -> Tensor:
        """The network's (first) output for pictures (N, C, *spatial)."""
        return next(every(Tensor, torch.func.functional_call(self.network, self.tensors, (pictures,))))

    def of(self, outputs: Tensor) -> Tensor:
        """(N,) from outputs (N, ...)."""
        values = _values(outputs, self.score)
        return values if self.versus is None else values - _values(outputs, self.versus)

    @torch.no_grad()
    def scores(self, pictures: Tensor) -> Tensor:
        """(N,) float64 for pictures (N, C, *spatial)."""
        return torch.cat([self.of(self.run(part)).double() for part in self._parts(pictures)])

    def gradients(self, pictures: Tensor) -> Tensor:
        """Of each picture's score by its own pixels, (N, C, *spatial)."""
        found = []
        for part in self._parts(pictures):
            leaf = part.detach().requires_grad_()
            gradient = gradient_of(self.of(self.run(leaf)).sum(), leaf)
            found.append(torch.zeros_like(leaf) if gradient is None else gradient)
        return torch.cat(found)

    def words(self) -> str:
        """The scalar, for people: "class 3 minus class 5"."""
        asked = [item for item in (self.score, self.versus) if item is not None]
        return " minus ".join("a score of your own" if callable(item) else f"class {item}" for item in asked)

    def _parts(self, pictures: Tensor) -> tuple[Tensor, ...]:
        # A batchnorm that keeps no statistics takes those of the batch, so that others would change a picture's score.
        norms = (m for m in self.network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm))
        alone = any(norm.running_mean is None for norm in norms)
        return pictures.split(1 if alone else max(1, CHUNK // pictures[0].numel()))


@contextlib.contextmanager
def ask(
    network: nn.Module, picture: Picture, score: Score | None = None, versus: Score | None = None
) -> Iterator[Question]:
    """A question to the network at rest (see `at_rest`); by default about the class that it names.

    Inside, a Softmax or Sigmoid module that ends the network hands on its input, so that scores are logits.
    """
    recording = capture(network, picture)
    x, score = recording.picture[None], int(recording.output.argmax()) if score is None else score
    if not 3 <= x.ndim <= 5:
        raise StriateError("a picture has channels and one to three spatial axes", received=tuple(x.shape[1:]))
    with at_rest(network, x.device), contextlib.ExitStack() as stack:
        question = Question(network, x.clone(), score, versus, in_float32(network))
        for module in _closing(question):
            stack.callback(module.register_forward_hook(lambda _module, args, _output: args[0]).remove)
        yield question


def gradient_of(score: Tensor, by: Tensor) -> Tensor | None:
    """None where `by` does not lead to the score at all; the graph is kept."""
    return torch.autograd.grad(score, by, retain_graph=True, allow_unused=True)[0] if score.requires_grad else None


def filled(picture: Tensor, baseline: Baseline | None) -> tuple[Tensor, str]:
    """What stands in for the picture (1, C, *spatial) where it is taken away (0 everywhere if None), and its name."""
    if isinstance(baseline, str):
        if baseline != "mean":
            raise StriateError("a baseline is a number, mean or a picture", received=baseline, where="baseline")
        return picture.mean(tuple(range(2, picture.ndim)), keepdim=True).expand_as(picture), "the mean of each channel"
    value = torch.as_tensor(0.0 if baseline is None else baseline).to(picture)
    if value.ndim and value.shape not in (picture.shape, picture.shape[1:]):
        shapes = f"{tuple(value.shape)} for {tuple(picture.shape[1:])}"
        raise StriateError("a baseline picture has the shape of the picture", received=shapes, where="baseline")
    return value.expand_as(picture), "a picture of your own" if value.ndim else f"{float(value):g} everywhere"


def _closing(question: Question) -> list[nn.Module]:
    """The softmax or sigmoid module whose only call gives the network's output, if there is one."""
    calls: list[tuple[nn.Module, Tensor]] = []
    with contextlib.ExitStack() as stack:
        closers = [module for module in question.network.modules() if isinstance(module, CLOSING)]
        for module in closers:
            stack.callback(module.register_forward_hook(lambda m, _, out: calls.append((m, out))).remove)
        with torch.no_grad():
            output = question.run(question.picture) if closers else None
    called = [module for module, _ in calls]
    return [module for module, out in calls if out is output and called.count(module) == 1]


def _values(outputs: Tensor, score: Score) -> Tensor:
    if callable(score):
        values = [torch.as_tensor(score(output)) for output in outputs]
        if any(value.numel() != 1 for value in values):
            raise StriateError("a score is one number", received=f"shape {tuple(values[0].shape)}", where="score")
        return torch.stack([value.reshape(()) for value in values])
    rows = outputs[:, None] if outputs.ndim == 1 else outputs
    if rows.ndim != 2:
        rule = "a class can be asked about where the output is one row of numbers"
        remedy = "give a function of the output, such as lambda output: output[1].mean()"
        raise StriateError(rule, received=f"shape {tuple(outputs.shape[1:])}", where="score", remedy=remedy)
    if not 0 <= score < rows.shape[1]:
        raise StriateError(f"a class is a number from 0 to {rows.shape[1] - 1}", received=score, where="score")
    return rows[:, score]
