"""What can be launched: presets, the form's schema, how long it takes."""

import math
from typing import Any

from fastapi import APIRouter

from backend.api.expectation import Expectation
from backend.api.schemas.launch import EstimateInfo, LaunchRequest, PresetInfo
from backend.contract import PRESETS, REFERENCES, Reference
from backend.db import workers
from backend.dependencies import LabDep
from backend.submission import LaunchOrder

router = APIRouter(tags=["catalog"])


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
        found = Expectation(session).of(configs[0])
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
        basis="runs" if found.based_on else "calibration",
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
