"""Where a process can end: after each of its steps towards disk, database and Redis.

Nothing that anybody else could see lies between one step and the next, so that before the next is after this one.

`arm` puts a turnstile at each of them, from outside; the code that is tested knows nothing of it.
"""

import functools
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import redis
from celery import Celery
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.default import DefaultDialect

CRASHED = 77  # exit status of a process that ended at a point


class Turnstile:
    """Counts the points that are passed, and ends the process at one of them, as SIGKILL would.

    Args:
        fatal: which one, counted from 1; 0 for none.
        tell: hears the name of each point when it is reached.
    """

    def __init__(self, fatal: int, tell: Callable[[str], None]) -> None:
        self._fatal = fatal
        self._tell = tell
        self._passed = 0

    def reach(self, name: str) -> None:
        """Pass, or end here."""
        self._passed += 1
        self._tell(name)
        if self._passed == self._fatal:
            os._exit(CRASHED)

    def around(self, owner: Any, name: str, shown: str) -> None:
        """Stand behind a function of a module or class."""
        function = getattr(owner, name)

        @functools.wraps(function)
        def guarded(*args: Any, **named: Any) -> Any:
            result = function(*args, **named)
            self.reach(f"after {shown}")
            return result

        setattr(owner, name, guarded)


def arm(turnstile: Turnstile) -> None:
    """Guard every step of this process that others, or a later process, could see."""
    turnstile.reach("the beginning")
    turnstile.around(os, "fsync", "fsync")
    turnstile.around(os, "replace", "rename")
    turnstile.around(os, "unlink", "delete")
    turnstile.around(os, "mkdir", "mkdir")
    turnstile.around(np.lib.format, "write_array", "an array")
    turnstile.around(DefaultDialect, "do_commit", "COMMIT")
    turnstile.around(redis.Redis, "publish", "publish")
    turnstile.around(Celery, "send_task", "the message")

    def after(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        turnstile.reach(f"after {_words(statement)}")

    event.listen(Engine, "after_cursor_execute", after)


def _words(statement: str) -> str:
    return " ".join(word for word in statement.split()[:3] if word != "*")
