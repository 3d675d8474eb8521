import json
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from backend.api.stream import Cursor, read
from backend.db import events
from backend.db.engine import Database
from benchmarks.compare.runs import add_epochs, fill, noise
from tests.unit.api.conftest import BASE_URL

RUNS, EPOCHS = 100, 1000
CEILING = 5  # times the bar, of the time that the processor worked: other programs do not count


@pytest.fixture
def many(database: Database) -> list[int]:
    """A hundred runs of a thousand epochs."""
    return fill(database.url, RUNS, EPOCHS)


@pytest.mark.database("sqlite")  # whose times the bars are
def test_a_hundred_long_runs_are_compared_at_once(
    client: TestClient, database: Database, many: list[int], figure: Callable[[str], None]
) -> None:
    """The page's data: 1 MB and 0.3 s of the processor; a tick: 10 KB and 20 ms. Times may be five times that."""
    query = f"runs={quote(','.join(map(str, many)))}&width=700"
    paths = [f"{BASE_URL}/api/{name}?{query}" for name in ("figures/accuracy", "figures/cost", "comparisons")]
    [client.get(path) for path in paths]  # imports
    begun = time.process_time()
    answers = [client.get(path, headers={"accept-encoding": "identity"}) for path in paths]
    seconds, size = time.process_time() - begun, sum(len(answer.content) for answer in answers)
    assert [answer.status_code for answer in answers] == [200] * 3
    assert len(answers[0].json()["data"]) == 2 * RUNS
    assert size <= 1e6
    assert seconds <= CEILING * 0.3

    with database.read() as session:
        cursor = Cursor(events.last_seq(session))
    for run_id in many:
        add_epochs(database, run_id, EPOCHS, EPOCHS + 1, noise())
    begun = time.process_time()
    told = [event for event in read(database, cursor, in_columns=True) if event.event == "epochs"]
    tick, data = time.process_time() - begun, "".join(event.data.model_dump_json() for event in told)
    assert len(json.loads(data)["run_ids"]) == RUNS
    assert len(data) <= 10_000
    assert tick <= CEILING * 0.02
    figure(f"100 runs x 1,000 epochs: {1000 * seconds:.0f} ms, {size / 1e6:.2f} MB; a tick {1000 * tick:.0f} ms")
