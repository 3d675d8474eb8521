"""The data sets: which are here, fetching one, and what its pixels are like."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from backend import dataset_files
from backend.api.parameters import FORBIDDEN, Responses
from backend.api.schemas.datasets import DatasetInfo, DownloadInfo, Histograms, Pending, SplitHistogram
from backend.contract import DATASETS, DatasetName, DatasetSpec, JobKind, JobState, Network, Preprocessing
from backend.db import dataset_jobs
from backend.db.dataset_jobs import Order
from backend.db.side_models import DatasetJob
from backend.dependencies import LabDep
from backend.errors import DatasetNotHere, WorkFailed

router = APIRouter(prefix="/datasets", tags=["catalog"])

RETRY_AFTER_S = 60.0  # histograms that could not be made are tried again when they are asked for after this time
PENDING: Responses = {202: {"model": Pending}, **FORBIDDEN}


@router.get("")
def list_datasets(lab: LabDep) -> list[DatasetInfo]:
    """The data sets, which of their files are here, and how downloads go on."""
    with lab.database.read() as session:
        jobs = dataset_jobs.downloads(session)
    answer = []
    for spec in DATASETS.values():
        missing = dataset_files.missing(spec, lab.settings.datasets_dir)
        answer.append(
            DatasetInfo(
                name=spec.name,
                title=spec.title,
                train_images=spec.train_images,
                test_images=spec.test_images,
                height=spec.height,
                width=spec.width,
                channels=spec.channels,
                ready=not missing,
                folder=f"datasets/{spec.name}" if spec.files else None,
                missing=missing,
                download=_shown(spec, jobs.get(spec.name), ready=not missing),
            )
        )
    return answer


@router.post("/{name}/download", status_code=202, responses={200: {"model": DownloadInfo}})
def download_dataset(name: DatasetName, lab: LabDep, response: Response) -> DownloadInfo:
    """Let a worker fetch a data set: 202 while it has to, 200 where it is here already. Asking twice is one download.

    `GET /api/datasets` tells how it goes on.
    """
    spec = DATASETS[name]
    if not dataset_files.missing(spec, lab.settings.datasets_dir):
        response.status_code = 200
        files = len(spec.files)
        return DownloadInfo(
            state=JobState.DONE, file=None, number=files, files=files, bytes_done=0, bytes_total=None, error=None
        )
    with lab.database.write() as session:
        job = dataset_jobs.ask(session, Order(JobKind.DOWNLOAD, name, {}), again_after_s=None)
    lab.notifier.changed()
    return _download_info(spec, job)


@router.get("/{name}/histograms", responses=PENDING)
def get_histograms(
    name: DatasetName,
    lab: LabDep,
    response: Response,
    preprocessing: Annotated[Preprocessing, Query()] = Preprocessing.RAW,
    network: Annotated[Network, Query(description="conv7 takes images resized to 32x32 pixels.")] = Network.CONV7,
    own_statistics: Annotated[bool, Query(description="Preprocess test images by statistics of their own.")] = False,
) -> Histograms | Pending:
    """How the pixels are distributed, before and after preprocessing; 202 until a worker has counted them."""
    spec = DATASETS[name]
    if missing := dataset_files.missing(spec, lab.settings.datasets_dir):
        raise DatasetNotHere(
            f"{spec.title} is not here: {', '.join(missing)} must be in datasets/{name} of the data folder. "
            f"Download it, or put the files there."
        )
    arguments = {"preprocessing": preprocessing.value, "network": network.value, "own_statistics": own_statistics}
    order = Order(JobKind.HISTOGRAMS, name, arguments, dataset_files.fingerprint(spec, lab.settings.datasets_dir))
    with lab.database.read() as session:
        result = dataset_jobs.find_result(session, order)
    if result is None:
        with lab.database.write() as session:
            job = dataset_jobs.ask(session, order, again_after_s=RETRY_AFTER_S)
        if job.state == JobState.FAILED:
            raise WorkFailed(job.error or "The histograms could not be made.")
        response.status_code = 202
        return Pending(state=JobState(job.state))
    return Histograms(
        dataset=name,
        preprocessing=preprocessing,
        network=network,
        own_statistics=own_statistics,
        splits=[SplitHistogram(**split) for split in result["splits"]],
    )


def _shown(spec: DatasetSpec, job: DatasetJob | None, *, ready: bool) -> DownloadInfo | None:
    """The download, unless what it came to is no longer so: files can be put there, and taken away, by hand."""
    if job is None or (job.state == JobState.FAILED and ready) or (job.state == JobState.DONE and not ready):
        return None
    return _download_info(spec, job)


def _download_info(spec: DatasetSpec, job: DatasetJob) -> DownloadInfo:
    progress = job.progress or {}
    return DownloadInfo(
        state=JobState(job.state),
        file=progress.get("file"),
        number=progress.get("number", 0),
        files=len(spec.files),
        bytes_done=progress.get("bytes_done", 0),
        bytes_total=progress.get("bytes_total"),
        error=job.error,
    )
