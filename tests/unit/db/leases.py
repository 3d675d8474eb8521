from datetime import timedelta

from sqlalchemy import update

from backend.db import clock
from backend.db.engine import Database
from backend.db.models import Run


def let_lease_pass(database: Database, run_id: int) -> None:
    """Make a run's lease one that is over, as after a long silence of its worker."""
    with database.write() as session:
        past = clock.now(session) - timedelta(seconds=1)
        session.execute(update(Run).where(Run.id == run_id).values(lease_until=past))
