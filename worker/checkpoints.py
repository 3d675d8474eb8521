"""A run's checkpoints: written after each epoch, taken up again by a later attempt, by a branch from its parent."""

import logging
import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from backend.contract import CheckpointFile, Phase, Progress, Stopped, TrainConfig
from backend.db import checkpoints, epochs, lifecycle, runs
from backend.db.engine import Database
from backend.db.lifecycle import Claim
from backend.db.models import Checkpoint
from backend.errors import CheckpointDamaged, NotReproducible
from backend.settings import Settings
from worker import trainer
from worker.recorder import Recorder

log = logging.getLogger(__name__)

# What of a configuration decides its images; they are large, and held once where two runs have the same.
IMAGE_FIELDS = {"network", "dataset", "train_images", "test_images", "preprocessing", "quirks"}

_ATTEMPT = re.compile(r"-attempt-(\d+)\.npz")  # in the name of a checkpoint, also of one that is half written

LoadImages = Callable[[TrainConfig], trainer.TrainingData]


class StopAsked(Exception):
    """The wish to stop came before the training began."""


class Shelf:
    """The folder of one run's checkpoints, as one attempt uses it."""

    def __init__(self, claim: Claim, settings: Settings) -> None:
        self._claim = claim
        self._folder = settings.checkpoints_dir(claim.run_id)
        self._newest = ""

    def save(self, state: trainer.TrainerState) -> CheckpointFile | None:
        """Write a checkpoint; it counts once the recorder has stored it. None where it is the newest one already.

        Raises:
            CheckpointNotWritten: the disk is full, or the folder can't be written.
        """
        # Another attempt, which takes this one for dead, writes files of other names.
        name = f"epoch-{state.epoch:06}-batch-{state.batch:06}-attempt-{self._claim.attempt}.npz"
        if name == self._newest:  # a wish to stop that came between two epochs
            return None
        written = trainer.checkpoint.save(self._folder / name, state)
        self._newest = name
        return CheckpointFile(
            name=name,
            epochs_done=state.epoch,
            batch=state.batch,
            size=written.size,
            sha256=written.sha256,
            state_hash=trainer.checkpoint.state_hash(state.learned),
        )

    def tidy(self, named: Collection[str]) -> None:
        """Delete what an earlier attempt left that died between writing a file and storing its name, or the reverse.

        A file of a later attempt stays: this one may have slept since it asked which checkpoints count.

        Args:
            named: the checkpoints that count.
        """
        if self._folder.exists():
            left = {path.name for path in self._folder.iterdir()} - set(named)
            self.clear([name for name in left if self._is_earlier(name)])

    def _is_earlier(self, name: str) -> bool:
        attempt = _ATTEMPT.search(name)
        return attempt is None or int(attempt[1]) < self._claim.attempt

    def clear(self, names: Collection[str]) -> None:
        """Delete the files of checkpoints that are no longer kept."""
        for name in names:
            (self._folder / name).unlink(missing_ok=True)


class Resumption:
    """Where an attempt begins: at its run's furthest checkpoint, or where its run branched off, or at the beginning.

    Args:
        claim: of the attempt.
        database: is only read.
        settings: say where the folders are.
        recorder: of the attempt.
        load_images: the images that a configuration asks for.
    """

    def __init__(
        self, claim: Claim, database: Database, settings: Settings, recorder: Recorder, load_images: LoadImages
    ) -> None:
        self._claim = claim
        self._database = database
        self._settings = settings
        self._recorder = recorder
        self._load_images = load_images

    def state(self, data: trainer.TrainingData, stop: Callable[[], bool]) -> trainer.TrainerState | None:
        """The state to begin with; None: at the beginning.

        Raises:
            NotReproducible: the parent's epochs had to be trained again, and came out otherwise.
            StopAsked: while they were.
        """
        with self._database.read() as session:
            own = checkpoints.newest_first(session, self._claim.run_id)
        state = self._taken_up(self._claim.run_id, own, trainer.first_state(self._claim.config, data))
        if state is not None:
            where = f"epoch {state.epoch + 1}, batch {state.batch + 1}"
            self._recorder.note(f"Goes on from its checkpoint at {where}.")
            return state
        if self._claim.parent_id is None:
            return None
        return self._branched_off(self._claim.parent_id, self._claim.start_epoch, data, stop)

    def _taken_up(
        self, run_id: int, rows: Sequence[Checkpoint], like: trainer.TrainerState
    ) -> trainer.TrainerState | None:
        """The first of the checkpoints that is whole."""
        for row in rows:
            path: Path = self._settings.checkpoints_dir(run_id) / row.name
            try:
                return trainer.checkpoint.load(path, row.sha256, like)
            except CheckpointDamaged as error:
                log.warning("%s", error)
                self._recorder.note(f"{error} The one before is taken instead.")
        return None

    def _branched_off(
        self, parent_id: int, epoch: int, own_data: trainer.TrainingData, stop: Callable[[], bool]
    ) -> trainer.TrainerState:
        """The parent's state after so many epochs: from its checkpoint, or trained again from an earlier one."""
        with self._database.read() as session:
            parent = runs.load(session, parent_id)
            # Measuring changes no bit, and the parent's measurements are known.
            silent = {"audit_every": 0, "robustness_every": 0}
            config = TrainConfig.model_validate(parent.config).model_copy(update=silent)
            grandparent_id, parent_start = lifecycle.branched_from(session, parent), parent.start_epoch
            rows = checkpoints.newest_first(session, parent_id, epoch)
            last = epochs.load(session, parent_id, epoch - 1)
        data = own_data if _images(config) == _images(self._claim.config) else self._load_images(config)
        start = self._taken_up(parent_id, rows, trainer.first_state(config, data))
        if start is None and grandparent_id is not None:
            start = self._branched_off(grandparent_id, parent_start, own_data, stop)
        training = trainer.Training(config, data, start=start)
        reports = training.reports(stop)
        while training.state.epoch < epoch:
            report = next(reports)
            if isinstance(report, Stopped):
                raise StopAsked
            text = f"training epoch {training.state.epoch + 1} of run {parent_id} again"
            self._recorder.add(Progress(Phase.LOADING, epoch, 0, 0, note=text))
        found = trainer.checkpoint.state_hash(training.state.learned)
        if last is not None and last.state_hash not in (None, found):
            raise NotReproducible(
                f"Epoch {epoch} of run {parent_id} came out otherwise when it was trained again, "
                "so this run can't branch off there. Its environment is another, or its images are."
            )
        return training.state


def _images(config: TrainConfig) -> dict[str, Any]:
    return config.model_dump(include=IMAGE_FIELDS)
