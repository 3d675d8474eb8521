"""The process of one attempt at a run: `python -m worker.attempt RUN ATTEMPT`.

It alone joins trainer, data sets and recorder. Its standard input is the leash that its supervisor holds: the word
`stop` asks it to stop, and the end of it means that the supervisor is gone.

As a spare (`python -m worker.attempt spare ...`) it imports what it will need and waits for the word `train` with run
and attempt. It has computed nothing until then: it is the same fresh interpreter, some seconds older.
"""

import faulthandler
import logging
import math
import signal
import sys
import threading
import traceback
from collections.abc import Sequence

from backend.contract import EpochReport, Phase, Progress, Report, Stopped, TrainConfig
from backend.db import checkpoints, lifecycle
from backend.db.engine import Database
from backend.errors import AttemptSuperseded, RunFailure, TrainingDiverged
from backend.notifier import RedisNotifier
from backend.settings import Settings
from worker.leash import Leash, die_with_parent
from worker.process import EXIT_DATABASE_AWAY, SPARE
from worker.recorder import DATABASE_AWAY, Recorder, Retention
from worker.standby import stand_by

log = logging.getLogger(__name__)

EXIT_SUPERSEDED = 3


def main(arguments: Sequence[str]) -> int:
    """Train a run to its end, once there is one, and give the exit code; whatever happens is stored first."""
    die_with_parent()
    leash, settings = Leash(), Settings()
    if arguments[0] == SPARE:
        run_id, attempt = stand_by(leash, settings, arguments)
    else:
        run_id, attempt = map(int, arguments)
    # Its supervisor asks so where each thread is when nothing advances.
    faulthandler.register(signal.SIGQUIT, file=sys.__stderr__ or sys.stderr, all_threads=True)
    return train(run_id, attempt, settings, leash.stop)


def train(run_id: int, attempt: int, settings: Settings, stop: threading.Event) -> int:
    """Train the run to its end, and give the exit code; whatever happens is stored first."""
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    database = Database(settings.resolved_database_url)
    try:
        return _train_to_the_end(run_id, attempt, database, settings, stop)
    except DATABASE_AWAY as error:
        # It was away for longer than a lease lasts. That is no fault of the run, which goes on in another attempt.
        log.warning("The database does not answer, so this attempt ends: %s", error)
        return EXIT_DATABASE_AWAY


def _train_to_the_end(run_id: int, attempt: int, database: Database, settings: Settings, stop: threading.Event) -> int:
    with database.read() as session:
        claim = lifecycle.load_claim(session, run_id, attempt)
    notifier = RedisNotifier(settings.redis_url)
    retention = Retention(settings.keep_checkpoints, settings.keep_every)
    recorder = Recorder(database, notifier, run_id, attempt, claim.config.epochs, settings.lease_s, retention)
    try:
        _train(claim, database, settings, recorder, stop)
    except AttemptSuperseded as error:
        log.warning("%s", error)
        return EXIT_SUPERSEDED
    except RunFailure as error:
        log.error("%s", error)  # noqa: TRY400  (a sentence for the user; the place in the code says nothing more)
        recorder.failed(str(error), error.autopsy if isinstance(error, TrainingDiverged) else None)
    except DATABASE_AWAY:
        raise
    except Exception as error:  # noqa: BLE001  (any error ends the attempt, and its sentence must reach the page)
        traceback.print_exc()
        # Before the first batch it may well be the host's: a bad installation would end run after run.
        (recorder.failed if recorder.has_trained else recorder.lost)(f"{type(error).__name__}: {str(error)[:1000]}")
    return 0


def _train(
    claim: lifecycle.Claim, database: Database, settings: Settings, recorder: Recorder, stop: threading.Event
) -> None:
    def note(phase: Phase, text: str | None = None) -> None:
        recorder.add(Progress(phase=phase, epoch=0, batch=0, batches=0, note=text))

    note(Phase.STARTING)
    # TensorFlow is imported here and not above: the page sees that the attempt has begun some seconds earlier.
    from worker import datasets, trainer  # noqa: PLC0415
    from worker.checkpoints import Resumption, Shelf, StopAsked  # noqa: PLC0415

    def load_images(config: TrainConfig) -> trainer.TrainingData:
        images = datasets.load(config, settings.datasets_dir, lambda text: note(Phase.LOADING, text))
        return trainer.TrainingData(
            train_images=images.train_images,
            train_labels=images.train_labels,
            test_images=images.test_images,
            test_labels=images.test_labels,
            to_pixels=images.to_pixels,
        )

    trainer.configure(claim.threads)
    recorder.ready(trainer.environment())
    note(Phase.LOADING)
    data = load_images(claim.config)
    try:
        start = Resumption(claim, database, settings, recorder, load_images).state(data, stop.is_set)
    except StopAsked:
        recorder.add(Stopped(0, 0))
        return
    training = trainer.Training(claim.config, data, start=start, first_epoch=claim.start_epoch)
    shelf = Shelf(claim, settings)
    with database.read() as session:
        shelf.tidy(checkpoints.names(session, claim.run_id))
    for report in training.reports(stop.is_set):
        checkpoint = shelf.save(training.state) if _is_worth_keeping(report) else None
        shelf.clear(recorder.add(report, checkpoint))


def _is_worth_keeping(report: Report) -> bool:
    """Whether the state after it is to be kept: one that diverged would take a good one's place."""
    if isinstance(report, EpochReport):
        return math.isfinite(report.train_cost) and math.isfinite(report.test_cost)
    return isinstance(report, Stopped)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
