import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from backend.launcher import real_parts
from backend.settings import Settings

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "backprop-lab-worker.service"
GUIDE = (ROOT / "docs" / "operation.md").read_text()

# What systemd.unit(5), systemd.service(5), systemd.exec(5) and systemd.kill(5) say of the directives in use, and of
# those that are likely to be added: the pattern that a value, or each of its words, must match.
_YES_NO, _TIME, _PATH, _WORD = "yes|no|true|false|on|off|1|0", r"\d+(ms|s|min|h)?|infinity", r"-?/\S+", r"\S+"
_UNIT_NAME = r"[\w@.:-]+\.(target|service|mount|socket)"
KINDS = {
    "Unit": {
        "Description": ".+",
        "Documentation": r"(file:/|https://|man:)\S+",
        **dict.fromkeys(("Wants", "After", "Before", "Requires", "PartOf"), _UNIT_NAME),
        "RequiresMountsFor": _PATH,
        "StartLimitIntervalSec": _TIME,
        "StartLimitBurst": r"\d+",
    },
    "Service": {
        "Type": "simple|exec|notify|oneshot|forking|dbus|idle",
        "User": r"[a-z_][a-z0-9_-]*",
        "Group": r"[a-z_][a-z0-9_-]*",
        **dict.fromkeys(("WorkingDirectory", "EnvironmentFile", "ReadWritePaths", "ReadOnlyPaths"), _PATH),
        "Environment": r"\w+=\S*",
        "ExecStart": ".+",
        "StateDirectory": r"[\w./-]+",
        "Restart": "no|always|on-success|on-failure|on-abnormal|on-abort|on-watchdog",
        **dict.fromkeys(("RestartSec", "TimeoutStopSec", "TimeoutStartSec"), _TIME),
        "KillMode": "control-group|mixed|process|none",
        "KillSignal": r"SIG[A-Z]+",
        "OOMPolicy": "continue|stop|kill",
        "OOMScoreAdjust": r"-?\d{1,4}",
        "Nice": r"-?\d{1,2}",
        "CapabilityBoundingSet": r"~?CAP_[A-Z_]+",
        "ProtectSystem": f"strict|full|{_YES_NO}",
        "ProtectHome": f"read-only|tmpfs|{_YES_NO}",
        **dict.fromkeys(
            (
                *("NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectKernelTunables", "ProtectKernelModules"),
                *("ProtectControlGroups", "ProtectClock", "RestrictSUIDSGID", "RestrictRealtime", "LockPersonality"),
            ),
            _YES_NO,
        ),
        "RestrictAddressFamilies": "~?AF_(UNIX|INET6?|NETLINK|PACKET)|none",
        "LimitNOFILE": r"\d+(:\d+)?|infinity",
    },
    "Install": {**dict.fromkeys(("WantedBy", "RequiredBy"), _UNIT_NAME), "Alias": _UNIT_NAME},
}
# Those whose value is one text; all others are lists of words.
_WHOLE = frozenset({"Description", "ExecStart"})
_REPEATABLE = frozenset({"Environment", "EnvironmentFile", "After", "Wants", "ReadWritePaths"})


def directives_of(text: str) -> list[tuple[str, str, str]]:
    """Section, name and value of each directive of a unit. Raises ValueError for a line that is none."""
    section, directives = None, []
    for number, line in enumerate(text.replace("\\\n", " ").splitlines(), 1):
        if not line.strip() or line.startswith(("#", ";")):
            continue
        if heading := re.fullmatch(r"\[(\w+)\]", line):
            section = heading[1]
        elif section is not None and (found := re.fullmatch(r"([A-Z]\w*)=(.*)", line)):
            directives.append((section, found[1], found[2].strip()))
        else:
            raise ValueError(f"{line!r} in line {number} is no section, no comment and no directive of one.")
    return directives


def wrong_values(directives: Sequence[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """Names and words of the known directives that systemd would refuse, or that are given twice."""
    wrong = []
    for section, name, value in directives:
        kind = KINDS.get(section, {}).get(name, _WORD)
        words = [value] if name in _WHOLE else value.split()
        wrong += [(name, word) for word in words if not re.fullmatch(kind, word)]
    counts = Counter(name for _, name, _ in directives if name not in _REPEATABLE)
    return wrong + [(name, "given twice") for name, count in counts.items() if count > 1]


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

    def test_has_sections_and_directives_that_systemd_knows(self) -> None:
        """Each line is a directive of its section as its manual names it, given once, with a value of its kind."""
        directives = directives_of(UNIT.read_text())
        assert [section for section, _, _ in directives if section not in KINDS] == []
        assert [(section, name) for section, name, _ in directives if name not in KINDS[section]] == []
        assert wrong_values(directives) == []
        assert {"ExecStart", "User", "Restart", "WantedBy"} <= {name for _, name, _ in directives}

    @pytest.mark.parametrize(
        ("line", "wrong"),
        [
            ("Restart=allways", [("Restart", "allways")]),
            ("TimeoutStopSec=soon", [("TimeoutStopSec", "soon")]),
            ("PrivateTmp=si", [("PrivateTmp", "si")]),
            ("User=lab", [("User", "given twice")]),
            ("RestrictAddressFamilies=AF_INTERNET", [("RestrictAddressFamilies", "AF_INTERNET")]),
        ],
    )
    def test_is_checked_for_mistakes(self, line: str, wrong: list[tuple[str, str]]) -> None:
        """A word that is misspelt, a number that is none and a line too many are seen."""
        text = UNIT.read_text().replace("[Install]", f"{line}\n\n[Install]")
        found = wrong_values([entry for entry in directives_of(text) if entry[1] != line.partition("=")[0]])
        assert found == []
        assert set(wrong) <= set(wrong_values(directives_of(text)))

    def test_has_nothing_but_directives(self) -> None:
        """A line that is no section, comment or directive is refused, and so is one before the first section."""
        for text in ("[Service]\nUser lab\n", "User=lab\n", "[Service\nUser=lab\n"):
            with pytest.raises(ValueError, match="line"):
                directives_of(text)

    def test_is_found_good_by_systemd_itself(self, tmp_path: Path) -> None:
        """The program that systemd brings for it has no remark either, on machines that have it."""
        verify = shutil.which("systemd-analyze")
        unit = tmp_path / UNIT.name
        unit.write_text(UNIT.read_text().replace("/opt/backprop-lab/.venv/bin/python", sys.executable))
        assert wrong_values(directives_of(unit.read_text())) == []
        if verify is not None:
            done = subprocess.run([verify, "verify", unit], check=False, capture_output=True, text=True)
            assert (done.returncode, done.stdout + done.stderr) == (0, "")

    def test_is_what_the_guide_installs(self) -> None:
        """The guide links to the unit, and to nothing that is not there."""
        links = re.findall(r"\]\(([^)#]+)\)", GUIDE)
        assert f"../deploy/{UNIT.name}" in links
        assert all((ROOT / "docs" / link).exists() for link in links)
