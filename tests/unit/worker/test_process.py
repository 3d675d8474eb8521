import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.service import lives
from worker import process as process_module
from worker.process import SPARE, TrainerProcess
from worker.spares import AT_ONCE


@pytest.fixture
def child() -> Iterator[TrainerProcess]:
    process = TrainerProcess([SPARE, AT_ONCE], ())
    yield process
    assert process.kill()


class TestKilling:
    def test_waits_for_the_end(self, child: TrainerProcess) -> None:
        """Also a process that is stopped is gone when it was killed."""
        os.kill(child.pid, signal.SIGSTOP)
        assert child.kill()
        assert not lives(child.pid)

    def test_gives_up_on_what_the_kernel_holds(
        self, child: TrainerProcess, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A process that SIGKILL does not end is left after a while, with a line in the log."""
        with monkeypatch.context() as patched:
            # No test can put a process into an uninterruptible sleep: the signal is kept from it instead.
            patched.setattr(os, "killpg", lambda *_: None)
            patched.setattr(process_module, "KILL_S", 0.2)
            began = time.monotonic()
            assert not child.kill()
            assert time.monotonic() - began < 5
        assert f"Process {child.pid} has not ended" in caplog.text
        assert lives(child.pid)
