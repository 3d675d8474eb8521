"""What is measured on the side, and when. It reads weights and changes nothing: a run has the same bits without it."""

from collections.abc import Generator
from typing import TypeVar

from backend.contract import AttackResult, ExampleReport, LayerMeasurement, Measurements, TrainConfig
from worker.trainer.audit import Audit
from worker.trainer.examples import Examples
from worker.trainer.networks import Network
from worker.trainer.robustness import Robustness
from worker.trainer.state import Learned, TrainingData

Found = TypeVar("Found")


class Measuring:
    """The measurements of one run: of its gradients, of its robustness, of the images that are followed.

    Args:
        network: what is trained.
        config: audit_every and robustness_every say when; images are followed whenever robustness is measured, or
            where it never is whenever gradients are.
        data: its images.
    """

    def __init__(self, network: Network, config: TrainConfig, data: TrainingData) -> None:
        self._config = config
        self._examples_every = config.robustness_every or config.audit_every
        self._audit = Audit(network, config, data) if config.audit_every else None
        self._robustness = Robustness(config, data) if config.robustness_every else None
        followed = self._examples_every and data.to_pixels is not None
        self._examples = Examples(config, data) if followed else None

    def measure(
        self, learned: Learned, epochs_done: int, dilation: float | None, *, first: bool = False
    ) -> Generator[tuple[int, int], None, Measurements | None]:
        """Measure what is due: after every k-th epoch, after the last one, and at the first state of a run.

        Args:
            learned: whose numbers are finite.
            epochs_done: after which it is.
            dilation: lambda of the step that would come next; None: not dilated.
            first: whether the run begins with this state.

        Yields:
            After each piece of work, half a second or so: how many are done, and how many there are.

        Returns:
            What was found, but for the seconds; None where nothing was due.
        """

        def is_due(every: int) -> bool:
            return every > 0 and (first or epochs_done % every == 0 or epochs_done == self._config.epochs)

        audit = self._audit if is_due(self._config.audit_every) else None
        robustness = self._robustness if is_due(self._config.robustness_every) else None
        examples = self._examples if is_due(self._examples_every) else None
        parts = [part for part in (audit, robustness, examples) if part is not None]
        if not parts:
            return None
        done, pieces = 0, sum(part.pieces for part in parts)
        layers: tuple[LayerMeasurement, ...] = ()
        attacks: tuple[AttackResult, ...] = ()
        followed: tuple[ExampleReport, ...] = ()
        if audit is not None:
            layers = yield from _counted(audit.measure(learned, dilation), done, pieces)
            done += audit.pieces
        if robustness is not None:
            attacks = yield from _counted(robustness.measure(learned.weights), done, pieces)
            done += robustness.pieces
        if examples is not None:
            followed = yield from _counted(examples.measure(learned.weights), done, pieces)
        return Measurements(
            epochs_done=epochs_done,
            layers=layers,
            attacks=attacks,
            attacked_images=robustness.images if robustness is not None else 0,
            examples=followed,
            example_epsilon=examples.epsilon if examples is not None else 0.0,
        )


def _counted(work: Generator[None, None, Found], done: int, pieces: int) -> Generator[tuple[int, int], None, Found]:
    while True:
        try:
            next(work)
        except StopIteration as end:
            found: Found = end.value
            return found
        done += 1
        yield done, pieces
