"""How weights are changed: optimizers, fp32 masters of bf16 weights, and the average that is kept."""

import copy

import torch
from torch import Tensor, nn

from striate.train.plan import Plan

_LOWERED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


class Muon(torch.optim.Optimizer):
    """Momentum whose update is made orthogonal per layer (Jordan et al. 2024), for filters.

    A filter bank (out, in, *kernel) is seen as a matrix (out, in x kernel). Three Newton-Schulz steps
    bring its singular values near 1; the weights keep the norm sqrt(out), so the learning rate means the
    same for every layer.
    """

    def __init__(self, parameters: list[Tensor], lr: float, momentum: float) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(weight)
                momentum = state["momentum_buffer"]
                momentum.mul_(group["momentum"]).add_(weight.grad)
                update = _orthogonal(weight.grad.add(momentum, alpha=group["momentum"]))
                weight.mul_(len(weight) ** 0.5 / weight.norm().clamp(min=1e-7))
                weight.add_(update, alpha=-group["lr"])


def _orthogonal(update: Tensor) -> Tensor:
    matrix = update.reshape(len(update), -1)
    tall = matrix.shape[0] > matrix.shape[1]
    matrix = matrix.T if tall else matrix
    matrix = matrix / (matrix.norm() + 1e-7)
    for _ in range(3):
        square = matrix @ matrix.T
        matrix = 3.4445 * matrix + (2.0315 * square @ square - 4.7750 * square) @ matrix
    return (matrix.T if tall else matrix).reshape(update.shape)


class Optimizers:
    """The optimizers of one network, with one learning-rate factor and one flat state."""

    def __init__(self, network: nn.Module, plan: Plan) -> None:
        trained = [p for p in network.parameters() if p.requires_grad]
        filters = [p for p in trained if p.ndim > 2] if plan.optimizer == "muon" else []
        chosen = {id(p) for p in filters}
        groups = [
            {
                "params": [p for p in trained if p.ndim > 1 and id(p) not in chosen],
                "weight_decay": plan.weight_decay,
            },
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
        groups = [group for group in groups if group["params"]]
        if plan.optimizer in {"adam", "adamw"}:
            kind = torch.optim.AdamW if plan.optimizer == "adamw" else torch.optim.Adam
            self._all = [kind(groups, lr=plan.lr, fused=True)]
        else:
            nesterov = plan.momentum > 0
            self._all = [
                torch.optim.SGD(groups, lr=plan.lr, momentum=plan.momentum, nesterov=nesterov, fused=True)
            ]
        if filters:
            self._all.append(Muon(filters, lr=plan.filter_lr, momentum=plan.filter_momentum))
        self._peaks = [[group["lr"] for group in one.param_groups] for one in self._all]

    def step(self, factor: float) -> None:
        """One update at `factor` (0..1) of the highest learning rates."""
        for one, peaks in zip(self._all, self._peaks, strict=True):
            for group, peak in zip(one.param_groups, peaks, strict=True):
                group["lr"] = peak * factor
            one.step()

    def tensors(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, by name."""
        return {
            f"{number}.{key}.{name}": value
            for number, one in enumerate(self._all)
            for key, values in one.state_dict()["state"].items()
            for name, value in values.items()
            if isinstance(value, Tensor)
        }

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `tensors` gave."""
        for number, one in enumerate(self._all):
            state: dict[int, dict[str, Tensor]] = {}
            for full, value in tensors.items():
                owner, key, name = full.split(".", 2)
                if int(owner) == number:
                    # The same memory order as the weights, which lie channels-last.
                    order = torch.channels_last if value.ndim == 4 else torch.contiguous_format
                    state.setdefault(int(key), {})[name] = value.contiguous(memory_format=order)
            one.load_state_dict({"state": state, "param_groups": one.state_dict()["param_groups"]})


class Masters:
    """A network to compute with and the fp32 network that learns; one and the same in fp32.

    In bf16 the convolutions and dense layers of `working` hold bf16 copies of the weights; everything
    else (norms, their statistics) is shared with the fp32 network.
    """

    def __init__(self, network: nn.Module, precision: str) -> None:
        self.network, self.working, self._pairs = network, network, []
        self.dtype = torch.float32
        if precision == "bf16":
            self.dtype = torch.bfloat16
            self.working = copy.deepcopy(network)
            for ours, theirs in zip(network.modules(), self.working.modules(), strict=True):
                self._share(ours, theirs)

    def _share(self, ours: nn.Module, theirs: nn.Module) -> None:
        if not isinstance(ours, _LOWERED):
            theirs._parameters.update(ours._parameters)
            theirs._buffers.update(ours._buffers)
            return
        theirs.to(torch.bfloat16)
        for name, master in ours.named_parameters(recurse=False):
            self._pairs.append((master, theirs.get_parameter(name)))

    def gradients_to_masters(self) -> None:
        for master, copied in self._pairs:
            master.grad = None if copied.grad is None else copied.grad.to(torch.float32)

    @torch.no_grad()
    def masters_to_working(self) -> None:
        for master, copied in self._pairs:
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
