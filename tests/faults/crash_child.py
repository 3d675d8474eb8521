"""`python -m tests.faults.crash_child`: does one operation after the other, each in a process that it forks off.

A line of JSON in, a line of JSON out. It imports TensorFlow and uses it for nothing, so that forking stays harmless.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.contract import Stopped, TrainConfig
from backend.db import checkpoints, lifecycle
from backend.db.engine import Database
from backend.notifier import RedisNotifier
from backend.queue import CeleryQueue
from backend.reaper import Reaper
from backend.settings import Settings
from backend.submission import LaunchOrder, Submission
from tests.builders import epoch_report
from tests.faults.crash_points import Turnstile, arm
from worker.checkpoints import Shelf
from worker.recorder import Recorder, Retention
from worker.trainer.optimizers import OptimizerState
from worker.trainer.state import Learned, Sums, TrainerState

LEASE_S = 15.0
KEY = "once"
CONFIG = TrainConfig(epochs=2, width=1)


class Array(np.ndarray[Any, Any]):
    """A small array that a checkpoint takes for a tensor."""

    def numpy(self) -> NDArray[Any]:
        """Its values."""
        return np.asarray(self)


class Scene(NamedTuple):
    """What an operation works on."""

    settings: Settings
    run_id: int
    attempt: int

    @property
    def database(self) -> Database:
        """Opened in the process that uses it."""
        return Database(self.settings.resolved_database_url)

    @property
    def notifier(self) -> RedisNotifier:
        """Tells of changes, through a real Redis."""
        return RedisNotifier(self.settings.redis_url)

    @property
    def queue(self) -> CeleryQueue:
        """Sends messages, through a real Redis."""
        return CeleryQueue(self.settings.redis_url)

    @property
    def submission(self) -> Submission:
        """Takes orders."""
        return Submission(self.database, self.queue, self.notifier)

    @property
    def recorder(self) -> Recorder:
        """Stores what the attempt reports; it keeps one checkpoint, so that each new one drops another."""
        retention = Retention(last=1, every=0)
        return Recorder(
            self.database, self.notifier, self.run_id, self.attempt, CONFIG.epochs, self.settings.lease_s, retention
        )

    def shelf(self) -> Shelf:
        """The run's folder, for this attempt."""
        with self.database.read() as session:
            return Shelf(lifecycle.load_claim(session, self.run_id, self.attempt), self.settings)


def state(epoch: int, batch: int = 0) -> TrainerState:
    """A state whose numbers tell where it is."""
    array = np.full((2, 3), epoch + batch / 100, np.float32).view(Array)
    number = np.asarray(epoch, np.int64).view(Array)
    optimizer = OptimizerState(number, (array,), (array,), (array,))
    return TrainerState(Learned((array,), optimizer, Sums(number, number)), epoch, batch)


def launch(scene: Scene) -> None:
    """A request comes in."""
    scene.submission.launch(LaunchOrder(CONFIG, [0]), KEY)


def stop(scene: Scene) -> None:
    """A user asks a run to stop."""
    scene.submission.stop(scene.run_id)


def pause(scene: Scene) -> None:
    """A user asks a run to pause."""
    scene.submission.pause(scene.run_id)


def resume(scene: Scene) -> None:
    """A user takes a paused run up again."""
    scene.submission.resume(scene.run_id)


def claim(scene: Scene) -> None:
    """A worker claims a run."""
    with scene.database.write() as session:
        lifecycle.claim(session, scene.run_id, 1, 1, LEASE_S)
    scene.notifier.changed()


def renew(scene: Scene) -> None:
    """A worker holds a run for longer."""
    with scene.database.write() as session:
        lifecycle.renew(session, scene.run_id, scene.attempt, LEASE_S)


def be_ready(scene: Scene) -> None:
    """An attempt can begin."""
    scene.recorder.ready({"tensorflow": "0"})


def train_an_epoch(scene: Scene, epoch: int = 0) -> None:
    """An attempt stores an epoch and its checkpoint, and deletes the one that goes."""
    shelf = scene.shelf()
    shelf.clear(scene.recorder.add(epoch_report(epoch, test_accuracy=0.5 + epoch / 10), shelf.save(state(epoch + 1))))


def train_the_last_epoch(scene: Scene) -> None:
    """An attempt stores its last epoch, and the run has finished."""
    train_an_epoch(scene, CONFIG.epochs - 1)


def obey(scene: Scene) -> None:
    """An attempt has stopped within an epoch, and saved where it is."""
    shelf = scene.shelf()
    shelf.clear(scene.recorder.add(Stopped(1, 3), shelf.save(state(1, 3))))


def fail(scene: Scene) -> None:
    """An attempt meets an error."""
    scene.recorder.failed("why")


def give_back(scene: Scene) -> None:
    """A worker has lost its attempt."""
    with scene.database.write() as session:
        lifecycle.give_back(session, scene.run_id, scene.attempt, "lost")
    scene.notifier.changed()


def tidy(scene: Scene) -> None:
    """An attempt begins, and deletes what no row names."""
    with scene.database.read() as session:
        names = checkpoints.names(session, scene.run_id)
    scene.shelf().tidy(names)


def sweep(scene: Scene) -> None:
    """The reaper takes back what is overdue, and sends messages again."""
    Reaper(scene.database, scene.queue, scene.notifier, LEASE_S).sweep()


OPERATIONS: dict[str, Callable[[Scene], None]] = {
    operation.__name__: operation
    for operation in (
        *(launch, stop, pause, resume, claim, renew, be_ready, train_an_epoch, train_the_last_epoch),
        *(obey, fail, give_back, tidy, sweep),
    )
}


def serve() -> None:
    """Take jobs until the input ends."""
    for line in sys.stdin:
        job = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _work(job, writing)
        os.close(writing)
        with os.fdopen(reading) as told:
            points = told.read().splitlines()
        _, status = os.waitpid(child, 0)
        sys.stdout.write(json.dumps({"status": os.waitstatus_to_exitcode(status), "points": points}) + "\n")
        sys.stdout.flush()


def _work(job: dict[str, Any], writing: int) -> None:
    """Do the job, and end this process whatever happens."""
    try:
        scene = Scene(Settings(**job["settings"]), job["run_id"], job["attempt"])
        arm(Turnstile(job["fatal"], lambda name: _tell(writing, name)))
        OPERATIONS[job["operation"]](scene)
    except BaseException:  # noqa: BLE001  (a forked process must not go on with its parent's work)
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _tell(writing: int, name: str) -> None:
    os.write(writing, f"{name}\n".encode())


if __name__ == "__main__":
    serve()
