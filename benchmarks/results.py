"""Train known experiments through the whole service and hold their figures against the known ones.

    python -m benchmarks.results --data FOLDER [--only NAME ...]

FOLDER holds one folder a data set, as the service's own `datasets` folder does: mnist/train-images-idx3-ubyte.gz, ...
Without --only the two quick ones are trained, some minutes in all; `--only all` takes hours.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from backend.contract import PRESETS
from tests.service import Service

WAIT_S = 24 * 3600.0


@dataclass(frozen=True)
class Experiment:
    """A launch, and what is known of its outcome."""

    title: str
    preset: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    slots: int = 1  # runs at once; the cores are shared among them
    test_accuracy: tuple[float, float] = (0.0, 100.0)  # %, accepted range of every run's last epoch
    limit_s: float | None = None  # from the first launch to the last end


# Cases b and c have no known figure at these widths and lengths: what they reach is recorded and not judged.
EXPERIMENTS: Mapping[str, Experiment] = {
    "demo": Experiment("demonstration pair on digits", "demo", slots=2, test_accuracy=(95.0, 100.0), limit_s=180),
    # An independent implementation of the same formulas reached 96.4 % (89.2 % in training).
    "mnist": Experiment("conv7 of width 32, one epoch of MNIST", "mnist-small", test_accuracy=(95.5, 97.5)),
    # Published: 86.78 % in training, 96.12 % in testing; an independent run of the scripts' arithmetic 85.9 and 95.2 %.
    "case-a": Experiment("case a, all quirks, 1 epoch", "case-a", {"epochs": 1}, test_accuracy=(94.0, 97.5)),
    "case-a-exact": Experiment("case a, exact, 2 epochs", "case-a-exact", {"epochs": 2}),
    "mlp": Experiment("MLP of the paper, epsilon 0.08, 10 epochs", "paper-mlp-small"),
    "mlp-baseline": Experiment("MLP of the paper, epsilon 0, 10 epochs", "paper-mlp-small", {"epsilon": 0}),
    "case-b": Experiment("case b at width 32, 8 epochs", "case-b-small"),
    "case-b-baseline": Experiment("case b at width 32, epsilon 0, 8 epochs", "case-b-small", {"epsilon": 0}),
    "case-c": Experiment("case c at width 32, 8 epochs", "case-c-small"),
    "case-c-baseline": Experiment("case c at width 32, epsilon 0, 8 epochs", "case-c-small", {"epsilon": 0}),
}
QUICK = ("demo", "mnist")


def main(data: Path, names: Sequence[str]) -> int:
    """Print one line a run, and give 0 if every figure lies where it should."""
    missed = 0
    environment: dict[str, str] = {}
    curves: list[str] = []
    print("| experiment | run | seed | epochs | train, % | test, % | accepted | seconds | images/s | |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for experiment in (EXPERIMENTS[name] for name in names):
        runs, seconds = _trained(experiment, data)
        low, high = experiment.test_accuracy
        for run, metrics in runs:
            latest = run["latest"] or {"train_accuracy": float("nan"), "test_accuracy": float("nan")}
            train, test = 100 * latest["train_accuracy"], 100 * latest["test_accuracy"]
            in_time = experiment.limit_s is None or seconds <= experiment.limit_s
            held = run["status"] == "finished" and low <= test <= high and in_time
            missed += not held
            environment = run["environment"] or environment
            config = run["config"]
            images_per_second = metrics["columns"]["images_per_second"][-1] if metrics["epochs"] else 0.0
            curves += _curve(experiment, config, metrics)
            who = f"{experiment.title} | {config['backprop']} | {config['seed']}"
            print(
                f"| {who} | {run['epochs_done']} | {train:.2f} | "
                f"{test:.2f} | {low:g} to {high:g} | {seconds:.0f} | {images_per_second:.0f} | "
                f"{'held' if held else 'MISSED'} |",
                flush=True,
            )
            if run["error"]:
                print(run["error"], file=sys.stderr)
    print("\n".join(curves))
    print("\n" + ", ".join(f"{name} {value}" for name, value in environment.items()))
    return 1 if missed else 0


def _curve(experiment: Experiment, config: Mapping[str, Any], metrics: Mapping[str, Any]) -> list[str]:
    """A run, epoch by epoch, with the hash of the state after its last."""
    lines = ["", f"{experiment.title}, {config['backprop']}, seed {config['seed']}", ""]
    lines += ["| epoch | train, % | test, % | train cost | test cost | seconds |", "|---|---|---|---|---|---|"]
    names = ("train_accuracy", "test_accuracy", "train_cost", "test_cost", "epoch_seconds")
    rows = zip(metrics["epochs"], *(metrics["columns"][name] for name in names), strict=True)
    for epoch, train, test, train_cost, test_cost, seconds in rows:
        lines.append(
            f"| {epoch} | {100 * train:.2f} | {100 * test:.2f} | {train_cost:.4f} | {test_cost:.4f} | {seconds:.0f} |"
        )
    return [*lines, "", f"State: {metrics['state_hashes'][-1]}"] if metrics["epochs"] else lines


def _trained(experiment: Experiment, data: Path) -> tuple[list[tuple[dict[str, Any], dict[str, Any]]], float]:
    """The runs as they ended, each with its metrics; and the seconds that it took."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "lab"
        folder.mkdir()
        (folder / "datasets").symlink_to(data.resolve(), target_is_directory=True)
        with Service(folder, {"LAB_SLOTS": str(experiment.slots)}).running() as service:
            preset = PRESETS[experiment.preset]
            config = preset.config.model_dump(mode="json") | dict(experiment.changes)
            launched = service.launch(config=config, pair=preset.pair)
            ended = [service.wait_for(run["id"], "finished", "failed", "stopped", timeout_s=WAIT_S) for run in launched]
            metrics = [service.metrics(run["id"]) for run in ended]
            began = min(_seconds(run["created_at"]) for run in ended)
            last = max(_seconds(run["finished_at"]) for run in ended)
    return list(zip(ended, metrics, strict=True)), last - began


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with a folder for each data set")
    parser.add_argument("--only", nargs="+", choices=[*EXPERIMENTS, "all"], default=QUICK, help="which experiments")
    arguments = parser.parse_args()
    sys.exit(main(arguments.data, list(EXPERIMENTS) if "all" in arguments.only else arguments.only))
