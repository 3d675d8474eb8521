"""What was measured of a run on the side: gradient audits, attacks on test images, followed images."""

from base64 import b64encode
from typing import Annotated

from fastapi import APIRouter, Path, Query

from backend.api import presenters
from backend.api.parameters import MISSING, RunId
from backend.api.schemas.measurements import (
    AuditEntry,
    AuditInfo,
    DeviationInfo,
    ExampleInfo,
    ExamplesInfo,
    ExampleStep,
    ExampleSteps,
    RobustnessEntry,
    RobustnessInfo,
)
from backend.api.stored import config_of
from backend.contract import DIFFERENCE_LIMIT, TAPE_LIMIT, Attack, AuditVerdict, TrainConfig
from backend.contract.audit import expected_quirks, failure_sentence
from backend.contract.config import EXACT_PIXEL_VALUE, PIXEL_VALUE
from backend.db import artifacts, attack_results, layer_stats, runs
from backend.db.side_models import LayerStat
from backend.dependencies import DatabaseDep
from backend.errors import NotFound

router = APIRouter(prefix="/runs", tags=["runs"])

MAX_EPOCHS = 10_000
After = Annotated[int, Query(ge=-1, le=MAX_EPOCHS, description="Only entries with more finished epochs.")]
EpochsDone = Annotated[int, Path(ge=0, le=MAX_EPOCHS)]


@router.get("/{run_id}/audit", responses=MISSING)
def get_audit(run_id: RunId, database: DatabaseDep, after: After = -1) -> AuditInfo:
    """What the gradient audits found, layer by layer."""
    with database.read() as session:
        run, rows = runs.load(session, run_id), layer_stats.after(session, run_id, after)
    config = config_of(run.config)
    return AuditInfo(
        run_id=run_id,
        verdict=presenters.run_audit(run),
        expected_quirks=list(expected_quirks(config)),
        tape_limit=TAPE_LIMIT,
        difference_limit=DIFFERENCE_LIMIT,
        entries=[_audit_entry(row, config) for row in rows],
    )


@router.get("/{run_id}/robustness", responses=MISSING)
def get_robustness(run_id: RunId, database: DatabaseDep, after: After = -1) -> RobustnessInfo:
    """Accuracy on attacked test images."""
    with database.read() as session:
        run, rows = runs.load(session, run_id), attack_results.after(session, run_id, after)
    config = config_of(run.config)
    return RobustnessInfo(
        run_id=run_id,
        images=rows[-1].images if rows else None,
        entries=[
            RobustnessEntry(
                epochs_done=row.epochs_done,
                attack=Attack(row.attack),
                epsilon=row.epsilon,
                pixel_values=_pixel_values(row.epsilon, config),
                accuracy=row.accuracy,
            )
            for row in rows
        ],
    )


@router.get("/{run_id}/examples", responses=MISSING)
def get_examples(run_id: RunId, database: DatabaseDep) -> ExamplesInfo:
    """The test images that are followed through the training, and after how many epochs they were looked at."""
    with database.read() as session:
        run, known = runs.load(session, run_id), artifacts.examples_known(session, run_id)
        found = artifacts.find_examples(session, run_id, known[0]) if known else None
    epsilon = found.epsilon if found else None
    return ExamplesInfo(
        run_id=run_id,
        epsilon=epsilon,
        pixel_values=None if epsilon is None else _pixel_values(epsilon, config_of(run.config)),
        epochs_done=list(known),
        examples=[
            ExampleInfo(
                test_index=one.test_index,
                label=one.label,
                height=one.shape[0],
                width=one.shape[1],
                channels=one.shape[2],
                image=_base64(one.image),
            )
            for one in (found.examples if found else ())
        ],
    )


@router.get("/{run_id}/examples/{epochs_done}", responses=MISSING)
def get_example_steps(run_id: RunId, epochs_done: EpochsDone, database: DatabaseDep) -> ExampleSteps:
    """What the adversarial step made of the followed images after so many epochs."""
    with database.read() as session:
        runs.load(session, run_id)
        found = artifacts.find_examples(session, run_id, epochs_done)
    if found is None:
        raise NotFound(
            f"Run {run_id} has no followed images of {epochs_done} finished epochs; /examples lists those it has."
        )
    return ExampleSteps(
        run_id=run_id,
        epochs_done=epochs_done,
        examples=[
            ExampleStep(
                test_index=one.test_index,
                adversarial=_base64(one.adversarial),
                sign=_base64(one.sign),
                before=list(one.before),
                after=list(one.after),
            )
            for one in found.examples
        ],
    )


def _audit_entry(row: LayerStat, config: TrainConfig) -> AuditEntry:
    verdict = AuditVerdict(row.verdict)
    failed = verdict is AuditVerdict.FAILED
    own = DeviationInfo(error=row.own_error, cosine=row.own_cosine, norm_ratio=row.own_norm_ratio)
    update = DeviationInfo(error=row.update_error, cosine=row.update_cosine, norm_ratio=row.update_norm_ratio)
    return AuditEntry(
        epochs_done=row.epochs_done,
        layer=row.layer,
        verdict=verdict,
        expected=failed and bool(expected_quirks(config, row.layer)),
        sentence=failure_sentence(row.layer, row.tape_error, row.difference_error) if failed else "",
        tape_error=row.tape_error,
        difference_error=row.difference_error,
        gradient_norm=row.gradient_norm,
        own=own,
        update=update if row.has_update else None,
        weight_norm=row.weight_norm,
        update_ratio=row.update_ratio,
        vmax_active=row.vmax_active,
    )


def _pixel_values(epsilon: float, config: TrainConfig) -> float | None:
    if config.preprocessing not in EXACT_PIXEL_VALUE:
        return None
    return epsilon / PIXEL_VALUE[config.preprocessing]


def _base64(content: bytes) -> str:
    return b64encode(content).decode()
