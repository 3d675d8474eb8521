"""How long runs are likely to take, from all that the database knows of this machine's speed."""

from collections.abc import Mapping
from statistics import median

from sqlalchemy.orm import Session

from backend.api.stored import config_of
from backend.contract import Network, Precision, TrainConfig
from backend.db import calibrations, runs
from backend.estimates import Estimate, Measurement, estimate

MEASURED_RUNS = 200  # newest ones that are looked at
STARTED_RUNS = 20  # newest ones whose beginning is looked at


class Expectation:
    """What an epoch of any configuration is likely to take. What it needs is read once.

    Args:
        session: only reads.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ran = [
            Measurement(run.id, config_of(run.config), run.epoch_seconds)
            for run in runs.measured(session, MEASURED_RUNS)
            if run.epoch_seconds is not None
        ]
        started = runs.seconds_before_training(session, STARTED_RUNS)
        self.start_seconds = median(started) if started else 0.0  # before the first batch of a run
        self._trials: dict[tuple[Network, Precision], Mapping[int, float]] = {}
        self._found: dict[TrainConfig, Estimate | None] = {}

    def of(self, config: TrainConfig) -> Estimate | None:
        """What an epoch is likely to take; None where nothing of its kind was measured yet."""
        # Runs of a launch are often alike but for their seeds: each configuration is estimated once.
        alike = config.model_copy(update={"seed": 0})
        if alike not in self._found:
            self._found[alike] = estimate(alike, self._ran, self._trials_of(config.network, config.precision))
        return self._found[alike]

    def seconds(self, config: TrainConfig, epochs_done: int) -> float | None:
        """What the epochs that are left are likely to take, and what comes before the first of all."""
        found, before = self.of(config), 0.0 if epochs_done else self.start_seconds
        return None if found is None else before + found.epoch_seconds * max(0, config.epochs - epochs_done)

    def _trials_of(self, network: Network, precision: Precision) -> Mapping[int, float]:
        kind = (network, precision)
        if kind not in self._trials:
            speeds = calibrations.of_workers(self._session, network, precision)
            self._trials[kind] = {speed.width: speed.multiply_adds_per_second for speed in speeds}
        return self._trials[kind]
