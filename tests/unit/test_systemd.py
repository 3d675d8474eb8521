import re
import shutil
import subprocess
import sys
from pathlib import Path

from backend.launcher import real_parts
from backend.settings import Settings

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "backprop-lab-worker.service"
GUIDE = (ROOT / "docs" / "operation.md").read_text()


class TestTheUnit:
    """The systemd unit of a worker on a host of its own, and the page that tells how to install it."""

    def test_starts_what_the_launcher_starts(self) -> None:
        """Its command is that of the worker on one machine, from the environment that `make run` makes."""
        (command,) = re.findall(r"^ExecStart=(.*)$", UNIT.read_text(), re.MULTILINE)
        program, *words = command.split()
        assert words == list(real_parts(Settings()).worker)[1:]
        assert program == "/opt/backprop-lab/.venv/bin/python"

    def test_names_settings_that_there_are(self) -> None:
        """Each setting in unit and guide is a field of the settings."""
        known = {f"LAB_{name.upper()}" for name in Settings.model_fields}
        assert set(re.findall(r"\bLAB_[A-Z_]+", UNIT.read_text() + GUIDE)) <= known

    def test_gives_runs_the_time_to_save(self) -> None:
        """It waits longer than the worker gives its runs."""
        (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.MULTILINE)
        assert int(seconds) >= 2 * Settings().stop_grace_s + 5

    def test_is_one_that_systemd_takes(self, tmp_path: Path) -> None:
        """Where systemd is installed, it finds nothing wrong but that the project is not in /opt."""
        if shutil.which("systemd-analyze") is None:
            return
        unit = tmp_path / UNIT.name
        unit.write_text(UNIT.read_text().replace("/opt/backprop-lab/.venv/bin/python", sys.executable))
        done = subprocess.run(["systemd-analyze", "verify", unit], check=False, capture_output=True, text=True)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")

    def test_is_what_the_guide_installs(self) -> None:
        """The guide links to the unit, and to nothing that is not there."""
        links = re.findall(r"\]\(([^)#]+)\)", GUIDE)
        assert f"../deploy/{UNIT.name}" in links
        assert all((ROOT / "docs" / link).exists() for link in links)
