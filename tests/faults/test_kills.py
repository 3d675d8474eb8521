"""SIGKILL of whoever is there, at random moments, while runs train."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.conftest import Note
from tests.faults.kill_loop import Crowd, KillLoop
from tests.faults.kills import EventLog, Victim, plan
from tests.faults.lab import EpochFact, Lab, Witness, integrity, wrongs
from tests.service import Service
from tests.services import PostgresServer


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.long)])
def lab(request: pytest.FixtureRequest, tmp_path: Path, long: bool) -> Iterator[Lab]:
    """A service over SQLite, and in the long form one over Postgres too."""
    settings = {"LAB_LEASE_S": "3" if long else "1", "LAB_THREADS": "1", "LAB_STOP_GRACE_S": "5"}
    server: PostgresServer | None = None
    with ExitStack() as stack:
        if request.param == "postgres":
            server = request.getfixturevalue("postgres")
            settings["LAB_DATABASE_URL"] = stack.enter_context(server.fresh_database())
        yield Lab(Service(tmp_path / "data", settings), server)


class TestRandomKills:
    @pytest.mark.timeout(3600)
    def test_lose_nothing_and_double_nothing(
        self, lab: Lab, twins: dict[int, list[EpochFact]], seed: int, long: bool, note: Note, again: str, tmp_path: Path
    ) -> None:
        """Every run ends with all its epochs, each once, with the bits of its unbroken twin, and no process is left."""
        log = EventLog(tmp_path / "events.jsonl")
        kills = plan(seed, 100 if long else 20, postgres=lab.postgres is not None, pause_s=1.0 if long else 0.5)
        log.plan(seed, kills)
        with lab.running(), Witness(lab) as witness:
            loop = KillLoop(lab, log)
            with Crowd(lab, sorted(twins)) as crowd:
                loop.carry_out(kills)
            ended_s = lab.wait_until_all_ended()
            facts = witness.look()
        where = f"events are in {log.path}; {again}"
        log.add("end", wrongs=list(wrongs(facts, twins)), changed=witness.changed)
        assert crowd.error is None, f"{crowd.error}; {where}"
        assert list(wrongs(facts, twins)) == [], where
        assert witness.changed == [], where
        assert len(facts.runs) == crowd.keys, where
        assert integrity(lab) == "ok", where
        assert lab.leftovers() == [], where
        assert witness.longest_overdue_s < 15, where
        database = "Postgres" if lab.postgres is not None else "SQLite"
        table = ", ".join(f"{loop.killed[victim]} {victim}" for victim in Victim if loop.killed[victim])
        epochs = sum(len(rows) for rows in facts.epochs.values())
        attempts = sum(run.attempt for run in facts.runs.values())
        note(
            f"{len(kills)} kills over {database}, seed {seed}", "the plan", f"{table}; {loop.while_training} in epochs"
        )
        note("  epochs lost, doubled, changed", "0", f"0 of {epochs}, seen {witness.looks} times")
        note("  runs with the bits of an unbroken one", "all", f"{len(facts.runs)} of {len(facts.runs)}")
        note("  attempts that they took", "", str(attempts))
        note("  seconds from the last kill to the last end", "soon", f"{ended_s:.1f}")
        note("  longest overdue lease, s", "< 15", f"{witness.longest_overdue_s:.1f}")
