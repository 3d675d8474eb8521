"""What a run's life should be, told without a database: the pure model that the real thing is held against."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from backend.contract import ALLOWED_STEPS, FINAL_STATUSES, LIVE_STATUSES, MAX_LEASE_S, RunStatus
from backend.db.lifecycle import MAX_BARREN_ATTEMPTS, MAX_BLAMELESS_ATTEMPTS
from backend.reaper import RESEND_AFTER_S

WRITABLE = frozenset({RunStatus.RUNNING, RunStatus.STOPPING, RunStatus.PAUSING})


class Superseded(Exception):
    """The attempt holds the run no longer."""


class Refused(Exception):
    """The run's state forbids it."""


@dataclass
class ModelRun:
    """One run as it should be."""

    wanted: int  # epochs
    queued_at: datetime
    parent: int | None = None
    start_epoch: int = 0
    status: RunStatus = RunStatus.QUEUED
    attempt: int = 0
    barren: int = 0
    blameless: int = 0
    lease_until: datetime | None = None
    sent_at: datetime | None = None
    deleted: bool = False
    epochs: dict[int, int] = field(default_factory=dict)  # number: attempt

    @property
    def done(self) -> int:
        """Epochs that are known, the parent's among them."""
        return self.start_epoch + len(self.epochs)

    @property
    def live(self) -> bool:
        """Whether an attempt holds it."""
        return self.status in LIVE_STATUSES

    def _go(self, to: RunStatus, at: datetime) -> None:
        assert to in ALLOWED_STEPS[self.status], f"the model itself goes from {self.status} to {to}"
        self.status = to
        if to not in LIVE_STATUSES:
            self.lease_until = None
        if to is RunStatus.QUEUED:
            self.queued_at, self.sent_at = at, None

    def claim(self, at: datetime, lease_s: float) -> int | None:
        """The new attempt's number, or None."""
        if self.status is not RunStatus.QUEUED or self.deleted:
            return None
        self._go(RunStatus.STARTING, at)
        self.attempt += 1
        self.lease_until = at + timedelta(seconds=lease_s)
        return self.attempt

    def check(self, attempt: int, statuses: frozenset[RunStatus] = LIVE_STATUSES) -> None:
        """Raise Superseded unless the attempt holds it in one of the statuses."""
        if attempt != self.attempt or self.status not in statuses:
            raise Superseded

    def ready(self, attempt: int, at: datetime) -> None:
        """The process can train."""
        self.check(attempt)
        if self.status is RunStatus.STARTING:
            self._go(RunStatus.RUNNING, at)

    def epoch(self, attempt: int, number: int, at: datetime) -> None:
        """An epoch comes: new, or once more."""
        self.check(attempt, WRITABLE)
        if number > self.done:
            raise ValueError(number)
        if number == self.done:
            self.epochs[number], self.barren, self.blameless = attempt, 0, 0
        if number + 1 == self.wanted:
            self._go(RunStatus.STOPPED if self.status is RunStatus.STOPPING else RunStatus.FINISHED, at)

    def renew(self, attempt: int, at: datetime, lease_s: float) -> None:
        """Hold it for longer."""
        self.check(attempt)
        self.lease_until = at + timedelta(seconds=lease_s)

    def fail(self, attempt: int, at: datetime) -> None:
        """It can't go on."""
        self.check(attempt)
        self._go(RunStatus.STOPPED if self.status is RunStatus.STOPPING else RunStatus.FAILED, at)

    def obey(self, attempt: int, at: datetime) -> None:
        """The trainer has stopped, as it was asked to, or because its worker ends."""
        self.give_back(attempt, at, blameless=True)

    def give_back(self, attempt: int, at: datetime, *, blameless: bool) -> None:
        """The attempt is lost."""
        self.check(attempt)
        if self.status is RunStatus.STOPPING:
            self._go(RunStatus.STOPPED, at)
        elif self.status is RunStatus.PAUSING:
            self._go(RunStatus.PAUSED, at)
        else:
            self.barren += not blameless
            self.blameless += blameless
            failed = self.barren >= MAX_BARREN_ATTEMPTS or self.blameless >= MAX_BLAMELESS_ATTEMPTS
            self._go(RunStatus.FAILED if failed else RunStatus.QUEUED, at)

    def ask_stop(self, at: datetime) -> None:
        """A user wants it to stop."""
        if self.status is RunStatus.STOPPING:
            return
        to = RunStatus.STOPPING if self.live else RunStatus.STOPPED
        if to not in ALLOWED_STEPS[self.status]:
            raise Refused
        self._go(to, at)

    def force_stop(self, at: datetime) -> None:
        """A user wants it to stop now."""
        self.ask_stop(at)
        if self.status is RunStatus.STOPPING:
            self._go(RunStatus.STOPPED, at)

    def ask_pause(self, at: datetime) -> None:
        """A user wants it to pause."""
        if self.status is RunStatus.PAUSING:
            return
        if self.status not in (RunStatus.STARTING, RunStatus.RUNNING):
            raise Refused
        self._go(RunStatus.PAUSING, at)

    def resume(self, at: datetime, *, told: bool) -> None:
        """A user wants it to go on; the workers are told so, or not."""
        if self.status is not RunStatus.PAUSED or self.deleted:
            raise Refused
        self._go(RunStatus.QUEUED, at)
        self.barren, self.blameless, self.sent_at = 0, 0, at if told else None

    def trash(self) -> None:
        """A user wants to see it no more."""
        if self.live or self.status is RunStatus.QUEUED:
            raise Refused
        self.deleted = True

    def restore(self) -> None:
        """A user wants to see it again."""
        self.deleted = False

    def forget_the_future(self, at: datetime, lease_s: float) -> None:
        """The clock was set back."""
        if self.lease_until is not None and self.lease_until > at + timedelta(seconds=MAX_LEASE_S):
            self.lease_until = at + timedelta(seconds=lease_s)
        if self.sent_at is not None and self.sent_at > at:
            self.sent_at = None

    def is_overdue(self, at: datetime) -> bool:
        """Whether the reaper takes it back."""
        return self.lease_until is not None and self.lease_until < at

    def wants_message(self, at: datetime) -> bool:
        """Whether the re-sender tells the workers of it."""
        quiet = self.sent_at is None or self.sent_at < at - timedelta(seconds=RESEND_AFTER_S)
        return self.status is RunStatus.QUEUED and not self.deleted and quiet

    @property
    def ended(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.status in FINAL_STATUSES
