"""What can be launched: presets, the form's schema, how long it takes."""

import math
from typing import Any

from fastapi import APIRouter

from backend.api.schemas.launch import EstimateInfo, LaunchRequest, PresetInfo
from backend.contract import PRESETS, REFERENCES, Reference, TrainConfig
from backend.db import calibrations, runs, workers
from backend.dependencies import LabDep
from backend.estimates import Measurement, estimate, in_trials
from backend.submission import LaunchOrder

router = APIRouter(tags=["catalog"])

MEASURED_RUNS = 200  # newest ones that an estimate looks at


@router.get("/presets")
def list_presets() -> list[PresetInfo]:
    """Named configurations."""
    return [PresetInfo(**preset.model_dump()) for preset in PRESETS.values()]


@router.post("/estimates")
def estimate_launch(body: LaunchRequest, lab: LabDep) -> EstimateInfo:
    """How long a launch is likely to take; nothing is launched."""
    order = LaunchOrder(body.config, body.seed_list(), body.pair)
    configs = [config for _, config in order.configurations()]
    with lab.database.read() as session:
        slots = workers.alive_slots(session) or lab.settings.slots
        known = [
            Measurement(run.id, TrainConfig.model_validate(run.config), run.epoch_seconds)
            for run in runs.measured(session, MEASURED_RUNS)
            if run.epoch_seconds is not None
        ]
        speeds = calibrations.of_workers(session, body.config.network, body.config.precision)
    by_runs = estimate(configs[0], known)
    trials = in_trials(configs[0], {speed.width: speed.multiply_adds_per_second for speed in speeds})
    found = by_runs or estimate(configs[0], trials)
    if found is None:
        return EstimateInfo(
            runs=len(configs), epoch_seconds=None, run_seconds=None, total_seconds=None, basis=None, based_on=[]
        )
    run_seconds = found.epoch_seconds * body.config.epochs
    return EstimateInfo(
        runs=len(configs),
        epoch_seconds=found.epoch_seconds,
        run_seconds=run_seconds,
        total_seconds=run_seconds * math.ceil(len(configs) / slots),
        basis="runs" if by_runs else "calibration",
        based_on=list(found.based_on),
    )


@router.get("/references")
def list_references() -> list[Reference]:
    """Published curves, at the epochs at which they are known."""
    return list(REFERENCES.values())


@router.get("/schema")
def get_schema() -> dict[str, Any]:
    """The JSON schema of a launch: names, limits, defaults and descriptions, from which the form is made."""
    return LaunchRequest.model_json_schema()
