"""SIGTERM for everything, while pages are open and runs train."""

import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from tests.faults.conftest import Note
from tests.faults.lab import QUICK, Lab, until
from tests.service import Service

STREAMS = 5
PATIENT = QUICK | {"epochs": 400}


class TestTheEnd:
    @pytest.mark.timeout(600)
    def test_comes_soon_and_leaves_nothing(self, tmp_path: Path, long: bool, note: Note) -> None:
        """With open streams and running epochs everything ends in time, leaves no process, and saves where it was."""
        seconds = []
        for number in range(5 if long else 1):
            lab = Lab(Service(tmp_path / f"data-{number}", {"LAB_THREADS": "1"}))
            with lab.running():
                streams = [threading.Thread(target=_follow, args=(lab.service.url,)) for _ in range(STREAMS)]
                for stream in streams:
                    stream.start()
                ids = [lab.launch(f"run-{seed}", PATIENT | {"seed": seed}) for seed in range(2)]
                until(lambda lab=lab, ids=ids: all(lab.facts().epochs[run_id] for run_id in ids))  # type: ignore[misc]
                begin = time.monotonic()
            seconds.append(time.monotonic() - begin)
            assert lab.leftovers() == []
            for stream in streams:
                stream.join(10)
                assert not stream.is_alive()
            facts = lab.facts()
            assert {run.status for run in facts.runs.values()} == {"queued"}
            for run_id in ids:
                assert facts.checkpoints[run_id][-1].epochs_done == len(facts.epochs[run_id])
        note(
            f"SIGTERM with {STREAMS} open streams and 2 running epochs",
            "< 20 s, 0 processes",
            f"{max(seconds):.1f} s at most in {len(seconds)}, 0 processes left",
        )
        assert max(seconds) < 20


def _follow(url: str) -> None:
    with (
        suppress(httpx2.HTTPError),
        httpx2.Client(timeout=60) as client,
        client.stream("GET", f"{url}/api/stream") as answer,
    ):
        for _ in answer.iter_lines():
            pass
