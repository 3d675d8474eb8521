"""What the gradient audit holds to be right, and which failures a run brings upon itself."""

from collections.abc import Iterable
from enum import StrEnum

from backend.contract.config import Network, Quirk, TrainConfig
from backend.contract.reports import AuditVerdict, LayerMeasurement
from backend.contract.work import CONV7_KERNELS

TAPE_LIMIT = 1e-8  # largest |g - tape| / |tape| that passes, in float64
DIFFERENCE_LIMIT = 1e-6  # largest |directional derivative - central difference| / |g| that passes

# Quirks that make a gradient another one than the cost's: a check that did not fail would be no check.
_SPOILING = frozenset({Quirk.CELU_SLOPE_2, Quirk.POOL_GRADIENT_UNSCALED, Quirk.COST_GRADIENT_SUMMED})


class RunAudit(StrEnum):
    """What came of all audits of a run. A failure stays, whatever later ones say."""

    PASSED = "passed"
    EXPECTED = "expected"  # failed, only where a quirk of the run makes it fail
    FAILED = "failed"


_BY_WEIGHT = (None, RunAudit.PASSED, RunAudit.EXPECTED, RunAudit.FAILED)


def expected_quirks(config: TrainConfig, layer: int | None = None) -> tuple[Quirk, ...]:
    """The quirks of a configuration with which an audit must fail: in any layer, or in this one (1-based).

    No pool follows conv7's last layer, so an unscaled pool gradient does not reach it.
    """
    quirks = tuple(quirk for quirk in config.quirks if quirk in _SPOILING)
    if layer == len(CONV7_KERNELS) and config.network is Network.CONV7:
        quirks = tuple(quirk for quirk in quirks if quirk is not Quirk.POOL_GRADIENT_UNSCALED)
    return quirks


def run_audit(before: RunAudit | None, config: TrainConfig, layers: Iterable[LayerMeasurement]) -> RunAudit | None:
    """The heaviest verdict on a run: the one before, or one on these layers. None: nothing could be told yet."""
    found = [before]
    for measured in layers:
        if measured.verdict is AuditVerdict.PASSED:
            found.append(RunAudit.PASSED)
        elif measured.verdict is AuditVerdict.FAILED:
            found.append(RunAudit.EXPECTED if expected_quirks(config, measured.layer) else RunAudit.FAILED)
    return max(found, key=_BY_WEIGHT.index)


def failure_sentence(layer: int, tape_error: float | None, difference_error: float | None) -> str:
    """What failed in a layer's audit, with the figures; None stands for a figure that is not finite."""
    failed = [
        f"{_figure(error)} from {reference} (at most {limit:.0e} passes)"
        for error, limit, reference in (
            (tape_error, TAPE_LIMIT, "automatic differentiation"),
            (difference_error, DIFFERENCE_LIMIT, "a central difference"),
        )
        if error is None or not error <= limit
    ]
    if not failed:
        return f"The gradient of layer {layer} failed its audit."
    return f"The gradient of layer {layer} differs by {' and by '.join(failed)}."


def _figure(error: float | None) -> str:
    return "an infinite amount or NaN" if error is None else f"{error:.2g}"
