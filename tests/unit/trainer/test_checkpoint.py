import errno
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from backend.contract import EpochReport, Optimizer, Stopped, TrainConfig
from backend.errors import CheckpointDamaged, CheckpointNotWritten
from tests.unit.trainer.builders import CONFIG, images_and_labels
from worker.trainer import TrainerState, Training, TrainingData, checkpoint, first_state
from worker.trainer.checkpoint import state_hash


def bits(state: TrainerState) -> list[bytes]:
    return [part.numpy().tobytes() for part in tf.nest.flatten(state.learned)]


def changed(**changes: object) -> TrainConfig:
    return TrainConfig.model_validate(CONFIG.model_dump() | changes)


def calls(number: int) -> Iterator[bool]:
    """A wish to stop that comes at the n-th time of asking."""
    while True:
        number -= 1
        yield number <= 0


@pytest.fixture(scope="module")
def data() -> TrainingData:
    """A few images of two classes."""
    return images_and_labels()


@pytest.fixture
def state(data: TrainingData) -> TrainerState:
    """A run within its first epoch."""
    return stopped(CONFIG, data, 4).state


def stopped(config: TrainConfig, data: TrainingData, asked: int) -> Training:
    wish = calls(asked)
    training = Training(config, data, clock=iter(range(10**9)).__next__)
    assert any(isinstance(report, Stopped) for report in training.reports(lambda: next(wish)))
    return training


class TestACheckpoint:
    @pytest.mark.parametrize("optimizer", list(Optimizer))
    @pytest.mark.parametrize("network", ["conv7", "mlp"])
    def test_gives_back_every_bit(self, tmp_path: Path, data: TrainingData, network: str, optimizer: Optimizer) -> None:
        """What is read is what was written: weights, optimizer, sums, epoch, batch and seconds."""
        config = changed(network=network, optimizer=optimizer, epsilon=0.1)
        saved = stopped(config, data, 3).state
        path = tmp_path / "run" / "state.npz"
        written = checkpoint.save(path, saved)
        read = checkpoint.load(path, written.sha256, first_state(config, data))
        assert bits(read) == bits(saved)
        assert (read.epoch, read.batch, read.seconds) == (saved.epoch, saved.batch, saved.seconds)
        assert state_hash(read.learned) == state_hash(saved.learned)
        assert written.size == path.stat().st_size

    def test_holds_plain_arrays(self, tmp_path: Path, state: TrainerState) -> None:
        """Whoever has NumPy can read it, and nothing in it is pickled."""
        checkpoint.save(tmp_path / "state.npz", state)
        with np.load(tmp_path / "state.npz", allow_pickle=False) as archive:
            assert archive["weights/0"].shape == (5, 5, 1, CONFIG.width)
            assert int(archive["batch"]) == state.batch
            assert all(archive[name].dtype != object for name in archive.files)

    @pytest.mark.parametrize("place", [0.01, 0.5, 0.99])
    def test_that_was_damaged_is_refused(self, tmp_path: Path, state: TrainerState, place: float) -> None:
        """One bit that fell over, wherever it lies, is noticed; the sentence names the file."""
        path = tmp_path / "state.npz"
        written = checkpoint.save(path, state)
        content = bytearray(path.read_bytes())
        content[int(place * len(content))] ^= 1
        path.write_bytes(content)
        with pytest.raises(CheckpointDamaged, match=r"state\.npz is not as it was written"):
            checkpoint.load(path, written.sha256, state)

    def test_that_is_cut_off_or_gone_is_refused(self, tmp_path: Path, state: TrainerState) -> None:
        """A file that lacks its end, or is not there, is refused."""
        path = tmp_path / "state.npz"
        written = checkpoint.save(path, state)
        os.truncate(path, written.size // 2)
        with pytest.raises(CheckpointDamaged):
            checkpoint.load(path, written.sha256, state)
        path.unlink()
        with pytest.raises(CheckpointDamaged, match="can't be read"):
            checkpoint.load(path, written.sha256, state)

    @pytest.mark.parametrize("change", [{"width": 3}, {"optimizer": "adam"}, {"network": "mlp"}])
    def test_of_another_network_is_refused(
        self, tmp_path: Path, data: TrainingData, state: TrainerState, change: dict[str, object]
    ) -> None:
        """A state whose arrays have other names or shapes is not taken up."""
        path = tmp_path / "state.npz"
        written = checkpoint.save(path, state)
        with pytest.raises(CheckpointDamaged, match="of another network"):
            checkpoint.load(path, written.sha256, first_state(changed(**change), data))

    def test_leaves_nothing_where_the_disk_is_full(
        self, tmp_path: Path, state: TrainerState, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No file has the name of a checkpoint that could not be written whole, nor is a part of it left."""

        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(CheckpointNotWritten, match=r"state\.npz can't be written: No space left"):
            checkpoint.save(tmp_path / "state.npz", state)
        assert list(tmp_path.iterdir()) == []


class TestStateHash:
    def test_is_equal_for_equal_bits_alone(self, data: TrainingData, state: TrainerState) -> None:
        """One weight that is the next number up gives another hash; another time of the same state does not."""
        weights = list(state.learned.weights)
        first = weights[0].numpy()
        first[0, 0, 0, 0] = np.nextafter(first[0, 0, 0, 0], np.float32(np.inf))
        weights[0] = tf.constant(first)
        assert state_hash(state.learned._replace(weights=tuple(weights))) != state_hash(state.learned)
        assert state_hash(stopped(CONFIG, data, 4).state.learned) == state_hash(state.learned)


class TestGoingOn:
    @pytest.mark.parametrize("asked", [2, 4, 6, 7, 9])
    def test_from_a_checkpoint_gives_the_bits_of_an_unbroken_run(
        self, tmp_path: Path, data: TrainingData, asked: int
    ) -> None:
        """Wherever a run was stopped and saved, within an epoch or between two, it ends with equal bits and figures."""
        unbroken = Training(CONFIG, data)
        figures = [epoch_figures(report) for report in unbroken.reports(lambda: False)]
        first = stopped(CONFIG, data, asked)
        written = checkpoint.save(tmp_path / "state.npz", first.state)
        start = checkpoint.load(tmp_path / "state.npz", written.sha256, first_state(CONFIG, data))
        second = Training(CONFIG, data, start=start)
        resumed = [epoch_figures(report) for report in second.reports(lambda: False)]
        wanted = [figure for figure in figures if figure is not None]
        found = [figure for figure in resumed if figure is not None]
        assert found == wanted[-len(found) :]
        assert bits(second.state) == bits(unbroken.state)


def epoch_figures(report: object) -> tuple[object, ...] | None:
    """What an epoch came to, without its seconds."""
    if not isinstance(report, EpochReport):
        return None
    return (
        report.epoch,
        report.state_hash,
        report.train_accuracy,
        report.train_cost,
        report.test_accuracy,
        report.test_cost,
    )
