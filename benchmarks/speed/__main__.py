"""Measure this trainer's step beside its peers, interleaved in one run, and print where the bars stand.

python -m benchmarks.speed
python -m benchmarks.speed --quick
"""

import argparse
import contextlib
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.speed.cases import Case, largest_difference
from benchmarks.speed.process import ContenderFailed, Process, has_torch, torch_python
from benchmarks.speed.report import MATRIX_PRODUCT, Measured, bar_lines, case_lines, environment_lines

EPSILON = 0.5
CONV7_BATCH, MLP_WIDTH, MLP_BATCH = 50, 400, 32
REFERENCE = "ours"
# Largest relative error of a layer's first gradient: of float32, and of bfloat16, which has 8 bits.
TOLERANCE, TOLERANCE_BFLOAT16 = 1e-3, 0.2
TRIES = 3
UNDISTURBED = 0.05  # other programs' share of the CPUs


def cases(widths: Sequence[int], *, mlp: bool) -> list[Case]:
    """What is measured: each network with and without the adversarial gradient."""
    networks = [("conv7", width, CONV7_BATCH) for width in widths] + [("mlp", MLP_WIDTH, MLP_BATCH)] * mlp
    return [Case(*network, epsilon) for epsilon in (EPSILON, 0.0) for network in networks]


def measure(case: Case, holders: dict[str, Process], rounds: int, seconds: float) -> Measured:
    """All contenders, round by round in a new order each time.

    Args:
        case: what they train.
        holders: the process of each contender.
        rounds: in each of which every contender has one turn.
        seconds: that a turn lasts, about; of each turn the steps are the same in all rounds.
    """
    measured = Measured(case)
    steps = {}
    gradients = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, process) in enumerate(holders.items()):
            path = Path(folder) / f"{number}.npz"
            try:
                process.ask(do="prepare", name=name, case=vars(case), path=str(path))
                steps[name] = _steps_of_a_turn(process, name, seconds)
            except ContenderFailed as error:
                measured.failed[name] = str(error).splitlines()[0]
                continue
            with np.load(path) as arrays:
                gradients[name] = [arrays[f"m{k}"] for k in range(len(arrays) // 2)]
    for name in list(steps):
        if gradients[name] and REFERENCE in gradients:
            difference = largest_difference(gradients[name], gradients[REFERENCE])
            measured.differences[name] = difference
            if not difference <= (TOLERANCE_BFLOAT16 if "bfloat16" in name else TOLERANCE):
                measured.failed[name] = f"its first gradient differs from ours by {difference:.1e}"
                del steps[name]
    measured.speeds = {name: [] for name in steps}
    turns = random.Random(0)  # noqa: S311 - an order, no secret
    for _ in range(rounds):
        for name in turns.sample(list(steps), len(steps)):
            taken, others = _turn(holders[name], name, steps[name])
            measured.others.append(others)
            images = 1 if name.startswith(MATRIX_PRODUCT) else case.batch
            measured.speeds[name].append(images * steps[name] / taken)
    for process in set(holders.values()):
        process.ask(do="drop")
    return measured


def _turn(process: Process, name: str, steps: int) -> tuple[float, float]:
    """The seconds of a turn, and other programs' share of the CPUs; of a few tries the one that was disturbed least."""
    tries = []
    for _ in range(TRIES):
        tries.append(process.turn(name=name, steps=steps))
        if tries[-1][1] <= UNDISTURBED:
            break
    return min(tries, key=lambda turn: turn[1])


def _steps_of_a_turn(process: Process, name: str, seconds: float) -> int:
    """How many steps last about so long. What is compiled at the first call is not counted."""
    count = 2
    process.ask(do="run", name=name, steps=count)
    while (taken := float(process.ask(do="run", name=name, steps=count)["seconds"])) < seconds / 4:
        count *= 2
    return max(1, round(count * seconds / taken))


def main(arguments: argparse.Namespace) -> int:
    """Print the tables."""
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(Process(sys.executable, f"benchmarks.speed.{module}", arguments.threads))
            for module in ("ours", "tape")
        ]
        if has_torch(arguments.torch):
            processes.append(
                stack.enter_context(Process(arguments.torch, "benchmarks.speed.pytorch", arguments.threads))
            )
        else:
            print(
                f"PyTorch is not installed for {arguments.torch}: its rows are left out. `make bench` installs it; "
                "benchmarks/README.md says what that needs.\n"
            )
        environment = {name: version for process in processes for name, version in process.environment.items()}
        environment = {
            name: environment[name] for name in ("tensorflow", "keras", "torch", "numpy") if name in environment
        }
        print(*environment_lines(environment, arguments.threads, arguments.rounds), sep="\n", flush=True)
        holders = {name: process for process in processes for name in process.contenders}
        results = []
        for case in cases(arguments.widths, mlp=not arguments.quick):
            results.append(measure(case, holders, arguments.rounds, arguments.seconds))
            print(*case_lines(results[-1]), sep="\n", flush=True)
        print(*bar_lines(results), sep="\n", flush=True)
    return 0


def parsed(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--widths", type=int, nargs="*", help="of conv7 (32 64 128; with --quick: 32); none: mlp alone")
    parser.add_argument("--rounds", type=int, help="(12; with --quick: 3)")
    parser.add_argument("--seconds", type=float, help="that a contender's turn lasts (0.7; with --quick: 0.2)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="(%(default)s)")
    parser.add_argument("--torch", default=torch_python(), metavar="PYTHON", help="interpreter that has PyTorch")
    parser.add_argument("--quick", action="store_true", help="a look, no evidence: one width, no mlp, few rounds")
    arguments = parser.parse_args(words)
    quick = arguments.quick
    if arguments.widths is None:
        arguments.widths = [32] if quick else [32, 64, 128]
    arguments.rounds = arguments.rounds or (3 if quick else 12)
    arguments.seconds = arguments.seconds or (0.2 if quick else 0.7)
    return arguments


if __name__ == "__main__":
    sys.exit(main(parsed()))
