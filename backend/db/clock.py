from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session


def now(session: Session) -> datetime:
    """The time by which leases are measured: the database server's, so that hosts with other clocks agree.

    SQLite has no server: all its users share one host and its clock.
    """
    if session.get_bind().dialect.name == "sqlite":
        return datetime.now(UTC)
    at: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return at.astimezone(UTC)
