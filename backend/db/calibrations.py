"""How fast each host computes each kind of network, measured while it had nothing else to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.contract import Network, Precision
from backend.db import clock
from backend.db.models import Worker
from backend.db.side_models import Calibration
from backend.db.workers import ALIVE_S


@dataclass(frozen=True)
class Speed:
    """How fast a network of a width was trained."""

    width: int
    multiply_adds_per_second: float


def store(
    session: Session, host: str, network: Network, precision: Precision, threads: int, speeds: Sequence[Speed]
) -> None:
    """Keep what was measured, in place of what was known."""
    for speed in speeds:
        session.merge(
            Calibration(
                host=host,
                network=network.value,
                precision=precision.value,
                threads=threads,
                width=speed.width,
                multiply_adds_per_second=speed.multiply_adds_per_second,
                measured_at=clock.now(session),
            )
        )


def known_kinds(session: Session, host: str, threads: int) -> set[tuple[Network, Precision]]:
    """What was measured on a host with so many threads a run."""
    mine = (Calibration.host == host, Calibration.threads == threads)
    rows = session.execute(select(Calibration.network, Calibration.precision).where(*mine).distinct())
    return {(Network(network), Precision(precision)) for network, precision in rows}


def of_workers(session: Session, network: Network, precision: Precision) -> list[Speed]:
    """How fast the workers that are alive train such a network; of several hosts, as the slowest does."""
    alive = (Worker.heartbeat_at > clock.now(session) - timedelta(seconds=ALIVE_S), Worker.ended_at.is_(None))
    theirs = (Calibration.host == Worker.host) & (Calibration.threads == Worker.threads_per_slot)
    kind = (Calibration.network == network.value, Calibration.precision == precision.value)
    rows = session.scalars(select(Calibration).join(Worker, theirs).where(*alive, *kind))
    slowest: dict[int, float] = {}
    for row in rows:
        slowest[row.width] = min(row.multiply_adds_per_second, slowest.get(row.width, float("inf")))
    return [Speed(width, speed) for width, speed in sorted(slowest.items())]
