"""Names under which processes reach each other through Redis. Messages are hints: the database is the truth."""

TRAIN_RUN_TASK = "train_run"  # argument: the run's id, all else is read from the database
TRAIN_QUEUE = "cpu"  # one queue for each kind of device
CHANGED_CHANNEL = "lab:changed"  # "something about a run changed", never what
