from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from backend.contract import EpochReport, Progress, TrainConfig
from backend.errors import TrainingDiverged
from tests.unit.trainer.builders import CONFIG, images_and_labels, many_test_images
from worker.trainer import TrainerState, Training, TrainingData, first_state
from worker.trainer.networks import build
from worker.trainer.program import Program


def changed(**changes: object) -> TrainConfig:
    return TrainConfig.model_validate(CONFIG.model_dump() | changes)


def frozen_by_overflow(config: TrainConfig, data: TrainingData) -> TrainerState:
    """A state whose optimizer remembers an infinite square: weights and costs stay finite, and learn no more."""
    state = first_state(config, data)
    squares = list(state.learned.optimizer.square)
    squares[4] = squares[4] + np.inf
    return TrainerState(state.learned._replace(optimizer=state.learned.optimizer._replace(square=tuple(squares))))


def diverged(config: TrainConfig, data: TrainingData, start: TrainerState | None = None) -> TrainingDiverged:
    """What a training ends with."""
    training = Training(config, data, start=start)
    reports: list[Any] = []
    with pytest.raises(TrainingDiverged) as caught:
        reports.extend(training.reports(lambda: False))
    return caught.value


@pytest.fixture(scope="module")
def data() -> TrainingData:
    """A few images of two classes."""
    return images_and_labels()


class TestAutopsy:
    @pytest.mark.parametrize("layer", range(7))
    def test_names_the_layer_whose_output_broke(self, data: TrainingData, layer: int) -> None:
        """A weight that is no number in one layer is found there, on the first step, with the step's images."""
        state = first_state(CONFIG, data)
        weights = list(state.learned.weights)
        broken = weights[layer].numpy()
        broken[0, 0, 0, 0] = np.nan
        weights[layer] = tf.constant(broken)
        start = TrainerState(state.learned._replace(weights=tuple(weights)))
        error = diverged(CONFIG, data, start)
        order = Program(build(CONFIG), CONFIG, data).order(0).numpy()
        assert error.autopsy["what"] == "the output (on clean images)"
        assert error.autopsy["layer"] == layer + 1
        assert (error.autopsy["epoch"], error.autopsy["step"]) == (0, 0)
        assert error.autopsy["images"] == order[: CONFIG.batch_size].tolist()
        assert f"step 1: the output (on clean images) of layer {layer + 1} became" in str(error)

    def test_tells_norms_before_the_step(self, data: TrainingData) -> None:
        """A run that grows too large ends with the norms of the last good weights, all of them finite."""
        error = diverged(changed(width=8, learning_rate=10, beta1=0, beta2=0.999999999999999), data)
        layers: Any = error.autopsy["layers"]
        assert [entry["layer"] for entry in layers] == list(range(1, 8))
        assert all(np.isfinite(entry["weight_norm"]) for entry in layers)
        assert "Try a smaller learning_rate" in str(error)

    def test_finds_a_gradient_that_overflows_in_the_optimizer(self, data: TrainingData) -> None:
        """Where only the square of a gradient overflows, the weights would freeze without a word: it is told."""
        error = diverged(changed(epsilon=0), data, frozen_by_overflow(changed(epsilon=0), data))
        assert (error.autopsy["what"], error.autopsy["layer"]) == ("the optimizer's mean square", 5)
        assert error.autopsy["value"] == "infinite"

    def test_leaves_no_epoch_whose_figures_hide_it(self, data: TrainingData) -> None:
        """An epoch that was cut off with finite costs is none: it would be stored, kept, or end the run as finished."""
        config = changed(epsilon=0, epochs=1)
        reports: list[Any] = []
        training = Training(config, data, start=frozen_by_overflow(config, data))
        with pytest.raises(TrainingDiverged):
            reports.extend(training.reports(lambda: False))
        assert {type(report) for report in reports} == {Progress}

    def test_comes_before_a_wish_to_stop(self) -> None:
        """A wish to stop while the images are tested after it leaves no such state to go on from."""
        config, data = many_test_images()
        state = first_state(config, data)
        weights = tuple(tf.constant(np.full(w.shape, np.nan, np.float32)) for w in state.learned.weights)
        asked = iter([False])  # before the epoch; from then on there is the wish
        training = Training(config, data, start=TrainerState(state.learned._replace(weights=weights)))
        reports: list[Any] = []
        with pytest.raises(TrainingDiverged):
            reports.extend(training.reports(lambda: next(asked, True)))
        assert {type(report) for report in reports} == {Progress}

    def test_changes_nothing_of_a_run_that_is_well(self, data: TrainingData) -> None:
        """A run whose numbers are finite reports every epoch and no more."""
        found = list(Training(CONFIG, data).reports(lambda: False))
        assert sum(isinstance(report, EpochReport) for report in found) == CONFIG.epochs
