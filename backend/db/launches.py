from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db import clock
from backend.db.models import Launch


def find_by_key(session: Session, idempotency_key: str) -> Launch | None:
    """The launch that was made under this key."""
    return session.scalars(select(Launch).where(Launch.idempotency_key == idempotency_key)).one_or_none()


def add(session: Session, idempotency_key: str | None, request_sha256: str) -> Launch:
    """A new launch, to which runs can be added."""
    launch = Launch(idempotency_key=idempotency_key, request_sha256=request_sha256, created_at=clock.now(session))
    session.add(launch)
    session.flush()
    return launch
