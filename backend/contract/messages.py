"""Names under which processes reach each other through Redis. Messages are hints: the database is the truth."""

TRAIN_RUN_TASK = "train_run"  # argument: a run's id; whoever hears it takes the best run that waits
TRAIN_QUEUES = ("cpu", "gpu")  # one for each kind of device; a worker listens where it offers one
CHANGED_CHANNEL = "lab:changed"  # "something about a run changed", never what
