import pytest

from backend.contract import CheckpointFile, RunStatus, TrainConfig
from backend.db import checkpoints, epochs, launches, lifecycle, runs
from backend.db.engine import Database
from backend.db.lifecycle import BRANCH, REPRODUCTION, Claim
from backend.db.runs import Origin
from backend.errors import AttemptSuperseded, NotFound, StepNotAllowed
from tests.builders import add_run, claim_run, epoch_report, start_run


def checkpoint(epochs_done: int, batch: int = 0, attempt: int = 1) -> CheckpointFile:
    """A checkpoint file that need not be there."""
    name = f"epoch-{epochs_done}-batch-{batch}-attempt-{attempt}.npz"
    return CheckpointFile(name, epochs_done, batch, 1000, "f" * 64, "0" * 64)


def train(database: Database, claim: Claim, accuracies: list[float]) -> None:
    """Store an epoch with a checkpoint for each accuracy."""
    for number, accuracy in enumerate(accuracies):
        with database.write() as session:
            checkpoints.add(session, claim.run_id, claim.attempt, checkpoint(number + 1))
            epochs.append(session, claim.run_id, claim.attempt, epoch_report(number, test_accuracy=accuracy))


def kept(database: Database, run_id: int) -> list[tuple[int, int]]:
    """Epochs and batches of the checkpoints that are noted, the furthest first."""
    with database.read() as session:
        return [(row.epochs_done, row.batch) for row in checkpoints.newest_first(session, run_id)]


def add_child(database: Database, parent_id: int, relation: str, start_epoch: int) -> int:
    """A run that came from another."""
    with database.write() as session:
        launch = launches.add(session, None, "1" * 64)
        origin = Origin(parent_id, relation, start_epoch)
        return runs.add(session, launch, TrainConfig(), "child", [], 0, origin).id


class TestRetention:
    def test_keeps_the_last_the_best_and_every_so_many(self, database: Database) -> None:
        """Of eleven epochs, the second best of all, the last two and every fifth are kept, and the others named."""
        claim = start_run(database, add_run(database))
        train(database, claim, [0.5, 0.9, 0.6, 0.7, 0.6, 0.5, 0.6, 0.7, 0.6, 0.5, 0.6])
        with database.write() as session:
            dropped = checkpoints.prune(session, claim.run_id, keep_last=2, keep_every=5)
        assert kept(database, claim.run_id) == [(11, 0), (10, 0), (5, 0), (2, 0)]
        assert set(dropped) == {checkpoint(number).name for number in (1, 3, 4, 6, 7, 8, 9)}

    def test_keeps_one_from_the_midst_of_an_epoch_while_it_is_the_furthest(self, database: Database) -> None:
        """A checkpoint within an epoch goes once the epoch is done, and before that counts beside the last ones."""
        claim = start_run(database, add_run(database))
        train(database, claim, [0.5, 0.6, 0.7])
        with database.write() as session:
            checkpoints.add(session, claim.run_id, claim.attempt, checkpoint(3, batch=7))
            checkpoints.prune(session, claim.run_id, keep_last=1, keep_every=0)
        assert kept(database, claim.run_id) == [(3, 7), (3, 0)]
        with database.write() as session:
            checkpoints.add(session, claim.run_id, claim.attempt, checkpoint(4))
            epochs.append(session, claim.run_id, claim.attempt, epoch_report(3, test_accuracy=0.9))
            checkpoints.prune(session, claim.run_id, keep_last=1, keep_every=0)
        assert kept(database, claim.run_id) == [(4, 0)]

    def test_keeps_what_a_branch_began_with(self, database: Database) -> None:
        """The state that a child run names outlives every rule."""
        claim = start_run(database, add_run(database))
        train(database, claim, [0.1, 0.2, 0.3, 0.4, 0.5])
        add_child(database, claim.run_id, BRANCH, 2)
        with database.write() as session:
            checkpoints.prune(session, claim.run_id, keep_last=1, keep_every=0)
        assert kept(database, claim.run_id) == [(5, 0), (2, 0)]

    def test_belongs_to_the_attempt_that_holds_the_run(self, database: Database) -> None:
        """An older attempt notes no checkpoint."""
        claim = start_run(database, add_run(database))
        with database.write() as session:
            lifecycle.give_back(session, claim.run_id, claim.attempt, "lost")
        claim_run(database, claim.run_id)
        with pytest.raises(AttemptSuperseded), database.write() as session:
            checkpoints.add(session, claim.run_id, claim.attempt, checkpoint(1))

    def test_notes_once_what_comes_twice(self, database: Database) -> None:
        """A commit that is tried again, because its answer was lost, adds nothing."""
        claim = start_run(database, add_run(database))
        for _ in range(2):
            with database.write() as session:
                checkpoints.add(session, claim.run_id, claim.attempt, checkpoint(1))
        assert kept(database, claim.run_id) == [(1, 0)]

    def test_looks_no_further_than_asked(self, database: Database) -> None:
        """For a branch only states up to its epoch are offered, and none of another run."""
        claim = start_run(database, add_run(database))
        train(database, claim, [0.1, 0.2, 0.3])
        with database.write() as session:
            checkpoints.add(session, claim.run_id, claim.attempt, checkpoint(2, batch=5))
            rows = checkpoints.newest_first(session, claim.run_id, most_epochs=2)
            assert [(row.epochs_done, row.batch) for row in rows] == [(2, 0), (1, 0)]
            other = add_run(database) if database.dialect_name == "postgresql" else claim.run_id + 1
            with pytest.raises(NotFound):
                checkpoints.load(session, other, rows[0].id)


class TestLineage:
    def test_a_branch_begins_where_its_parent_was(self, database: Database) -> None:
        """Its first own epoch is the one after; its claim names parent and epoch, and a reproduction's the same."""
        claim = start_run(database, add_run(database))
        train(database, claim, [0.1, 0.2, 0.3])
        child_id = add_child(database, claim.run_id, BRANCH, 2)
        again_id = add_child(database, child_id, REPRODUCTION, 2)
        for run_id in (child_id, again_id):
            child = start_run(database, run_id)
            assert (child.parent_id, child.start_epoch) == (claim.run_id, 2)
            with pytest.raises(ValueError, match="epoch 2 was due"), database.write() as session:
                epochs.append(session, run_id, child.attempt, epoch_report(3))
            with database.write() as session:
                assert epochs.append(session, run_id, child.attempt, epoch_report(2))

    def test_a_parent_is_not_removed_before_its_children(self, database: Database) -> None:
        """Whoever came from a run is removed first."""
        claim = start_run(database, add_run(database))
        train(database, claim, [0.1, 0.2])
        with database.write() as session:
            lifecycle.finish(session, claim.run_id, claim.attempt)
        child_id = add_child(database, claim.run_id, BRANCH, 1)
        with pytest.raises(StepNotAllowed, match=f"run {child_id}"), database.write() as session:
            runs.remove(session, claim.run_id)
        with database.write() as session:
            lifecycle.ask_stop(session, child_id)
        with database.write() as session:
            runs.remove(session, child_id)
        with database.write() as session:
            runs.remove(session, claim.run_id)
        assert kept(database, claim.run_id) == []

    def test_a_reproduction_tells_the_first_difference(self, database: Database) -> None:
        """Two runs are compared as far as both have come; the first epoch with another hash or figure is found."""
        parent = start_run(database, add_run(database))
        train(database, parent, [0.1, 0.2, 0.3, 0.4])
        again = start_run(database, add_child(database, parent.run_id, REPRODUCTION, 0))
        train(database, again, [0.1, 0.2])
        with database.read() as session:
            assert epochs.first_difference(session, again.run_id, parent.run_id) == (2, None, None)
        with database.write() as session:
            epochs.append(session, again.run_id, again.attempt, epoch_report(2, test_accuracy=0.31))
        with database.read() as session:
            compared, one, other = epochs.first_difference(session, again.run_id, parent.run_id)
            assert one is not None
            assert other is not None
            assert (compared, one.number, other.number) == (3, 2, 2)
            assert runs.load(session, again.run_id).status is RunStatus.RUNNING
