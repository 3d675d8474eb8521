import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("reason", "ci", "status"),
    [
        ("needs a GPU", "true", 0),
        ("this CPU has no bfloat16", "true", 0),
        ("chromium is not installed", "true", 1),
        ("chromium is not installed", "", 0),
    ],
)
def test_a_skip_in_ci_counts_as_failed_unless_hardware_is_missing(
    tmp_path: Path, reason: str, ci: str, status: int
) -> None:
    """A skipped test fails the CI run, and is listed, unless its reason names hardware that is not there."""
    (tmp_path / "test_it.py").write_text(f"import pytest\ndef test_it():\n    pytest.skip({reason!r})\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "tests.conftest",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            tmp_path,
            tmp_path,
        ],
        cwd=ROOT,
        env=os.environ | {"CI": ci},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == status, done.stdout + done.stderr
    listed = f"Skipped in CI, which counts as failed: test_it.py::test_it: Skipped: {reason}"
    assert (listed in done.stdout) == (status == 1)
