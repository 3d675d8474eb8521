"""Which process is killed when: a seed decides it, and the same seed decides it again."""

import json
import random
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path


class Victim(StrEnum):
    """Who is killed. The worker's pool is made of threads, so it has no process of its own to kill."""

    TRAINER = "trainer"  # the process of an attempt
    WORKER = "worker"
    BACKEND = "backend"
    VALKEY = "valkey"
    POSTGRES = "postgres"


SHARES: Mapping[Victim, int] = {
    Victim.TRAINER: 7,
    Victim.WORKER: 4,
    Victim.BACKEND: 4,
    Victim.VALKEY: 3,
    Victim.POSTGRES: 2,
}


@dataclass(frozen=True)
class Kill:
    """One kill, as it is planned."""

    number: int
    victim: Victim
    after_s: float  # since the kill before
    trains: bool  # wait until a run has stored an epoch in its present attempt
    pick: float  # 0 to 1, which one where there are several
    down_s: float  # how long a killed Postgres stays away


def plan(seed: int, count: int, *, postgres: bool, pause_s: float) -> list[Kill]:
    """The kills of a seed: every victim has its share, in an order and at moments that look like chance."""
    chance = random.Random(seed)
    deck = [victim for victim, share in SHARES.items() for _ in range(share) if postgres or victim != Victim.POSTGRES]
    victims = [deck[place % len(deck)] for place in range(count)]
    chance.shuffle(victims)
    return [
        Kill(
            number=number,
            victim=victim,
            after_s=round(chance.uniform(0, 2 * pause_s), 3),
            trains=chance.random() < 0.4,
            pick=chance.random(),
            down_s=round(chance.uniform(0, 1.5), 3),
        )
        for number, victim in enumerate(victims, 1)
    ]


@dataclass
class EventLog:
    """What happened when, a line of JSON each: written as it happens, so that it is there whatever follows."""

    path: Path
    _begin: float = field(default_factory=time.monotonic, init=False)

    def add(self, what: str, **facts: object) -> None:
        """Write one line."""
        line = {"at_s": round(time.monotonic() - self._begin, 3), "what": what, **facts}
        with self.path.open("a") as file:
            file.write(json.dumps(line, default=str) + "\n")

    def plan(self, seed: int, kills: list[Kill]) -> None:
        """Write what is going to be done."""
        self.add("plan", seed=seed, kills=[asdict(kill) for kill in kills])
