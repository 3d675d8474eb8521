"""The process of a data set job, for tests: MNIST's files are those of a JSON file, and plain HTTP may be asked."""

import json
import sys
from pathlib import Path

from backend.contract import DATASETS, DatasetFile, DatasetName
from worker import dataset_task


def main(path: str, job_id: str, attempt: str) -> int:
    """Do the job with the files that the JSON file names."""
    files = tuple(DatasetFile.model_validate(entry) for entry in json.loads(Path(path).read_text()))
    mnist = DATASETS[DatasetName.MNIST].model_copy(update={"files": files})
    datasets = {**DATASETS, DatasetName.MNIST: mnist}
    return dataset_task.main(int(job_id), int(attempt), datasets, frozenset({"http"}))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
