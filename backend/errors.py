"""What can go wrong, named after what went wrong. Nothing here knows of HTTP; the API has one table for that.

LabError
|- BadRequest            the request's words are off: the message quotes them and says what would do
|  |- BadFilter
|  '- BadCursor
|- NotFound
|  |- RunNotFound
|  |- WorkerNotFound
|  '- FigureNotFound
|- StepNotAllowed        the run's state forbids it
|- DatasetNotHere        a data set's files must be fetched first
|- WorkFailed            what a worker was asked to compute can't be computed
|- KeyReused             an idempotency key came back with another request
|- TooManyStreams        as many pages follow the service as it serves at once
|- DatabaseUnusable      its file is damaged, or lies where it would be: the service does not start
|- AttemptSuperseded     another attempt owns the run now: the writer must end
'- RunFailure            the run can't go on, and trying again would not help; the message is shown beside it
|- DatasetMissing
|- DatasetDamaged
|- DownloadFailed
|- CheckpointDamaged
|- CheckpointNotWritten
|- NotReproducible
'- TrainingDiverged
"""


class LabError(Exception):
    """Any error whose message is written for the user."""


class BadRequest(LabError):
    """The request can't be read as meant."""


class BadFilter(BadRequest):
    """A filter that the grammar does not know."""


class BadCursor(BadRequest):
    """A paging cursor that this service did not make."""


class NotFound(LabError):
    """What was asked for does not exist."""


class RunNotFound(NotFound):
    """No run has this id."""


class WorkerNotFound(NotFound):
    """No worker has this id."""


class FigureNotFound(NotFound):
    """No figure has this name."""


class StepNotAllowed(LabError):
    """The run's state forbids what was asked."""


class DatasetNotHere(LabError):
    """A data set must be downloaded, or put into its folder, before this can be asked."""


class WorkFailed(LabError):
    """A worker could not do what was asked; the message says why."""


class KeyReused(LabError):
    """The idempotency key belongs to a different request."""


class TooManyStreams(LabError):
    """No more pages can follow what changes at once."""


class DatabaseUnusable(LabError):
    """The database's file can't be trusted: it is damaged, or lies on a network file system."""


class AttemptSuperseded(LabError):
    """A newer attempt owns the run, or the run has ended: nothing was written."""


class RunFailure(LabError):
    """The run can't go on, and another attempt would end the same way."""


class DatasetMissing(RunFailure):
    """A data set's file is not there and can't be fetched."""


class DatasetDamaged(RunFailure):
    """A data set's file is not what it should be."""


class DownloadFailed(RunFailure):
    """A data set's file could not be fetched whole."""


class CheckpointDamaged(RunFailure):
    """A checkpoint is not what was written."""


class CheckpointNotWritten(RunFailure):
    """A checkpoint has no place on the disk."""


class NotReproducible(RunFailure):
    """What was computed again is not what was computed before."""


class TrainingDiverged(RunFailure):
    """A cost, a gradient or a weight became infinite or not a number.

    Args:
        message: the sentence for the user.
        autopsy: what was found where, as JSON can hold it.
    """

    def __init__(self, message: str, autopsy: dict[str, object] | None = None) -> None:
        super().__init__(message)
        self.autopsy = autopsy or {}
