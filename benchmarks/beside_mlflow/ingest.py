"""Points into each service by the way that is meant for them: a worker's own, and MLflow's log-batch."""

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from backend.contract import MAX_LEASE_S, METRIC_NAMES, BatchResults, Phase, Progress
from backend.db.engine import Database
from backend.notifier import RedisNotifier
from benchmarks.beside_mlflow.laboratory import EXPERIMENT
from benchmarks.beside_mlflow.servers import Server
from tests.builders import add_run, epoch_report, start_run
from worker.recorder import Recorder, Retention

POINTS_AN_EPOCH = len(METRIC_NAMES)
LIVE_EPOCHS = 100  # of a turn
BATCH = 1000  # points; the most that log-batch takes
BATCHES = 12  # of MLflow's turn, shared by the clients
REPORTS = 120  # of ours
CLIENTS = (1, 2, 4)  # tried for MLflow, which is measured with the best
_EPOCHS_AT_ONCE = BATCH // POINTS_AN_EPOCH
_BATCHES_AT_ONCE = BATCH // 2  # of training: each has a cost and an accuracy


class Ours:
    """A worker's process, which writes into the database itself, as training does."""

    def __init__(self, database: Database, redis_url: str) -> None:
        self._database, self._notifier = database, RedisNotifier(redis_url)

    def live(self) -> float:
        """Points a second, a commit and news of it after every epoch: what a worker's recorder does."""
        recorder = self._recorder()
        reports = [epoch_report(number) for number in range(LIVE_EPOCHS)]

        def write() -> None:
            for report in reports:
                recorder.add(report)

        return POINTS_AN_EPOCH * LIVE_EPOCHS / _seconds(write)

    def batched(self) -> float:
        """Points a second where a report brings the costs and accuracies of so many batches: a commit and news each."""
        recorder = self._recorder()
        column = np.random.default_rng(0).random(_BATCHES_AT_ONCE, np.float32).astype("<f4").tobytes()
        reports = [
            Progress(Phase.TRAINING, 0, 1, 1, results=BatchResults(place * _BATCHES_AT_ONCE, column, column))
            for place in range(REPORTS)
        ]

        def write() -> None:
            for report in reports:
                recorder.add(report)

        return BATCH * REPORTS / _seconds(write)

    def _recorder(self) -> Recorder:
        run_id = add_run(self._database, epochs=10_000)
        attempt = start_run(self._database, run_id, MAX_LEASE_S - 10).attempt
        return Recorder(self._database, self._notifier, run_id, attempt, 10_000, 10.0, Retention(1, 0))


class Theirs:
    """Clients with open connections that post what was made into JSON before the clock runs."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.clients = max(CLIENTS, key=self._batched)

    def live(self) -> float:
        """Points a second, a request of one epoch's metrics after the other."""
        client = self._server.client()
        run_id = self._run()
        bodies = [_body(run_id, number, 1) for number in range(LIVE_EPOCHS)]

        def write() -> None:
            for body in bodies:
                client.post("/api/2.0/mlflow/runs/log-batch", body)

        return POINTS_AN_EPOCH * LIVE_EPOCHS / _seconds(write)

    def batched(self) -> float:
        """Points a second in requests of a thousand, of as many clients at once as is best."""
        return self._batched(self.clients)

    def _batched(self, clients: int) -> float:
        count = BATCHES // clients
        work: list[tuple[Callable[[str, str], object], list[str]]] = []
        for _ in range(clients):
            run_id, client = self._run(), self._server.client()
            bodies = [_body(run_id, place * _EPOCHS_AT_ONCE, _EPOCHS_AT_ONCE) for place in range(count)]
            work.append((client.post, bodies))

        def write_one(post: Callable[[str, str], object], bodies: Sequence[str]) -> None:
            for body in bodies:
                post("/api/2.0/mlflow/runs/log-batch", body)

        with ThreadPoolExecutor(clients) as pool:
            seconds = _seconds(lambda: list(pool.map(lambda job: write_one(*job), work)))
        return POINTS_AN_EPOCH * _EPOCHS_AT_ONCE * count * clients / seconds

    def _run(self) -> str:
        body = json.dumps({"experiment_id": EXPERIMENT, "start_time": int(1000 * time.time())})
        answer = self._server.client().post("/api/2.0/mlflow/runs/create", body)
        run_id: str = json.loads(answer.body)["run"]["info"]["run_id"]
        return run_id


def _body(run_id: str, first: int, count: int) -> str:
    at_ms = int(1000 * time.time())
    metrics = []
    for number in range(first, first + count):
        report = epoch_report(number)
        metrics += [
            {"key": name, "value": getattr(report, name), "timestamp": at_ms + number, "step": number}
            for name in METRIC_NAMES
        ]
    return json.dumps({"run_id": run_id, "metrics": metrics})


def _seconds(work: Callable[[], object]) -> float:
    began_at = time.perf_counter()
    work()
    return time.perf_counter() - began_at
