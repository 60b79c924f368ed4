"""One training step beside the other libraries: python benchmarks/step.py [OUT.json] [--networks hela auto resnet18].

Every contender is a process of its own that is loaded and warm; they run by turns (see contenders.py), each turn
about as long as the others'. A rate is pictures per second; a ratio is Striate's rate over the contender's, within
one round. `--isa AVX512_CORE` keeps oneDNN from using matrix units, for every contender alike.
"""

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

import record
from contenders import Contender, Worker, count_for, say, start, take_turns

OURS, LIMIT = "striate", "matmul"


def cases(networks: Sequence[str], batches: Sequence[int], size: int) -> list[tuple[str, int]]:
    """(network, batch) to measure; 0 is the batch that `auto` plans for itself."""
    found = [("hela", batch) for batch in batches] if "hela" in networks else []
    found += [("resnet18", size)] if "resnet18" in networks else []
    return found + ([("auto", 0)] if "auto" in networks else [])


def contenders(network: str, batch: int, variables: dict[str, str], device: str) -> list[Contender]:
    """Everything that trains this network, Striate first."""

    def ours(name: str, script: str, *words: str) -> Contender:
        return Contender(name, "striate", f"workers/{script}.py", (network, str(batch), *words, device), variables)

    def keras(backend: str, name: str, policy: str) -> Contender:
        own = {**variables, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "2"}
        return Contender(name, backend, "workers/keras_step.py", (network, str(batch), policy), own)

    found = [ours(OURS, "striate_step")]
    if network in ("hela", "resnet18"):
        found += [ours("torch fp32", "torch_step", "fp32"), ours("torch autocast bf16", "torch_step", "bf16")]
    if network == "hela" and device == "cpu":
        found += [
            keras("tensorflow", "Keras TensorFlow fp32", "float32"),
            keras("tensorflow", "Keras TensorFlow mixed bf16", "mixed_bfloat16"),
            keras("jax", "Keras JAX fp32", "float32"),
        ]
    return found


def measure(network: str, batch: int, asked: argparse.Namespace, folder: Path) -> dict:
    """All contenders of one network at one batch size."""
    say(f"--- {network}, batch {batch or 'as planned'}")
    variables = {"ONEDNN_MAX_CPU_ISA": asked.isa} if asked.isa else {}
    workers, missing = start(contenders(network, batch, variables, asked.device), folder)
    try:
        ours = next((worker for worker in workers if worker.contender.name == OURS), None)
        if network == "auto" and ours:  # the limit, in the precision that was chosen
            words = ("matmul", "0", ours.about["precision"], asked.device)
            limit = Contender(LIMIT, "striate", "workers/torch_step.py", words, variables)
            workers += start([limit], folder)[0]
        _require_same_network(workers)
        counts = {worker.contender.name: count_for(worker, asked.seconds) for worker in workers}
        answers = take_turns(workers, lambda worker: worker.ask("run", counts[worker.contender.name]), asked.pairs)
    finally:
        for worker in workers:
            worker.stop()
    return _summary(workers, counts, answers, missing)


def _require_same_network(workers: Sequence[Worker]) -> None:
    sizes = {worker.contender.name: worker.about["parameters"] for worker in workers if "parameters" in worker.about}
    if len(set(sizes.values())) > 1:
        raise SystemExit(f"step.py: not the same network everywhere: {sizes}")


def _summary(workers: Sequence[Worker], counts: dict, answers: dict, missing: dict) -> dict:
    """Rates, ratios within a round, and the share of the matrix rate where that was measured."""
    rates, found = {}, {}
    for worker in workers:
        name, about = worker.contender.name, worker.about
        rates[name] = [counts[name] * (about["batch"] or 1) / answer["seconds"] for answer in answers[name]]
        found[name] = {
            **about, "steps_per_turn": counts[name], "pictures_per_second": record.median_of(rates[name]),
            "loss": answers[name][-1].get("loss"), "peak_mb": max(answer["peak_mb"] for answer in answers[name]),
        }  # fmt: skip
    if LIMIT in rates:  # a multiplication is no picture
        found[LIMIT]["products_per_second"] = found[LIMIT].pop("pictures_per_second")
    if OURS in rates:
        mine, work = rates[OURS], found[OURS]["operations"]
        for name in rates:
            if name == LIMIT:
                each = found[LIMIT]["operations"]
                shares = [ours * work / (limit * each) for ours, limit in zip(mine, rates[LIMIT], strict=True)]
                found[OURS]["share_of_matmul"] = record.median_of(shares)
                found[LIMIT]["gigaoperations_per_second"] = statistics.median(rates[LIMIT]) * each / 1e9
            elif name != OURS:
                found[name]["striate_is_faster_by"] = record.ratios(mine, rates[name])
    return {"contenders": found, "not_measured": missing}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, nargs="?", default=record.RESULTS / "step.json")
    parser.add_argument("--networks", nargs="+", default=["hela", "resnet18", "auto"])
    parser.add_argument("--batches", nargs="+", type=int, default=[32, 64], help="of the HeLa network")
    parser.add_argument("--resnet-batch", type=int, default=32)
    parser.add_argument("--pairs", type=int, default=6, help="rounds, in each of which every contender runs once")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a turn")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--isa", help="ONEDNN_MAX_CPU_ISA for every contender, e.g. AVX512_CORE")
    asked = parser.parse_args()
    settings = {name: value for name, value in vars(asked).items() if name != "out"}
    result = record.begin("step", settings, ("striate", "tensorflow", "jax"))
    result["cases"] = {}
    with tempfile.TemporaryDirectory() as folder:
        for network, batch in cases(asked.networks, asked.batches, asked.resnet_batch):
            name = network + (f", batch {batch}" if batch else "")
            result["cases"][name] = {"network": network, **measure(network, batch, asked, Path(folder))}
            record.write(asked.out, result)


if __name__ == "__main__":
    main()
