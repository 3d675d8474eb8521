"""No room on the disk, for a checkpoint or for anything at all."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.faults.conftest import Note
from tests.faults.lab import PATIENCE_S, QUICK, EpochFact, Lab, until, wrongs
from tests.faults.test_clock_jumps import INSIDE
from tests.service import Service

SIZE_MB = 64
WIDE = QUICK | {"network": "mlp", "width": 512, "train_images": 1400}  # checkpoints of some megabytes


def _files_that_do_not_count(lab: Lab, run_id: int) -> set[str]:
    """Names in the run's folder that no row has; every row's file must be there and as long as it says."""
    folder = lab.service.folder / "runs" / str(run_id) / "checkpoints"
    rows = lab.facts().checkpoints[run_id]
    assert all((folder / row.name).stat().st_size == row.size for row in rows)
    return {path.name for path in folder.iterdir()} - {row.name for row in rows}


class TestADiskWithoutRoomForACheckpoint:
    @pytest.mark.timeout(600)
    def test_fails_the_run_in_a_sentence_and_keeps_the_last_good_one(
        self, tmp_path: Path, twins: dict[int, list[EpochFact]], note: Note
    ) -> None:
        """The run fails and says why; nothing half-written is left; with room again it goes on after its last epoch."""
        full = tmp_path / "full"
        settings = {"LAB_THREADS": "1", "LAB_SLOTS": "1", "PYTHONPATH": str(INSIDE), "FAULTS_DISK": str(full)}
        with Lab(Service(tmp_path / "data", settings)).running() as lab:
            run_id = lab.launch("first", QUICK)
            until(lambda: len(lab.facts().epochs[run_id]) >= 2)
            full.touch()
            run = lab.service.wait_for(run_id, "failed", "finished", timeout_s=PATIENCE_S)
            assert run["status"] == "failed"
            assert run["error"].endswith("can't be written: No space left on device.")
            facts = lab.facts()
            done = len(facts.epochs[run_id])
            assert [row.epochs_done for row in facts.checkpoints[run_id]][-1] == done
            assert _files_that_do_not_count(lab, run_id) == set()
            full.unlink()
            answer = lab.service.client.post(f"/api/runs/{run_id}/retry", json={"from_checkpoint": True})
            again = answer.json()["id"]
            lab.service.wait_for(again, "finished", timeout_s=PATIENCE_S)
            rows = lab.facts().epochs[again]
        assert [(n, rows[n].state_hash) for n in sorted(rows)] == [
            (n, twins[0][n].state_hash) for n in range(done, QUICK["epochs"])
        ]
        note("no room for a checkpoint after some epochs", "a sentence", run["error"].partition(": ")[2])
        note("  retried from its last good checkpoint", "same bits", f"epochs {done} to {QUICK['epochs'] - 1} equal")


@pytest.mark.long
class TestADiskThatIsFull:
    @pytest.fixture
    def small_disk(self, tmp_path: Path) -> Iterator[Path]:
        """A file system of its own, of some megabytes."""
        folder = tmp_path / "disk"
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(folder)]
        if subprocess.run(mount, check=False, capture_output=True).returncode:
            pytest.skip("only root can mount a file system of its own")
        yield folder
        subprocess.run(["umount", "--lazy", str(folder)], check=True)

    @pytest.mark.timeout(600)
    def test_stops_nobody_for_good(self, small_disk: Path, twins: dict[int, list[EpochFact]], note: Note) -> None:
        """Full to the last byte: the service stays up and refuses in order; with room again everything goes on."""
        ballast = small_disk / "ballast"
        lab = Lab(Service(small_disk / "data", {"LAB_THREADS": "1", "LAB_LEASE_S": "3"}))
        with lab.running():
            wide = lab.launch("wide", WIDE | {"epochs": 1000})
            until(lambda: len(lab.facts().epochs[wide]) >= 2)
            _fill(ballast, leave=1_000_000)
            run = lab.service.wait_for(wide, "failed", timeout_s=PATIENCE_S)
            assert run["error"].endswith("can't be written: No space left on device.")
            assert _files_that_do_not_count(lab, wide) == set()
            ballast.unlink()
            quick = lab.launch("quick", QUICK | {"seed": 1})
            until(lambda: len(lab.facts().epochs[quick]) >= 1)
            _fill(ballast, leave=0)
            refused = httpx2.post(f"{lab.service.url}/api/runs", json={"config": QUICK}, timeout=60)
            assert refused.status_code >= 500
            assert lab.service.client.get("/api/health/live").status_code == 200
            ballast.unlink()
            another = lab.launch("another", QUICK)
            lab.wait_until_all_ended()
            facts = lab.facts()
            facts.runs.pop(wide)
            lost = facts.runs[quick].status == "failed"
            if lost:  # its checkpoint came to the full disk first
                assert (facts.runs.pop(quick).error or "").endswith("No space left on device.")
            assert list(wrongs(facts, twins)) == []
            assert facts.runs[another].status == "finished"
        note(
            f"a disk of {SIZE_MB} MB, full to the last byte",
            "stays up, goes on",
            f"launch refused with {refused.status_code}; "
            f"the run under way {'failed in a sentence' if lost else 'went on'}; a new one finished",
        )


def _fill(ballast: Path, leave: int) -> None:
    """Take all room but so many bytes."""
    subprocess.run(["dd", "if=/dev/zero", f"of={ballast}", "bs=4096"], check=False, capture_output=True)
    if leave:
        with ballast.open("rb+") as file:
            file.truncate(ballast.stat().st_size - leave)
