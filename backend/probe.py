"""`python -m backend.probe page` or `worker`: exit status 0 where that part of this container is well, 1 where not."""

import argparse
import socket
import sys

from backend.settings import Settings


def page_is_well(settings: Settings) -> bool:
    """Whether the page's server answers."""
    from backend.launcher import answers  # noqa: PLC0415 - each probe is asked often, and imports what it needs only

    return answers(settings)


def worker_is_well(settings: Settings) -> bool:
    """Whether a worker of this host has told the database lately that it is alive."""
    from backend.db import clock, workers  # noqa: PLC0415
    from backend.db.engine import Database  # noqa: PLC0415

    database = Database(settings.resolved_database_url)
    try:
        with database.read() as session:
            at = clock.now(session)
            return any(
                worker.host == socket.gethostname()
                and worker.ended_at is None
                and (at - worker.heartbeat_at).total_seconds() < workers.ALIVE_S
                for worker in workers.recent(session)
            )
    finally:
        database.close()


def main() -> int:
    """Probe the part that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m backend.probe", description="Exit with 0 where a part is well.")
    parser.add_argument("part", choices=["page", "worker"])
    probe = page_is_well if parser.parse_args().part == "page" else worker_is_well
    return 0 if probe(Settings()) else 1


if __name__ == "__main__":
    sys.exit(main())
