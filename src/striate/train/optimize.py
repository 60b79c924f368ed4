"""How weights are changed: the optimizer, fp32 masters of bf16 weights, and the average that is kept."""

import copy

import torch
from torch import Tensor, nn

from striate.device import in_bf16
from striate.network.build import Network
from striate.network.quick import quicken_all
from striate.train.plan import Plan


class Optimizer:
    """SGD with Nesterov momentum, Adam, AdamW or Muon over the trained weights of a network.

    The updates are torch's own fused kernels, called directly: the classes of torch.optim import torch's
    compiler when they are made, which takes longer than many a training here. Weight decay acts on filters
    and dense weights, not on biases and norms. "muon" treats filters with Muon and the rest with SGD; what the
    network is trained in, `dtype`, is exact enough for its products.
    """

    MANY_FILTERS = 128  # in one layer, from which on products in bf16 save more than rounding to it costs

    def __init__(self, network: nn.Module, plan: Plan, dtype: torch.dtype = torch.float32) -> None:
        trained = [p for p in network.parameters() if p.requires_grad]
        self.plan, self.dtype = plan, dtype
        self._filters = [p for p in trained if p.ndim > 2 and plan.optimizer == "muon"]
        filters = set(map(id, self._filters))
        self._decay = {id(p): plan.weight_decay if p.ndim > 1 else 0.0 for p in trained if id(p) not in filters}
        adaptive = plan.optimizer in {"adam", "adamw"}
        self._kinds = ("momentum", "square") if adaptive else ("momentum",)
        self._state = {id(p): {kind: torch.zeros_like(p) for kind in self._kinds} for p in trained}
        self._order = trained
        self._steps = torch.zeros((), dtype=torch.float32, device=trained[0].device)

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """One update at `factor` (0..1) of the highest learning rates."""
        self._steps += 1
        for decay in set(self._decay.values()):
            weights = [p for p in self._order if p.grad is not None and self._decay.get(id(p)) == decay]
            states = {kind: [self._state[id(p)][kind] for p in weights] for kind in self._kinds}
            if weights:
                self._update(weights, [p.grad for p in weights], states, decay, factor)
        for weight in self._filters:
            if weight.grad is not None:
                self._muon(weight, self.plan.filter_lr * factor)

    def tensors(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, by name."""
        named = {
            f"{number}.{kind}": self._state[id(weight)][kind]
            for number, weight in enumerate(self._order)
            for kind in self._kinds
        }
        return {**named, "steps": self._steps}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `tensors` gave."""
        for name, mine in self.tensors().items():
            mine.copy_(tensors[name])

    def goes_in_pieces(self, weight: Tensor) -> bool:
        """Whether each number's update depends on nothing but that number's own past."""
        return id(weight) in self._decay

    @torch.no_grad()
    def step_of_piece(self, weight: Tensor, rows: slice, gradient: Tensor, factor: float) -> None:
        """What the last `step` did for whole weights, for some rows of one that had no gradient then."""
        states = {kind: [state[rows]] for kind, state in self._state[id(weight)].items()}
        self._update([weight[rows]], [gradient], states, self._decay[id(weight)], factor)

    def _update(
        self,
        weights: list[Tensor],
        gradients: list[Tensor],
        states: dict[str, list[Tensor]],
        decay: float,
        factor: float,
    ) -> None:
        plan = self.plan
        if "square" in states:
            update = torch._fused_adamw_ if plan.optimizer == "adamw" else torch._fused_adam_
            steps = [self._steps.clone() for _ in weights]
            update(
                weights, gradients, states["momentum"], states["square"], [], steps, lr=plan.lr * factor,
                beta1=0.9, beta2=0.999, weight_decay=decay, eps=1e-8, amsgrad=False, maximize=False,
            )  # fmt: skip
        else:
            torch._fused_sgd_(
                weights, gradients, states["momentum"] if plan.momentum else [], weight_decay=decay,
                momentum=plan.momentum, lr=plan.lr * factor, dampening=0.0, nesterov=plan.momentum > 0,
                maximize=False, is_first_step=False,
            )  # fmt: skip

    def _muon(self, weight: Tensor, rate: float) -> None:
        """Momentum whose update is made orthogonal (Jordan et al. 2024), for a bank of filters.

        The weights keep the norm sqrt(filters), so the learning rate means the same for every layer.
        """
        momentum = self._state[id(weight)]["momentum"]
        momentum.mul_(self.plan.filter_momentum).add_(weight.grad)
        update = weight.grad.add(momentum, alpha=self.plan.filter_momentum)
        if len(update) >= self.MANY_FILTERS:
            update = update.to(self.dtype)
        weight.mul_(len(weight) ** 0.5 / weight.norm().clamp(min=1e-7))
        weight.add_(_orthogonal(update), alpha=-rate)


def _orthogonal(update: Tensor) -> Tensor:
    """(out, in, *kernel) as the nearest matrix (out, in x kernel) with singular values near 1.

    Three Newton-Schulz steps; the quintic's coefficients are those of the paper.
    """
    matrix = update.reshape(len(update), -1)
    tall = matrix.shape[0] > matrix.shape[1]
    matrix = matrix.T if tall else matrix
    matrix = matrix / (matrix.norm() + 1e-7)
    for _ in range(3):
        square = matrix @ matrix.T
        mixed = torch.addmm(square, square, square, beta=-4.7750, alpha=2.0315)
        matrix = torch.addmm(matrix, mixed, matrix, beta=3.4445)
    return (matrix.T if tall else matrix).reshape(update.shape)


class Masters:
    """A network to compute with (see `in_bf16`) and the fp32 network that learns; one and the same in fp32."""

    PIECE = 1 << 18  # numbers; 1 MB in fp32

    def __init__(self, network: Network, precision: str) -> None:
        self.network, self.working, self._pairs = network, network, []
        self.dtype = torch.float32
        if precision == "bf16":
            self.dtype = torch.bfloat16
            self.working, self._pairs = in_bf16(network)
            if next(network.parameters()).device.type == "cpu":
                quicken_all(self.working)

    @torch.no_grad()
    def step(self, optimizer: Optimizer, factor: float) -> None:
        """One update: gradients to fp32, the optimizer's step, new weights to bf16.

        Large weights go through all three some rows at a time, so that each piece is fetched into the cache once.
        """
        large, rest = [], []
        for master, copied in self._pairs:
            pays = master.device.type == "cpu" and master.numel() > self.PIECE
            in_pieces = pays and copied.grad is not None and optimizer.goes_in_pieces(master)
            (large if in_pieces else rest).append((master, copied))
            master.grad = None if in_pieces or copied.grad is None else copied.grad.to(torch.float32)
        optimizer.step(factor)
        for master, copied in large:
            count = max(1, self.PIECE // master[0].numel())
            for first in range(0, len(master), count):
                rows = slice(first, first + count)
                optimizer.step_of_piece(master, rows, copied.grad[rows].to(torch.float32), factor)
                copied[rows].copy_(master[rows])
        self.lower(rest)

    @torch.no_grad()
    def lower(self, pairs: list[tuple[Tensor, Tensor]] | None = None) -> None:
        """Bring the weights as they are now to the network that computes, all or those of some pairs."""
        for master, copied in self._pairs if pairs is None else pairs:
            copied.copy_(master)

    def zero_grad(self) -> None:
        self.network.zero_grad(set_to_none=True)
        self.working.zero_grad(set_to_none=True)


class Average:
    """An exponential average of the weights (Polyak & Juditsky 1992), which is what a run keeps.

    Its memory is a fixed share of the whole schedule, so a short run and a long one are smoothed alike.
    """

    EVERY = 5  # steps between two updates: the average changes slowly and each update reads all weights
    MEMORY = 0.02  # of the schedule

    def __init__(self, network: nn.Module) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module, advance: float) -> None:
        """Move towards `network`; `advance` is the share of the schedule since the last update."""
        share = min(1.0, advance / self.MEMORY)
        torch._foreach_lerp_(_floats(self.network), _floats(network), share)


def _floats(network: nn.Module) -> list[Tensor]:
    return [tensor for tensor in network.state_dict().values() if tensor.is_floating_point()]
