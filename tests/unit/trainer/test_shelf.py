from pathlib import Path

import pytest

from backend.db.lifecycle import Claim
from backend.settings import Settings
from tests.unit.trainer.builders import CONFIG, images_and_labels
from worker.checkpoints import Shelf
from worker.trainer import TrainerState, first_state


@pytest.fixture
def state() -> TrainerState:
    """A run before its first batch."""
    return first_state(CONFIG, images_and_labels())


def shelf(folder: Path, attempt: int = 1) -> Shelf:
    return Shelf(Claim(7, attempt, 1, CONFIG, None, 0), Settings(data_dir=folder))


class TestShelf:
    def test_holds_a_state_once(self, tmp_path: Path, state: TrainerState) -> None:
        """A run that is stopped between two epochs has just saved that state: it is not written again."""
        here = shelf(tmp_path)
        first = here.save(state)
        assert first is not None
        assert here.save(state) is None
        assert here.save(state.next_epoch()) is not None

    def test_gives_attempts_files_of_their_own(self, tmp_path: Path, state: TrainerState) -> None:
        """An attempt that is taken for dead, and is not, never writes into a file of the one that followed."""
        files = [shelf(tmp_path, attempt).save(state) for attempt in (1, 2)]
        assert len({file.name for file in files if file}) == 2
        folder = tmp_path / "runs" / "7" / "checkpoints"
        assert {path.name for path in folder.iterdir()} == {file.name for file in files if file}

    def test_tidies_up_after_earlier_attempts_only(self, tmp_path: Path, state: TrainerState) -> None:
        """An attempt that slept while the next one trained deletes none of that one's files, whatever it knows."""
        first, second = [shelf(tmp_path, attempt).save(state) for attempt in (1, 2)]
        assert first is not None
        assert second is not None
        folder = tmp_path / "runs" / "7" / "checkpoints"
        (folder / f"{first.name}.part").touch()
        shelf(tmp_path, 1).tidy([])
        assert {path.name for path in folder.iterdir()} == {first.name, f"{first.name}.part", second.name}
        shelf(tmp_path, 2).tidy([])
        assert {path.name for path in folder.iterdir()} == {second.name}
        shelf(tmp_path, 3).tidy([second.name])
        assert {path.name for path in folder.iterdir()} == {second.name}

    def test_clears_what_is_named_and_no_more(self, tmp_path: Path, state: TrainerState) -> None:
        """Files of checkpoints that are no longer kept go, also where one is gone already."""
        here = shelf(tmp_path)
        first, second = here.save(state), here.save(state.next_epoch())
        assert first is not None
        assert second is not None
        here.clear([first.name, "gone.npz"])
        assert [path.name for path in (tmp_path / "runs" / "7" / "checkpoints").iterdir()] == [second.name]
