"""Connections to Redis and Postgres that are late, cut, reset or half open, while runs train."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError

from backend.contract import FINAL_STATUSES
from backend.db.lifecycle import MAX_BARREN_ATTEMPTS
from tests.faults.conftest import Note
from tests.faults.lab import QUICK, EpochFact, Lab, Witness, until, wrongs
from tests.faults.proxy import Break, Proxy
from tests.service import Service
from tests.services import PostgresServer, ValkeyServer


@pytest.fixture
def proxies(postgres: PostgresServer, valkey: ValkeyServer, tmp_path: Path) -> Iterator[tuple[Lab, Proxy, Proxy]]:
    """A service that reaches its servers through proxies: that before Postgres, that before Redis."""
    with ExitStack() as stack:
        to_postgres, to_redis = (
            stack.enter_context(Proxy(port).running()) for port in (postgres.port, valkey.endpoint.port)
        )
        settings = {
            "LAB_DATABASE_URL": to_postgres.through(stack.enter_context(postgres.fresh_database())),
            "LAB_REDIS_URL": to_redis.through(valkey.url),
            "LAB_LEASE_S": "3",
            "LAB_THREADS": "1",
            "LAB_STOP_GRACE_S": "5",
        }
        lab = stack.enter_context(Lab(Service(tmp_path / "data", settings), postgres).running())
        yield lab, to_postgres, to_redis


class TestBrokenConnections:
    @pytest.mark.timeout(1800)
    def test_cost_time_only(
        self,
        proxies: tuple[Lab, Proxy, Proxy],
        twins: dict[int, list[EpochFact]],
        seed: int,
        long: bool,
        note: Note,
        again: str,
    ) -> None:
        """Whatever is broken on the way, every run ends with the bits of its unbroken twin, and none is made twice."""
        lab, to_postgres, to_redis = proxies
        chance, done = random.Random(seed), Counter[str]()
        count, launched = (120, 12) if long else (14, 2)
        breaks = [list(Break)[place % len(Break)] for place in range(count)]
        chance.shuffle(breaks)
        with Witness(lab) as witness:
            for place, what in enumerate(breaks):
                if place % (count // launched) == 0:
                    lab.launch(f"run-{place}", QUICK | {"seed": chance.choice(sorted(twins))})
                proxy = chance.choice([to_postgres, to_redis])
                time.sleep(chance.uniform(0, 1))
                until(lambda: _all_may_be_lost(lab))
                proxy.do(what, chance.uniform(0.2, 2.5))
                done[f"{what} {'postgres' if proxy is to_postgres else 'redis'}"] += 1
            where = f"{done}; {again}"
            lab.wait_until_all_ended()
            facts = witness.look()
        assert list(wrongs(facts, twins)) == [], where
        assert witness.changed == [], where
        assert len(facts.runs) == len(range(0, count, count // launched)), where
        what_was_done = ", ".join(f"{number} {name}" for name, number in sorted(done.items()))
        note(f"{count} breaks of connections, seed {seed}", "same bits", f"{len(facts.runs)} runs: {what_was_done}")


def _all_may_be_lost(lab: Lab) -> bool:
    """Whether no run fails if its attempt is lost now: one that is lost three times in an epoch has failed rightly."""
    try:
        runs = lab.facts().runs.values()
    except SQLAlchemyError:
        return False
    return all(run.status in FINAL_STATUSES or run.barren_attempts + 1 < MAX_BARREN_ATTEMPTS for run in runs)
