"""Work on a data set that a worker does for whoever asks; it belongs to no run."""

from enum import StrEnum


class JobKind(StrEnum):
    """What there is to do."""

    DOWNLOAD = "download"
    HISTOGRAMS = "histograms"


class JobState(StrEnum):
    """How far it is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
