"""The broker emptied or gone, with runs queued and running: it carries hints, and losing it loses nothing."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.faults.conftest import Note
from tests.faults.lab import QUICK, EpochFact, Lab, Witness, until, wrongs
from tests.service import Service
from tests.services import ValkeyServer, valkey_server


@pytest.fixture
def broker() -> Iterator[ValkeyServer]:
    """A broker of our own, to be ended and started again."""
    with valkey_server() as server:
        yield server


class TestTheBroker:
    @pytest.mark.timeout(600)
    def test_that_is_emptied_and_gone_costs_time_only(
        self, broker: ValkeyServer, tmp_path: Path, twins: dict[int, list[EpochFact]], long: bool, note: Note
    ) -> None:
        """With runs queued and running it is emptied, then gone for a while: all end in their first attempt."""
        away_s = 60.0 if long else 4.0
        settings = {"LAB_REDIS_URL": broker.url, "LAB_LEASE_S": "2", "LAB_THREADS": "1", "LAB_SLOTS": "1"}
        with Lab(Service(tmp_path / "data", settings)).running() as lab, Witness(lab) as witness:
            for number in range(2):
                lab.launch(f"before-{number}", QUICK | {"seed": number})
            until(lambda: any(run.status == "running" for run in lab.facts().runs.values()))
            with redis.Redis.from_url(broker.url) as client:
                client.flushall()
            broker.stop()
            begin = time.monotonic()
            lab.launch("while-it-is-gone", QUICK)
            answer_s = time.monotonic() - begin
            done = sum(map(len, lab.facts().epochs.values()))
            until(lambda: sum(map(len, lab.facts().epochs.values())) > done or not lab.unfinished())
            time.sleep(max(0.0, away_s - (time.monotonic() - begin)))
            broker.start()
            ended_s = lab.wait_until_all_ended()
            facts = witness.look()
        assert list(wrongs(facts, twins)) == []
        assert witness.changed == []
        assert {run_id: run.attempt for run_id, run in facts.runs.items()} == {1: 1, 2: 1, 3: 1}
        assert answer_s < 20
        note(
            f"broker emptied, then gone for {away_s:.0f} s",
            "0 lost, 0 doubled",
            f"3 of 3 runs in one attempt each, {ended_s:.1f} s after its return; a launch meanwhile: {answer_s:.1f} s",
        )
