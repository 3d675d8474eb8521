"""What a trainer measures on the side, stored by the attempt that holds the run."""

from sqlalchemy.orm import Session

from backend.contract import AuditVerdict, Measurements, RunAudit, TrainConfig
from backend.contract.audit import expected_quirks, failure_sentence, run_audit
from backend.contract.work import due_name
from backend.db import artifacts, attack_results, clock, events, layer_stats
from backend.db.layer_stats import finite
from backend.db.lifecycle import held
from backend.db.models import Run


def add(session: Session, run_id: int, attempt: int, measured: Measurements) -> bool:
    """Store what was measured, mark the run by its audits, and make an event; False where all was known already.

    Weights that are trained again are measured again: the figures stay as they were first written.

    Raises:
        AttemptSuperseded: the attempt no longer holds the run.
    """
    run = held(session, run_id, attempt)
    due = due_name(audit=bool(measured.layers), robustness=bool(measured.attacks))
    run.measuring_seconds = {**(run.measuring_seconds or {}), due: measured.seconds}
    audited = layer_stats.add(session, run_id, measured.epochs_done, measured.layers)
    attacked = attack_results.add(session, run_id, measured.epochs_done, measured.attacks, measured.attacked_images)
    followed = artifacts.add_examples(
        session, run_id, measured.epochs_done, measured.examples, measured.example_epsilon
    )
    if audited:
        _judge(session, run, measured)
    if not (audited or attacked or followed):
        return False
    events.add(session, run, events.MEASURED, clock.now(session), from_status=run.status)
    return True


def _judge(session: Session, run: Run, measured: Measurements) -> None:
    """Mark the run, and put the first failure into its history."""
    config = TrainConfig.model_validate(run.config)
    before = None if run.audit_verdict is None else RunAudit(run.audit_verdict)
    now = run_audit(before, config, measured.layers)
    if now is before:
        return
    run.audit_verdict = now
    if now in (RunAudit.FAILED, RunAudit.EXPECTED):
        note = _first_failure(config, measured, expected=now is RunAudit.EXPECTED)
        events.add(session, run, events.NOTE, clock.now(session), from_status=run.status, note=note)


def _first_failure(config: TrainConfig, measured: Measurements, *, expected: bool) -> str:
    failed = [
        one
        for one in measured.layers
        if one.verdict is AuditVerdict.FAILED and bool(expected_quirks(config, one.layer)) is expected
    ]
    first = failed[0]
    when = f"after epoch {measured.epochs_done}" if measured.epochs_done else "before training"
    sentence = failure_sentence(first.layer, finite(first.tape_error), finite(first.difference_error))
    others = len(failed) - 1
    more = f" {others} other layer{'s' if others > 1 else ''} failed too." if others else ""
    quirks = ", ".join(expected_quirks(config, first.layer))
    reason = f" That was to be expected of {quirks}." if expected else ""
    return f"The gradient audit {when} failed. {sentence}{more}{reason}"
