"""The tables that the command prints, from the speeds of every round."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.speed.cases import Case
from benchmarks.speed.statistics import Ratio, geometric_mean, paired_ratio

BFLOAT16 = ", bfloat16"
MATRIX_PRODUCT = "matrix product"
MATRIX_OPERATIONS = 2 * 2048**3
BFLOAT16_WIDTH = 128


@dataclass
class Measured:
    """What was found out in a case: of each contender its speed in every round, or why it has none."""

    case: Case
    speeds: dict[str, list[float]] = field(default_factory=dict)  # images/s; of matrix products, products/s
    failed: dict[str, str] = field(default_factory=dict)
    others: list[float] = field(default_factory=list)  # share of the CPUs that other programs took in each turn
    differences: dict[str, float] = field(default_factory=dict)  # of the first gradient, from ours in float32

    def best_torch(self, suffix: str) -> str | None:
        """The PyTorch contender of a precision with the highest median."""
        names = [name for name in self.speeds if name.startswith("PyTorch") and name.endswith(BFLOAT16) == bool(suffix)]
        return max(names, key=lambda name: float(np.median(self.speeds[name])), default=None)


def environment_lines(environment: Mapping[str, str], threads: int, rounds: int) -> list[str]:
    """Versions, processor and threads."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    facts = {line.partition(":")[0].strip(): line.partition(":")[2].strip() for line in lines}
    flags = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in facts.get("flags", "").split()]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(environment.items()))
    return [
        f"{facts.get('model name', platform.machine())}, {' '.join(flags)}; {threads} threads; {rounds} rounds",
        f"{versions}, Python {platform.python_version()}, {platform.platform()}",
    ]


def case_lines(measured: Measured) -> list[str]:
    """The table of one case: a row for each contender, its ratio being ours in its precision over it."""
    lines = [
        f"\n### {measured.case.title}, batch {measured.case.batch}\n",
        "| contender | images/s, median (quartiles) | ours / it, 95 % | of the products' rate | gradient differs by |",
        "|---|---|---|---|---|",
    ]
    for name, speeds in measured.speeds.items():
        if name.startswith(MATRIX_PRODUCT):
            rate = float(np.median(speeds)) * MATRIX_OPERATIONS / 1e9
            lines.append(f"| {name} | {rate:.0f} Gflop/s | | | |")
            continue
        low, middle, high = np.quantile(speeds, (0.25, 0.5, 0.75))
        ours = measured.speeds.get("ours" + (BFLOAT16 if name.endswith(BFLOAT16) else ""))
        ratio = "" if ours is None or name.startswith("ours") else str(paired_ratio(ours, speeds))
        lines.append(
            f"| {name} | {middle:.0f} ({low:.0f} to {high:.0f}) | {ratio} | {_share(measured, name)} "
            f"| {measured.differences.get(name, 0):.1e} |"
        )
    lines += [f"| {name} | not measured: {why} | | | |" for name, why in measured.failed.items()]
    half, most = np.quantile(measured.others, (0.5, 0.9))
    return [
        *lines,
        f"\nOther programs took {half:.0%} of the CPUs in the median turn, {most:.0%} or more in every tenth.",
    ]


def _share(measured: Measured, name: str) -> str:
    products = measured.speeds.get(MATRIX_PRODUCT + (BFLOAT16 if name.endswith(BFLOAT16) else ""))
    if products is None:
        return ""
    operations = 2 * measured.case.multiply_adds() / MATRIX_OPERATIONS  # of an image, in matrix products
    return f"{float(np.median(np.divide(measured.speeds[name], products))) * operations:.0%}"


def bar_lines(results: Sequence[Measured]) -> list[str]:
    """Where the bars of the speed stand: conv7 with the adversarial gradient."""
    conv7 = [measured for measured in results if measured.case.network == "conv7" and measured.case.epsilon]
    widths = ", ".join(str(measured.case.width) for measured in conv7)
    lines = [
        f"\n### Bars: conv7 with epsilon, geometric mean over widths {widths}\n",
        "| ratio | bar | measured | |",
        "|---|---|---|---|",
    ]
    torch = [(measured, measured.best_torch("")) for measured in conv7]
    rows = [
        _bar("float32 / PyTorch's best", 1.25, _mean([(m, "ours", name) for m, name in torch])),
        _bar("float32 / obvious tape", 1.3, _mean([(m, "ours", "obvious tape") for m in conv7])),
        _reached("float32 / best tape", _mean([(m, "ours", "best tape") for m in conv7])),
    ]
    wide = [(m, m.best_torch(BFLOAT16), m.best_torch("")) for m in conv7 if m.case.width == BFLOAT16_WIDTH]
    ours = "ours" + BFLOAT16
    rows += [
        _bar("width 128, bfloat16 / PyTorch's best bfloat16", 1.05, _mean([(m, ours, name) for m, name, _ in wide])),
        _bar("width 128, bfloat16 / PyTorch's best float32", 1.8, _mean([(m, ours, name) for m, _, name in wide])),
        _known("width 128, bfloat16 / ours in float32", _mean([(m, ours, "ours") for m, _, _ in wide])),
    ]
    return lines + rows


def _mean(pairs: Sequence[tuple[Measured, str, str | None]]) -> Ratio | None:
    """Over the cases the geometric mean of the first contender's speed over the second's; None where one is missing."""
    known = [(m.speeds[a], m.speeds[b]) for m, a, b in pairs if a in m.speeds and b is not None and b in m.speeds]
    return geometric_mean(known) if known and len(known) == len(pairs) else None


def _bar(title: str, bar: float, ratio: Ratio | None) -> str:
    if ratio is None:
        return f"| {title} | at least {bar:g} | not measured | |"
    return f"| {title} | at least {bar:g} | {ratio} | {'met' if ratio.value >= bar else 'MISSED'} |"


def _reached(title: str, ratio: Ratio | None) -> str:
    if ratio is None:
        return f"| {title} | interval reaches 1 | not measured | |"
    return f"| {title} | interval reaches 1 | {ratio} | {'met' if ratio.high >= 1 else 'MISSED'} |"


def _known(title: str, ratio: Ratio | None) -> str:
    return f"| {title} | | {ratio or 'not measured'} | |"
