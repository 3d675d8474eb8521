"""Launching and steering runs in the right order: the database first, then the messages that hurry."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from sqlalchemy.orm import Session

from backend.contract import Backprop, RunStatus, TrainConfig
from backend.contract.placement import queue_for
from backend.db import launches, lifecycle, runs, waiting, workers
from backend.db.engine import Database
from backend.db.models import Run
from backend.errors import BadRequest, KeyReused, StepNotAllowed
from backend.notifier import Notifier
from backend.queue import Message, Queue

FIXED_IN_BRANCHES = frozenset({"network", "width", "dataset", "optimizer"})  # they decide what a state looks like
MAX_NAME = 200  # characters


@dataclass(frozen=True)
class LaunchOrder:
    """What to train: a configuration, for each of the seeds, and as a pair where asked."""

    config: TrainConfig
    seeds: Sequence[int]
    pair: bool = False
    name: str | None = None
    tags: list[str] = field(default_factory=list)
    grid: Sequence[Mapping[str, Any]] = ({},)  # what each point of the grid changes
    parent_id: int | None = None  # the run whose configuration this one was made from

    def configurations(self) -> list[tuple[str, TrainConfig]]:
        """Each run's name and configuration; the two of a pair stand beside each other."""
        return [named for changes in self.grid for named in self._at(changes)]

    def _at(self, changes: Mapping[str, Any]) -> list[tuple[str, TrainConfig]]:
        config = TrainConfig.model_validate({**self.config.model_dump(), **changes}) if changes else self.config
        backprops = [Backprop.MANUAL, Backprop.DILATED] if self.pair else [config.backprop]
        base = self.name or f"{config.dataset} {config.network}-{config.width}"
        shows_backprop = self.pair or not self.name or "backprop" in changes
        shown = [_words(name, value) for name, value in changes.items() if name != "backprop"]
        return [
            (
                " ".join(
                    [base]
                    + ([backprop.value] if shows_backprop else [])
                    + shown
                    + ([f"seed {seed}"] if len(self.seeds) > 1 else [])
                )[:MAX_NAME],
                config.model_copy(update={"seed": seed, "backprop": backprop}),
            )
            for seed in self.seeds
            for backprop in backprops
        ]

    def fingerprint(self) -> str:
        """Equal for equal orders."""
        parts = (self.name, self.tags, self.configurations(), self.parent_id)
        return hashlib.sha256(repr(parts).encode()).hexdigest()


class Submission:
    """Who takes orders: for the API, and for the demonstration at the first start."""

    def __init__(self, database: Database, queue: Queue, notifier: Notifier) -> None:
        self._database = database
        self._queue = queue
        self._notifier = notifier

    def launch(self, order: LaunchOrder, idempotency_key: str | None = None) -> tuple[list[Run], bool]:
        """The order's runs, queued, and whether they are new: a repeated key gives the runs that it gave before.

        Raises:
            RunNotFound: the run that they are to be clones of is not there.
            KeyReused: the key was used for a different order, or for runs that were removed since.
        """
        with self._database.write() as session:
            if idempotency_key is not None:
                known = launches.find_by_key(session, idempotency_key)
                if known is not None:
                    if known.request_sha256 != order.fingerprint():
                        raise KeyReused(
                            f"The Idempotency-Key {idempotency_key!r} was used for another launch; take a new one."
                        )
                    launched = list(runs.of_launch(session, known.id))
                    if not launched:
                        raise KeyReused(
                            f"The runs of Idempotency-Key {idempotency_key!r} were removed for good; take a new one."
                        )
                    return launched, False
            launched = self._add(session, order, idempotency_key)
        self._hurry([run.id for run in launched])
        return launched, True

    def launch_first(self, order: LaunchOrder) -> list[Run]:
        """The order's runs, if there has never been any run; otherwise none."""
        with self._database.write() as session:
            launched = [] if runs.exist(session) else self._add(session, order, None)
        self._hurry([run.id for run in launched])
        return launched

    def stop(self, run_id: int, *, force: bool = False) -> Run:
        """The run, stopped or stopping; with force it has no time to save. Raises RunNotFound, StepNotAllowed."""
        with self._database.write() as session:
            run = lifecycle.force_stop(session, run_id) if force else lifecycle.ask_stop(session, run_id)
        self._notifier.changed()
        return run

    def pause(self, run_id: int) -> Run:
        """The run, pausing: it saves where it is and gives its worker free. Raises RunNotFound, StepNotAllowed."""
        with self._database.write() as session:
            run = lifecycle.ask_pause(session, run_id)
        self._notifier.changed()
        return run

    def resume(self, run_id: int) -> Run:
        """A paused run, queued again. Raises RunNotFound, StepNotAllowed."""
        with self._database.write() as session:
            run = lifecycle.resume(session, run_id)
        self._hurry([run_id])
        return run

    def reproduce(self, run_id: int) -> Run:
        """A new run with the same configuration, to be held against this one epoch by epoch. Raises RunNotFound."""
        with self._database.write() as session:
            parent = runs.load(session, run_id)
            origin = runs.Origin(run_id, lifecycle.REPRODUCTION, parent.start_epoch)
            config = _changed(parent.config, {})
            run = self._add_child(session, parent, config, f"{parent.name} again", origin)
        self._hurry([run.id])
        return run

    def retry(self, run_id: int, *, from_checkpoint: bool) -> Run:
        """A new run with the configuration of one that failed or was stopped.

        Args:
            run_id: of that run.
            from_checkpoint: go on after its last finished epoch, if it has one.

        Raises:
            RunNotFound: there is no such run.
            StepNotAllowed: it has not ended so, or it has nothing left to train.
        """
        with self._database.write() as session:
            parent = runs.load(session, run_id)
            if parent.status not in (RunStatus.FAILED, RunStatus.STOPPED):
                raise StepNotAllowed(f"Run {run_id} is {parent.status}; only a failed or stopped run can be retried.")
            start = parent.epochs_done if from_checkpoint else parent.start_epoch
            config = _changed(parent.config, {})
            if start == config.epochs:
                raise StepNotAllowed(
                    f"Run {run_id} has all its {start} epochs, so nothing is left to train after its last checkpoint. "
                    "Retry it from the beginning."
                )
            origin = runs.Origin(run_id, lifecycle.RETRY, start)
            run = self._add_child(session, parent, config, f"{parent.name} again", origin)
        self._hurry([run.id])
        return run

    def clone(self, run_id: int, changes: Mapping[str, Any], name: str | None) -> Run:
        """A new run with the configuration of another one, changed. Raises RunNotFound, BadRequest."""
        with self._database.write() as session:
            parent = runs.load(session, run_id)
            config, origin = _changed(parent.config, changes), runs.Origin(run_id, lifecycle.CLONE, 0)
            run = self._add_child(session, parent, config, name or f"copy of {parent.name}", origin)
        self._hurry([run.id])
        return run

    def branch(self, run_id: int, epoch: int, changes: Mapping[str, Any], name: str | None) -> Run:
        """A new run that goes on after an epoch of another one, with changed settings.

        Args:
            run_id: of the other run.
            epoch: number of its epochs after which the new run goes on, at least 1.
            changes: fields of the configuration.
            name: of the new run; None: made from the other's.

        Raises:
            RunNotFound: there is no such run.
            BadRequest: it has not come so far, or the changes do not fit.
        """
        with self._database.write() as session:
            parent = runs.load(session, run_id)
            if not parent.start_epoch < epoch <= parent.epochs_done:
                raise BadRequest(
                    f"epoch is {epoch}, but a branch of run {run_id} can begin after one of its epochs "
                    f"{parent.start_epoch + 1} to {parent.epochs_done}."
                )
            if fixed := sorted(FIXED_IN_BRANCHES & changes.keys()):
                raise BadRequest(f"{fixed[0]} can't be changed in a branch: its state would not fit. Launch a new run.")
            config = _changed(parent.config, changes)
            if config.epochs <= epoch:
                raise BadRequest(f"epochs is {config.epochs}; a branch after epoch {epoch} needs more.")
            origin = runs.Origin(run_id, lifecycle.BRANCH, epoch)
            run = self._add_child(session, parent, config, name or f"{parent.name} from epoch {epoch}", origin)
        self._hurry([run.id])
        return run

    def _add_child(self, session: Session, parent: Run, config: TrainConfig, name: str, origin: runs.Origin) -> Run:
        fingerprint = hashlib.sha256(repr((origin, config)).encode()).hexdigest()
        launch = launches.add(session, None, fingerprint)
        place = runs.next_palette_index(session, config.backprop)
        run = runs.add(session, launch, config, name[:MAX_NAME], parent.tags, place, origin)
        if origin.relation != lifecycle.CLONE:
            # Bits are equal with an equal number of threads alone, whatever a worker would give by now.
            run.threads = parent.threads
        return run

    def _add(self, session: Session, order: LaunchOrder, idempotency_key: str | None) -> list[Run]:
        launch = launches.add(session, idempotency_key, order.fingerprint())
        configurations = order.configurations()
        # The two of a pair share a place in the palette, so that only hue and marker tell them apart.
        kinds = {config.backprop for _, config in configurations}
        first = max(runs.next_palette_index(session, backprop) for backprop in kinds)
        step = 2 if order.pair else 1
        origin = None
        if order.parent_id is not None:
            origin = runs.Origin(runs.load(session, order.parent_id).id, lifecycle.CLONE, 0)
        return [
            runs.add(session, launch, config, name, order.tags, first + place // step, origin)
            for place, (name, config) in enumerate(configurations)
        ]

    def _hurry(self, run_ids: list[int]) -> None:
        if not run_ids:
            return
        with self._database.read() as session:
            offers, queued = workers.offers(session), runs.load_many(session, run_ids)
            messages = [Message(run.id, queue_for(waiting.need_of(run), offers)) for run in queued]
        if self._queue.send_train_run(messages):
            with self._database.write() as session:
                waiting.mark_sent(session, run_ids)
        self._notifier.changed()


def _words(name: str, value: Any) -> str:
    """`epsilon 0.1`, as a name shows a point of a grid."""
    shown = "+".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
    return f"{name} {shown}"


def _changed(config: Mapping[str, Any], changes: Mapping[str, Any]) -> TrainConfig:
    try:
        return TrainConfig.model_validate({**config, **changes})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        sentence = first["msg"].removeprefix("Value error, ")
        sent = f" (sent: {first['input']!r:.60})" if field else ""
        raise BadRequest(f"{field}{': ' if field else ''}{sentence}{sent}.".replace("..", ".")) from error
