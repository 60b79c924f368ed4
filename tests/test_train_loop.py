"""The training loop: steps, schedule, stopping, and the same bits again after any interruption."""

import dataclasses
import itertools
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_training import tiny_plan, tiny_training

from striate.data.batches import standardise
from striate.errors import StriateError
from striate.train.checkpoint import Place, has_checkpoint, load_checkpoint, save_checkpoint
from striate.train.clock import Clock, seconds_since_start
from striate.train.events import Epoch, Step
from striate.train.loop import Training, _factor

RICH = "conv 4 3, batchnorm, relu, dropout 0.3, residual(conv 4 3), globalavgpool, dense classes"


def weights(training: Training) -> dict[str, torch.Tensor]:
    return training.average.network.state_dict()


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


def epochs_of(events: list) -> list[Epoch]:
    return [event for event in events if isinstance(event, Epoch)]


def facts_of(event: Epoch) -> tuple:
    """An epoch's row without the columns that are wall time."""
    row = event.row()
    return tuple(value for name, value in row.items() if name not in {"seconds", "pictures_per_second"})


def test_the_learning_rate_rises_for_15_percent_and_ends_at_zero() -> None:
    """A straight line up from nearly 0 to the highest at 15 %, a straight line down to 0 at the end."""
    assert 0 < _factor(0.0) < 0.01
    assert _factor(0.075) == pytest.approx(0.5, abs=0.01)
    assert _factor(0.15) == pytest.approx(1.0, abs=0.01)
    assert _factor(0.575) == pytest.approx(0.5)
    assert _factor(1.0) == 0
    marks = [_factor(step / 1000) for step in range(1001)]
    peak = marks.index(max(marks))
    assert peak == pytest.approx(150, abs=2)
    assert max(marks) <= 1
    assert marks[:peak] == sorted(marks[:peak])
    assert marks[peak:] == sorted(marks[peak:], reverse=True)


def test_a_budget_of_epochs_is_kept_to_the_step() -> None:
    """24 pictures in batches of 8 for 4 epochs: 12 steps, 4 epochs, the schedule at exactly 1."""
    training = tiny_training(tiny_plan(epochs=4))
    events = list(training.run())
    steps = [event for event in events if isinstance(event, Step)]
    assert len(steps) == 12
    assert [event.epoch for event in epochs_of(events)] == [1, 2, 3, 4]
    assert [step.progress for step in steps] == pytest.approx([(n + 1) / 12 for n in range(12)])
    assert steps[-1].progress == 1
    assert (training.place.epoch, training.place.step, training.place.progress) == (4, 12, 1.0)
    assert all(step.epochs == 4 and step.pictures_per_second > 0 and step.seconds_left >= 0 for step in steps)
    assert steps[-1].seconds_left == 0


def test_batches_larger_than_the_data_are_one_step() -> None:
    """With 24 pictures and batches of 1,000 an epoch is one step."""
    training = tiny_training(tiny_plan(epochs=2, batch_size=1000))
    assert sum(isinstance(event, Step) for event in training.run()) == 2


def test_it_learns() -> None:
    """Stripes one way or the other are told apart on pictures not trained on."""
    training = tiny_training(tiny_plan(epochs=25, lr=0.1))
    last = epochs_of(list(training.run()))[-1]
    assert last.validation_hits == 1.0
    assert last.validation_loss < 0.3
    assert last.learning_rate < 0.1 * 0.05


ONE = "conv 4 3, relu, globalavgpool, dense classes"


@pytest.mark.parametrize(("optimizer", "precision"), [("sgd", "fp32"), ("adam", "bf16"), ("muon", "fp32")])
def test_members_of_an_ensemble_learn_each_by_itself(optimizer: str, precision: str) -> None:
    """Each member ends with the weights that the same network has which begins as it did and learns alone."""
    plan = tiny_plan(network=f"ensemble 2 ({ONE})", epochs=3, optimizer=optimizer, smoothing=0.1)
    together = tiny_training(plan, precision=precision)
    alone = [tiny_training(dataclasses.replace(plan, line=ONE), precision=precision) for _ in range(2)]
    for member, one in zip(together.network[0].children(), alone, strict=True):
        one.network.load_state_dict(member.state_dict())
        one.average.network.load_state_dict(member.state_dict())
        one.masters.lower()
    last = [epochs_of(list(training.run()))[-1] for training in (together, *alone)]
    for member, one in zip(together.average.network[0].children(), alone, strict=True):
        learned = one.average.network.state_dict()
        assert all(torch.allclose(value, learned[name], atol=1e-6) for name, value in member.state_dict().items())
    assert last[0].train_loss == pytest.approx((last[1].train_loss + last[2].train_loss) / 2, abs=1e-5)
    assert last[0].train_hits == pytest.approx((last[1].train_hits + last[2].train_hits) / 2)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_bias_of_a_whitening_layer_learns_while_the_rate_rises(precision: str) -> None:
    """20 steps: it changes in each of the first three (15 %), then no more, while the rest learns on."""
    line = "whiten 8 2, silu, conv 4 3, flatten, dense classes"
    training = tiny_training(tiny_plan((16, 16), network=line, epochs=5), (16, 16), precision=precision)
    states = []
    for event in training.run():
        if isinstance(event, Step):
            states.append({name: value.clone() for name, value in training.network.state_dict().items()})
    first, rest = ([state[f"{name}.bias"] for state in states] for name in ("whiten1", "conv1"))
    assert len(first) == 20
    assert not torch.equal(first[0], torch.zeros(8))
    assert [torch.equal(*pair) for pair in itertools.pairwise(first)] == [False] * 2 + [True] * 17
    assert not any(torch.equal(*pair) for pair in itertools.pairwise(rest[:-1]))
    assert training.network.whiten1.bias.requires_grad  # else a summary would call it fixed


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("before", ["globalavgpool", "flatten", "3*(maxpool 2)"])
def test_one_picture_gives_a_norm_no_mean(before: str, precision: str) -> None:
    """A mean over one value is that value: refused with what to do, while two pictures are enough."""
    line = f"conv 4 3, {before}, batchnorm, flatten, dense classes"
    for size in (1, 2):
        plan = tiny_plan((16, 16), network=line, batch_size=size, epochs=1)
        training = tiny_training(plan, (16, 16), precision=precision)
        if size == 2:
            assert isinstance(next(training.run()), Step)
            continue
        with pytest.raises(StriateError, match=r"one picture at a time.*--batch-size 2"):
            next(training.run())


def test_one_sigmoid_output_learns_two_classes() -> None:
    """A network with one output is trained with binary cross-entropy and decodes to both probabilities."""
    line = "conv 4 3, relu, globalavgpool, dense 1, sigmoid"
    training = tiny_training(tiny_plan(network=line, epochs=25, lr=0.1))
    last = epochs_of(list(training.run()))[-1]
    assert training.network.output_shape == (1,)
    assert last.validation_hits == 1.0
    batch = next(training.validation.in_order())
    training.average.network.eval()
    with torch.no_grad():
        logits = training.average.network.logits(standardise(batch.pictures, training.batches.preparation))
    rows = training.task.decode(logits)
    assert rows.argmax(axis=1).tolist() == batch.targets.tolist()
    assert rows.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("how", ["weights", "sampling"])
def test_a_rare_class_is_not_forgotten(how: str) -> None:
    """With 40 pictures against 4, class weights or balanced sampling find more of the rare class than neither.

    The logits of a short training show it: without balance the rare class is held to be improbable.
    """

    def rare_share(balance: str) -> float:
        counts = (40, 4)
        plan = tiny_plan(counts, balance=balance, epochs=4, lr=0.02)
        factors = torch.tensor([0.55, 5.5]) if balance == "weights" else None
        training = tiny_training(plan, counts, class_weights=factors)
        list(training.run())
        batch = next(training.validation.in_order())
        with torch.no_grad():
            x = standardise(batch.pictures, training.batches.preparation)
            return float(training.task.decode(training.average.network.eval().logits(x))[:, 1].mean())

    assert rare_share("none") < 0.35
    assert 0.35 < rare_share(how) < 0.65


def test_the_same_seed_gives_the_same_bits() -> None:
    """Dropout, order and augmentation follow from the seed, whatever torch's global state; another seed differs."""
    options = {"network": RICH, "augment": "rotate 20, shift 0.1, brightness 0.2", "optimizer": "muon"}
    results = []
    for seed, state in ((1, 0), (1, 99), (2, 0)):
        torch.manual_seed(state)
        training = tiny_training(tiny_plan(seed=seed, **options))
        events = list(training.run())
        results.append((weights(training), [facts_of(event) for event in epochs_of(events)]))
    assert same(results[0][0], results[1][0])
    assert results[0][1] == results[1][1]
    assert not same(results[0][0], results[2][0])


CASES = {
    "sgd": {"optimizer": "sgd"},
    "adam": {"optimizer": "adam", "lr": 0.01},
    "muon, dropout, augmentation": {"network": RICH, "optimizer": "muon", "augment": "rotate 20, hflip"},
    "balanced sampling": {"balance": "sampling"},
    "shrunk pictures": {"sizes": ((0.5, 0.75), (1.0, 1.0))},
    "patience": {"patience": 2, "lr": 0.3},
    "bf16": {"network": RICH, "optimizer": "muon", "precision": "bf16"},
    "ensemble": {"network": f"ensemble 2 ({RICH})", "optimizer": "muon"},
}


@pytest.mark.parametrize("case", CASES)
def test_a_kill_at_any_epoch_changes_no_bit(case: str, tmp_path: Path) -> None:
    """Killed after each of five epochs and resumed from the checkpoint: same weights, same history."""
    options = dict(CASES[case])
    precision = options.pop("precision", "fp32")
    plan = tiny_plan(epochs=5, **options)
    whole = tiny_training(plan, precision=precision)
    expected = [facts_of(event) for event in epochs_of(list(whole.run()))]
    for killed in range(1, len(expected)):
        first, rows = tiny_training(plan, precision=precision), []
        for event in first.run():
            if isinstance(event, Epoch):
                rows.append(facts_of(event))
                if event.epoch == killed:
                    break
        folder = tmp_path / str(killed)
        save_checkpoint(folder, first.place, first.tensors(), [])
        place, tensors, _ = load_checkpoint(folder)
        second = tiny_training(plan, precision=precision)
        second.load(place, tensors)
        rows += [facts_of(event) for event in epochs_of(list(second.run()))]
        assert rows == expected, f"killed after epoch {killed}"
        assert same(weights(whole), weights(second)), f"killed after epoch {killed}"


def test_a_budget_of_minutes_ends_with_the_schedule_at_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The schedule follows the clock: it ends in time, at the end of its learning rates, in whatever epoch."""
    now, step = [100.0], Training._step

    def slow_step(self: Training, *arguments: object) -> tuple[float, int]:
        # The machine gets three times slower halfway through.
        now[0] += 0.1 if now[0] < 103 else 0.3
        return step(self, *arguments)

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(Training, "_step", slow_step)
    plan = dataclasses.replace(tiny_plan(), epochs=None, minutes=1.0)
    training = tiny_training(plan, clock=Clock(deadline=108.0, scoring=2.0))
    events = list(training.run())
    marks = [event.progress for event in events if isinstance(event, Step)]
    assert marks == sorted(marks)
    assert marks[-1] == 1.0
    assert 30 + 7 <= len(marks) <= 30 + 11
    assert 105 < now[0] < 106.5
    assert epochs_of(events)[-1].learning_rate < 0.05 * 0.3


def ticking(monkeypatch: pytest.MonkeyPatch, step: float, validation: float) -> tuple[list[float], list[float]]:
    """The clock, from 100 s on, which steps and validation alone move by so many seconds; and when each began."""
    now, begun = [100.0], []

    def ticked(function: Callable, seconds: float) -> Callable:
        def called(self: Training, *arguments: object) -> object:
            begun.append(now[0])
            now[0] += seconds
            return function(self, *arguments)

        return called

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(Training, "_step", ticked(Training._step, step))
    monkeypatch.setattr(Training, "validate", ticked(Training.validate, validation))
    return now, begun


def test_what_lies_between_steps_is_part_of_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where validation and files take nine times as long as the steps, the schedule still follows the clock."""
    now, _ = ticking(monkeypatch, step=0.02, validation=0.18)
    plan = dataclasses.replace(tiny_plan(batch_size=24), epochs=None, minutes=1.0)
    training = tiny_training(plan, clock=Clock(deadline=120.0))
    for event in training.run():
        if isinstance(event, Step):
            assert event.progress == pytest.approx((now[0] - 100) / 20, abs=0.011)
    assert now[0] == pytest.approx(120, abs=0.3)


def test_the_end_of_the_last_epoch_is_part_of_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validation that takes as long as 30 steps, once and in the end: the last step ends that long before the time."""
    now, begun = ticking(monkeypatch, step=0.1, validation=3.0)
    plan = dataclasses.replace(tiny_plan(counts=(400, 400)), epochs=None, minutes=1.0)
    training = tiny_training(plan, counts=(400, 400), clock=Clock(deadline=125.0))
    assert len(epochs_of(list(training.run()))) == 2
    assert begun[-1] == pytest.approx(122, abs=0.3)
    assert now[0] == pytest.approx(125, abs=0.3)


def test_an_overdrawn_budget_still_gives_a_model() -> None:
    """With no time left at all one step is made and the training ends in order."""
    plan = dataclasses.replace(tiny_plan(), epochs=None, minutes=1.0)
    training = tiny_training(plan, clock=Clock(deadline=0.0))
    events = list(training.run())
    assert sum(isinstance(event, Step) for event in events) == 1
    assert training.place.progress == 1


def test_patience_keeps_the_best_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """With patience 2 the training ends two epochs after the best one, and keeps that epoch's weights."""
    losses, kept = iter([0.9, 0.5, 0.7, 0.6, 0.1]), []

    def validate(self: Training, progress: float, network: object) -> tuple[float, float]:
        kept.append({name: value.clone() for name, value in weights(self).items()})
        return next(losses), 0.5

    monkeypatch.setattr(Training, "validate", validate)
    training = tiny_training(tiny_plan(epochs=5, patience=2))
    assert len(epochs_of(list(training.run()))) == 4
    assert (training.place.best_epoch, training.place.best_loss) == (2, 0.5)
    assert same(weights(training), kept[1])
    assert not same(kept[1], kept[3])


def test_without_patience_the_last_weights_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """The schedule ends at a learning rate of 0, so the last average is kept, not a lucky epoch."""
    losses = iter([0.1, 0.9, 0.9])
    monkeypatch.setattr(Training, "validate", lambda *given: (next(losses), 0.5))
    training = tiny_training(tiny_plan(epochs=3))
    assert len(epochs_of(list(training.run()))) == 3
    assert training.best == {}


def test_stop_ends_after_the_running_step_with_what_was_learned() -> None:
    """Ctrl-C in the second step: no third one, an Epoch event, and an average that has moved."""
    training = tiny_training(tiny_plan(epochs=50))
    before = {name: value.clone() for name, value in weights(training).items()}
    events, steps = [], 0
    for event in training.run():
        events.append(event)
        steps += isinstance(event, Step)
        if steps == 2:
            training.stop = True
    assert steps <= 3
    assert isinstance(events[-1], Epoch)
    assert not same(weights(training), before)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells when a process began")
def test_a_process_began_before_it_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in containers whose /proc/uptime counts from their own start, which would put it in the future."""
    plain = Path.read_text
    fake = lambda path, *more: "3.00 3.00\n" if str(path) == "/proc/uptime" else plain(path, *more)  # noqa: E731
    monkeypatch.setattr(Path, "read_text", fake)
    first = seconds_since_start()
    assert first > 0
    time.sleep(0.05)
    assert 0.04 < seconds_since_start() - first < 5


def test_the_average_takes_part_in_every_step() -> None:
    """Epochs of three steps: the average is the same as if it had been told of all steps since its last update.

    By hand: the weights after every step, averaged with the shares that the schedule gives.
    """
    training = tiny_training(tiny_plan(epochs=40))
    expected = {name: value.clone() for name, value in weights(training).items()}
    moved = 0.0
    for event in training.run():
        if isinstance(event, Epoch):
            continue
        moved += 1 / 120
        last_of_epoch = round(event.progress * 120) % 3 == 0
        if round(event.progress * 120) % training.average.EVERY == 0 or last_of_epoch:
            share = min(1.0, moved / training.average.MEMORY)
            for name, value in training.network.state_dict().items():
                expected[name].lerp_(value, share)
            moved = 0.0
    for name, value in weights(training).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-6)


def test_a_loss_that_is_no_number_is_told() -> None:
    """Weights that have run away end in words that name the learning rate, not in a model of NaN."""
    training = tiny_training(tiny_plan(lr=100.0))
    with torch.no_grad():
        training.network.dense1.weight.fill_(float("inf"))
    with pytest.raises(StriateError, match=r"the loss must stay a finite number.*lower --lr \(it was 100\)"):
        list(training.run())


def test_without_a_validation_part() -> None:
    """No validation pictures: the columns are empty and the training goes on."""
    training = tiny_training(tiny_plan(), checked=0)
    rows = epochs_of(list(training.run()))
    assert [(row.validation_loss, row.validation_hits) for row in rows] == [(None, None)] * 3


def test_validation_figures_are_those_of_the_average() -> None:
    """Loss and accuracy by hand from the averaged weights' own outputs."""
    training = tiny_training(tiny_plan(epochs=2))
    last = epochs_of(list(training.run()))[-1]
    batch = next(training.validation.in_order())
    network = training.average.network.eval()
    with torch.no_grad():
        outputs = network(standardise(batch.pictures, training.batches.preparation))
    chances = outputs.double().softmax(dim=1)
    picked = chances[torch.arange(len(outputs)), batch.targets]
    assert last.validation_loss == pytest.approx(float(-picked.log().mean()), rel=1e-4)
    assert last.validation_hits == float((outputs.argmax(dim=1) == batch.targets).double().mean())


def test_validation_runs_in_the_precision_trained_in() -> None:
    """In bf16 the averaged weights are rounded: near the fp32 figures and not the same; the average is left alone."""
    training = tiny_training(tiny_plan(network=RICH, epochs=1), precision="bf16")
    list(training.run())
    before = {name: value.clone() for name, value in weights(training).items()}
    low = training.validate()
    assert same(before, weights(training))
    training.precision, training.masters.dtype = "fp32", torch.float32
    full = training.validate()
    assert low[0] == pytest.approx(full[0], rel=0.01)
    assert low[0] != full[0]


def test_early_pictures_are_smaller() -> None:
    """Up to its share of the schedule a picture is shrunk to the planned share of its side."""
    training = tiny_training(tiny_plan(sizes=((0.5, 0.75), (1.0, 1.0))))
    x = torch.rand(2, 1, 8, 10)
    assert training._resized(x, 0.2).shape == (2, 1, 6, 8)
    assert training._resized(x, 0.5) is x
    assert training._resized(x, 1.0) is x


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path) -> None:
    """The last two are kept; the newest whole one counts; without any the message lists what was wrong."""
    for epoch in (1, 2, 3):
        place = Place(epoch=epoch, step=epoch * 3, progress=epoch / 5, best_loss=0.5, best_epoch=1)
        save_checkpoint(tmp_path, place, {"w": torch.full((50,), float(epoch))}, [{"epoch": epoch}])
    older, newest = sorted((tmp_path / "last.ckpt").iterdir())
    assert (older.name, newest.name) == ("epoch-000002.safetensors", "epoch-000003.safetensors")
    place, tensors, history = load_checkpoint(tmp_path)
    assert (place.epoch, float(tensors["w"][0]), history) == (3, 3.0, [{"epoch": 3}])
    whole = newest.read_bytes()
    for harm in (whole[:-1], whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:], b""):
        newest.write_bytes(harm)
        assert load_checkpoint(tmp_path)[0] == Place(epoch=2, step=6, progress=0.4, best_loss=0.5, best_epoch=1)
    older.write_bytes(b"x")
    assert has_checkpoint(tmp_path)
    with pytest.raises(StriateError, match="a run to resume has a whole checkpoint"):
        load_checkpoint(tmp_path)


def test_after_few_steps_norms_have_the_figures_of_the_pictures() -> None:
    """After 3 steps a norm's figures are NumPy's mean and variance of what it is given, and are in the model that is
    validated; after 60 they are the running ones."""
    short = tiny_training(tiny_plan(network="conv 4 3, batchnorm, relu, globalavgpool, dense classes", batch_size=24))
    for event in short.run():
        if isinstance(event, Epoch):
            told = event.validation_loss
    network, seen = short.average.network.eval(), next(short.batches.in_order()).pictures
    maps = network.conv1(standardise(seen, short.batches.preparation)).detach().numpy()
    norm = network.batchnorm1
    np.testing.assert_allclose(norm.running_mean, maps.mean(axis=(0, 2, 3)), atol=1e-5)
    np.testing.assert_allclose(norm.running_var, maps.var(axis=(0, 2, 3), ddof=1), rtol=1e-4)
    assert told == pytest.approx(short.validate()[0], rel=1e-5)
    long = tiny_training(tiny_plan(network=RICH, epochs=20))
    for _ in long.run():
        pass
    assert same(weights(long), long.settled(60).state_dict())
    assert int(weights(long)["batchnorm1.num_batches_tracked"]) == 0  # which only a norm measured anew has
