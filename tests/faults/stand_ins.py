"""What stands at the seams where no real part is wanted."""

from collections.abc import Sequence
from typing import Any


class MessageBag:
    """A queue whose messages lie on a heap: they come in any order, twice, or never."""

    def __init__(self) -> None:
        self.up = True
        self.messages: list[int] = []

    def send_train_run(self, messages: Sequence[Any]) -> bool:
        """Take them, unless the broker is down."""
        if self.up:
            self.messages.extend(getattr(message, "run_id", message) for message in messages)
        return self.up


class Silence:
    """A notifier whom nobody hears."""

    def changed(self) -> None:
        """Say nothing."""
