"""Launch and stop the demonstration's network on digits, again and again, through the whole service.

    python -m benchmarks.stops [--rounds 20] [--seed 0]

Prints how long it takes from the launch to the first trained batch while a spare process waits, and how much of that
its process computes; how long from the wish to stop, at a random moment of the training, until the process is gone; and
whether each run kept a checkpoint.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from backend.contract import PRESETS
from tests.service import Service, cpu_seconds_of, lives, until

LOOK_S = 0.01
LONGEST_TRAINING_S = 6.0  # before the wish to stop: some epochs
ENDLESS = 1000  # epochs


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where a run that had trained was stopped without a checkpoint."""
    parser = argparse.ArgumentParser(description="Measure how soon runs begin and end.")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments at which runs are stopped")
    options = parser.parse_args(arguments)
    moments = random.Random(options.seed)  # noqa: S311  (no secret hangs on it)
    launches, computing, stops, without_checkpoint = [], [], [], 0
    with (
        tempfile.TemporaryDirectory(prefix="lab-stops-") as folder,
        Service(Path(folder) / "data").running() as service,
    ):
        for number in range(options.rounds):
            until(service.ready_spares, 120)
            seconds, cpu_seconds, run_id = launch(service)
            launches.append(seconds)
            computing.append(cpu_seconds)
            time.sleep(moments.uniform(0, LONGEST_TRAINING_S))
            seconds, kept = stop(service, run_id)
            stops.append(seconds)
            without_checkpoint += not kept
            print(
                f"round {number + 1}: first batch after {launches[-1]:.2f} s ({cpu_seconds:.2f} s of computing), "
                f"gone {seconds:.2f} s after the stop",
                flush=True,
            )
    for name, found in (
        ("launch to first batch", launches),
        ("of that computing", computing),
        ("stop to process gone", stops),
    ):
        print(f"{name}: p50 {statistics.median(found):.2f} s, p95 {percentile(found, 95):.2f} s, {len(found)} rounds")
    print(f"runs without a checkpoint: {without_checkpoint}")
    return 1 if without_checkpoint else 0


def launch(service: Service) -> tuple[float, float, int]:
    """Seconds from the request to the first report of a trained batch, those that its process computed, and the run."""
    (spare,) = service.ready_spares()
    computed = cpu_seconds_of(spare)
    config = PRESETS["demo"].config.model_dump(mode="json") | {"epochs": ENDLESS}
    begin = time.monotonic()
    (run,) = service.launch(config=config)
    while (service.run(run["id"])["progress"] or {}).get("phase") != "training":
        time.sleep(LOOK_S)
    seconds = time.monotonic() - begin
    assert service.attempt_pid(run["id"]) == spare
    return seconds, cpu_seconds_of(spare) - computed, run["id"]


def stop(service: Service, run_id: int) -> tuple[float, bool]:
    """Seconds from the wish to stop until the process is gone, and whether the run has a checkpoint."""
    pid = service.attempt_pid(run_id)
    begin = time.monotonic()
    service.client.post(f"/api/runs/{run_id}/stop").raise_for_status()
    while lives(pid):
        time.sleep(LOOK_S)
    seconds = time.monotonic() - begin
    service.wait_for(run_id, "stopped")
    return seconds, bool(service.client.get(f"/api/runs/{run_id}/checkpoints").json())


def percentile(values: Sequence[float], share: int) -> float:
    """The value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]


if __name__ == "__main__":
    sys.exit(main())
