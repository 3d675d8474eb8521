"""Hosts on one machine: each is a network of its own with its own address, joined by a switch, and can be cut off."""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

SWITCH = "switch"
HERE = 254  # the last part of this machine's own address, from which the test looks


@dataclass
class Network:
    """A switch, and the hosts at it; the first host is the switch's own, and that of the servers."""

    name: str = field(default_factory=lambda: f"lab{secrets.token_hex(2)}")
    prefix: str = field(default_factory=lambda: f"10.213.{secrets.randbelow(256)}")

    def address(self, number: int) -> str:
        """A host's address."""
        return f"{self.prefix}.{number}"

    def command(self, number: int, host_name: str = "") -> list[str]:
        """What to put before a command that is to run on a host, under a name of its own where one is given."""
        inside = ["ip", "netns", "exec", f"{self.name}-{number}"]
        if not host_name:
            return inside
        return [*inside, "unshare", "--uts", "sh", "-c", f'hostname {host_name} && exec "$@"', "sh"]

    def cut(self, number: int) -> None:
        """Pull the host's cable out at the switch: nobody is told."""
        self._ip("-n", f"{self.name}-1", "link", "set", f"port{number}", "down")

    def mend(self, number: int) -> None:
        """Put the cable back."""
        self._ip("-n", f"{self.name}-1", "link", "set", f"port{number}", "up")

    def pids(self, number: int) -> list[int]:
        """The processes on a host."""
        done = self._ip("netns", "pids", f"{self.name}-{number}")
        return [int(word) for word in done.split()]

    @contextmanager
    def up(self, hosts: int) -> Iterator["Network"]:
        """The network with hosts 1 to `hosts`, and this machine at `HERE`; all of it is gone afterwards."""
        try:
            for number in range(1, hosts + 1):
                self._ip("netns", "add", f"{self.name}-{number}")
                self._ip("-n", f"{self.name}-{number}", "link", "set", "lo", "up")
            self._ip("-n", f"{self.name}-1", "link", "add", SWITCH, "type", "bridge")
            self._ip("-n", f"{self.name}-1", "address", "add", f"{self.address(1)}/24", "dev", SWITCH)
            self._ip("-n", f"{self.name}-1", "link", "set", SWITCH, "up")
            for number in range(2, hosts + 1):
                self._plug(number, ["-n", f"{self.name}-{number}"])
            self._plug(HERE, [])
            yield self
        finally:
            for number in range(1, hosts + 1):
                subprocess.run(["ip", "netns", "delete", f"{self.name}-{number}"], check=False, capture_output=True)

    def _plug(self, number: int, where: Sequence[str]) -> None:
        """Lead a cable from a port of the switch to a host, or to this machine."""
        end = "eth0" if where else f"{self.name}-eth"
        port = ["peer", "name", f"port{number}", "netns", f"{self.name}-1"]
        self._ip(*where, "link", "add", end, "type", "veth", *port)
        self._ip("-n", f"{self.name}-1", "link", "set", f"port{number}", "master", SWITCH, "up")
        self._ip(*where, "address", "add", f"{self.address(number)}/24", "dev", end)
        self._ip(*where, "link", "set", end, "up")

    def _ip(self, *words: str) -> str:
        done = subprocess.run(["ip", *words], check=False, capture_output=True, text=True)
        if done.returncode:
            raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout


def missing() -> str:
    """Why hosts can't be made here; empty where they can."""
    for program in ("ip", "unshare"):
        if shutil.which(program) is None:
            return f"hosts are made with the program {program}, which is not installed (Debian: iproute2, util-linux)"
    if os.geteuid() != 0:
        return "network namespaces can only be made as root (CAP_SYS_ADMIN and CAP_NET_ADMIN)"
    try:
        with Network().up(2):
            return ""
    except OSError as error:
        return f"network namespaces can't be made, the right CAP_SYS_ADMIN or CAP_NET_ADMIN is missing: {error}"


def is_attempt(pid: int) -> bool:
    """Whether a process trains a run."""
    try:
        return b"worker.attempt" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
