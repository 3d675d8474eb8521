import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("reason", "ci", "status", "shared"),
    [
        ("needs a GPU", "true", 0, ["-n", "1"]),
        ("this CPU has no bfloat16", "true", 0, []),
        ("chromium is not installed", "true", 1, []),
        ("chromium is not installed", "", 0, []),
        ("chromium is not installed", "true", 1, ["-n", "1"]),
    ],
)
def test_a_skip_in_ci_counts_as_failed_unless_hardware_is_missing(
    tmp_path: Path, reason: str, ci: str, status: int, shared: list[str]
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
            *shared,
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


@pytest.mark.parametrize("shared", [[], ["-n", "1"]], ids=["one process", "shared"])
def test_what_was_measured_stands_at_the_end(tmp_path: Path, shared: list[str]) -> None:
    """A figure that a test gives is listed, whether it passed or failed, and whichever process ran it."""
    (tmp_path / "test_it.py").write_text(
        "def test_good(figure):\n    figure('5 ms')\ndef test_bad(figure):\n    figure('9 ms')\n    assert False\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", *shared]
    done = subprocess.run(
        [*command, "--rootdir", tmp_path, tmp_path], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert [line for line in done.stdout.splitlines() if line.startswith("measured: ")] == [
        "measured: 5 ms",
        "measured: 9 ms",
    ]
