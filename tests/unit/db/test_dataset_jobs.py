import threading
from datetime import timedelta
from typing import Any

import pytest

from backend.contract import DatasetName, JobKind, JobState
from backend.db import clock, dataset_jobs
from backend.db.dataset_jobs import JobClaim, Order
from backend.db.engine import Database
from backend.db.side_models import DatasetJob
from backend.errors import AttemptSuperseded

LEASE_S = 15.0


def order(fingerprint: str = "files", **arguments: Any) -> Order:
    return Order(JobKind.HISTOGRAMS, DatasetName.DIGITS, arguments, fingerprint)


def ask(database: Database, asked: Order, again_after_s: float | None = 60.0) -> DatasetJob:
    with database.write() as session:
        return dataset_jobs.ask(session, asked, again_after_s=again_after_s)


def claim(database: Database, lease_s: float = LEASE_S) -> JobClaim | None:
    with database.write() as session:
        return dataset_jobs.claim(session, JobKind.HISTOGRAMS, lease_s)


def claimed(database: Database, lease_s: float = LEASE_S) -> JobClaim:
    found = claim(database, lease_s)
    assert found is not None
    return found


def end(database: Database, job: JobClaim, error: str | None = None) -> None:
    with database.write() as session:
        if error is None:
            dataset_jobs.finish(session, job.job_id, job.attempt, {"answer": job.attempt})
        else:
            dataset_jobs.fail(session, job.job_id, job.attempt, error)


class TestAsking:
    def test_twice_is_one_job(self, database: Database) -> None:
        """Equal orders are one job, however often they are asked for; other arguments are another one."""
        first, again, other = (ask(database, order(network=name)) for name in ("mlp", "mlp", "conv7"))
        assert first.id == again.id != other.id
        assert claimed(database).arguments == {"network": "mlp"}

    def test_by_many_at_once_is_one_job(self, database: Database) -> None:
        """Askers that do not know of each other get the same job, and none of them an error."""
        start, ids = threading.Barrier(6), []

        def ask_too() -> None:
            start.wait()
            ids.append(ask(database, order()).id)

        threads = [threading.Thread(target=ask_too) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(ids) == 6
        assert len(set(ids)) == 1

    def test_for_what_is_known_gives_it(self, database: Database) -> None:
        """A job that is done stays done for equal files, and is done anew for others."""
        ask(database, order())
        end(database, claimed(database))
        assert ask(database, order()).result == {"answer": 1}
        with database.read() as session:
            assert dataset_jobs.find_result(session, order()) == {"answer": 1}
            assert dataset_jobs.find_result(session, order("other files")) is None
        renewed = ask(database, order("other files"))
        assert (renewed.state, renewed.result) == (JobState.QUEUED, None)

    def test_after_a_failure_tries_again_in_time(self, database: Database) -> None:
        """A failure is told for a while, then tried again; at once where that is asked for or the files are others."""
        ask(database, order())
        end(database, claimed(database), "no luck")
        failed = ask(database, order())
        assert (failed.state, failed.error) == (JobState.FAILED, "no luck")
        again = ask(database, order(), again_after_s=0.0)
        assert (again.state, again.error) == (JobState.QUEUED, None)
        end(database, claimed(database), "no luck")
        assert ask(database, order("other files")).state == JobState.QUEUED
        end(database, claimed(database), "no luck")
        assert ask(database, order("other files"), again_after_s=None).state == JobState.QUEUED


class TestAClaim:
    def test_is_won_once(self, database: Database) -> None:
        """The second claim finds nothing; of two jobs the older one goes first, and only of its own kind."""
        with database.write() as session:
            download = Order(JobKind.DOWNLOAD, DatasetName.MNIST, {})
            dataset_jobs.ask(session, download, again_after_s=None)
        ask(database, order(place=1))
        ask(database, order(place=2))
        assert [claimed(database).arguments, claimed(database).arguments] == [{"place": 1}, {"place": 2}]
        assert claim(database) is None
        with database.read() as session:
            assert dataset_jobs.is_due(session, JobKind.DOWNLOAD)
            assert not dataset_jobs.is_due(session, JobKind.HISTOGRAMS)

    def test_of_a_worker_that_is_gone_passes_on(self, database: Database) -> None:
        """When the lease is over another worker has the job, and the older attempt can write nothing any more."""
        ask(database, order())
        lost = claimed(database, lease_s=-1.0)
        second = claimed(database)
        assert (second.job_id, second.attempt) == (lost.job_id, lost.attempt + 1)
        for write in (
            lambda session: dataset_jobs.finish(session, lost.job_id, lost.attempt, {}),
            lambda session: dataset_jobs.fail(session, lost.job_id, lost.attempt, "late"),
            lambda session: dataset_jobs.renew(session, lost.job_id, lost.attempt, LEASE_S),
            lambda session: dataset_jobs.set_progress(session, lost.job_id, lost.attempt, {}),
            lambda session: dataset_jobs.give_back(session, lost.job_id, lost.attempt, "late"),
            lambda session: dataset_jobs.load_claim(session, lost.job_id, lost.attempt),
        ):
            with pytest.raises(AttemptSuperseded), database.write() as session:
                write(session)
        end(database, second)
        assert ask(database, order()).result == {"answer": 2}

    def test_that_is_lost_again_and_again_fails(self, database: Database) -> None:
        """A job whose workers die three times in a row has failed, with a sentence."""
        ask(database, order())
        for _ in range(dataset_jobs.MAX_LOSSES):
            claimed(database, lease_s=-1.0)
        assert claim(database) is None
        job = ask(database, order())
        assert job.state == JobState.FAILED
        assert "lost 3 times" in (job.error or "")

    def test_that_is_given_back_waits_again(self, database: Database) -> None:
        """A worker that ends gives its job back, which is no fault of the job; a process that died is."""
        ask(database, order())
        for blameless in (True, True, True, False, False):
            job = claimed(database)
            with database.write() as session:
                dataset_jobs.give_back(session, job.job_id, job.attempt, "ended", blameless=blameless)
        job = claimed(database)
        with database.write() as session:
            dataset_jobs.give_back(session, job.job_id, job.attempt, "killed", blameless=False)
        assert (ask(database, order()).error or "").endswith("killed")

    def test_is_held_by_renewing(self, database: Database) -> None:
        """A renewed lease lasts, and progress is shown on the job."""
        with database.write() as session:
            dataset_jobs.ask(session, Order(JobKind.DOWNLOAD, DatasetName.MNIST, {}), again_after_s=None)
            job = dataset_jobs.claim(session, JobKind.DOWNLOAD, -1.0)
        assert job is not None
        with database.write() as session:
            dataset_jobs.renew(session, job.job_id, job.attempt, LEASE_S)
            dataset_jobs.set_progress(session, job.job_id, job.attempt, {"bytes_done": 5})
        with database.read() as session:
            assert not dataset_jobs.is_due(session, JobKind.DOWNLOAD)
            row = dataset_jobs.downloads(session)[DatasetName.MNIST]
            assert row.progress == {"bytes_done": 5}
            assert row.lease_until is not None
            assert row.lease_until > clock.now(session) + timedelta(seconds=LEASE_S / 2)
