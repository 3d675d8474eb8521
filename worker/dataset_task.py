"""The process of one attempt at work on a data set: `python -m worker.dataset_task JOB ATTEMPT`.

It reads images with NumPy alone, at low priority, and ends when its standard input does: then its worker is gone.
"""

import logging
import os
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from backend.contract import DATASETS, DatasetName, DatasetSpec, JobKind, Network, Preprocessing
from backend.db import dataset_jobs
from backend.db.dataset_jobs import JobClaim
from backend.db.engine import Database
from backend.errors import AttemptSuperseded, LabError
from backend.notifier import RedisNotifier
from backend.settings import Settings
from worker.datasets.download import HTTPS, Transferred
from worker.datasets.histograms import histograms
from worker.datasets.load import fetch, read

log = logging.getLogger(__name__)

EXIT_SUPERSEDED = 3
EXIT_LEASH_CUT = 4
NICENESS = 10  # runs come first


class Work:
    """One job in the hands of this process.

    Args:
        claim: what to do.
        database: holds the job.
        settings: say where the data sets are.
        datasets: what is known of each.
        schemes: of the addresses that may be asked for files.
    """

    def __init__(
        self,
        claim: JobClaim,
        database: Database,
        settings: Settings,
        datasets: Mapping[DatasetName, DatasetSpec],
        schemes: frozenset[str],
    ) -> None:
        self._claim = claim
        self._database = database
        self._folder = settings.datasets_dir
        self._spec = datasets[claim.dataset]
        self._schemes = schemes

    def result(self) -> dict[str, Any]:
        """Do the work; what came of it, as JSON can hold it.

        Raises:
            RunFailure: it can't be done; the sentence says why.
        """
        return self._download() if self._claim.kind is JobKind.DOWNLOAD else self._histograms()

    def _download(self) -> dict[str, Any]:
        fetch(self._spec, self._folder, log.info, self._count, self._schemes)
        return {}

    def _histograms(self) -> dict[str, Any]:
        arguments = self._claim.arguments
        train, test = read(self._spec, self._folder, log.info)
        network, preprocessing = Network(arguments["network"]), Preprocessing(arguments["preprocessing"])
        own_statistics = bool(arguments["own_statistics"])
        found = histograms(train, test, network, preprocessing, own_statistics=own_statistics)
        return {"splits": [asdict(one) for one in found]}

    def _count(self, transferred: Transferred) -> None:
        names = [file.name for file in self._spec.files]
        progress = {
            "file": transferred.file,
            "number": names.index(transferred.file) + 1,
            "files": len(names),
            "bytes_done": transferred.bytes_done,
            "bytes_total": transferred.bytes_total,
        }
        try:
            with self._database.write() as session:
                dataset_jobs.set_progress(session, self._claim.job_id, self._claim.attempt, progress)
        except SQLAlchemyError as error:  # the next one replaces it; no download breaks off for it
            log.warning("How far the download is could not be stored: %s", error)


def main(
    job_id: int,
    attempt: int,
    datasets: Mapping[DatasetName, DatasetSpec] = DATASETS,
    schemes: frozenset[str] = HTTPS,
) -> int:
    """Do the work, and give the exit code; whatever came of it is stored first."""
    os.nice(NICENESS)
    threading.Thread(target=_hold_leash, name="leash", daemon=True).start()
    settings = Settings()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    database = Database(settings.resolved_database_url)
    try:
        with database.read() as session:
            claim = dataset_jobs.load_claim(session, job_id, attempt)
        result, error = _outcome(Work(claim, database, settings, datasets, schemes))
        with database.write() as session:
            if error is None:
                dataset_jobs.finish(session, job_id, attempt, result)
            else:
                dataset_jobs.fail(session, job_id, attempt, error)
    except AttemptSuperseded as superseded:
        log.warning("%s", superseded)
        return EXIT_SUPERSEDED
    finally:
        database.close()
    RedisNotifier(settings.redis_url).changed()
    return 0


def _outcome(work: Work) -> tuple[dict[str, Any], str | None]:
    """What came of the work, and the sentence that says why nothing did."""
    try:
        return work.result(), None
    except AttemptSuperseded:
        raise
    except LabError as error:
        log.error("%s", error)  # noqa: TRY400  (a sentence for the user; the place in the code says nothing more)
        return {}, str(error)
    except Exception as error:  # noqa: BLE001  (any error ends the job, and its sentence must reach the page)
        traceback.print_exc()
        return {}, f"{type(error).__name__}: {str(error)[:1000]}"


def _hold_leash() -> None:
    # Past the buffer of sys.stdin: its lock, held by this thread, would abort the interpreter at its end.
    while os.read(sys.stdin.fileno(), 1):
        pass
    # Nobody renews the lease any more: another attempt will hold the job.
    os._exit(EXIT_LEASH_CUT)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
