"""Series in, Plotly figures out: the same pictures for page, script, notebook and report.

What a reader of a figure may rely on:

- a line's `meta` is `{"run_id": 7, "metric": "test_cost", "label": "seed 3"}`; lines are found by it, never by their
  place, and the label is the run's name, as short as still tells it from the others;
- marks of values that are not finite have `{"run_id": 7, "non_finite_of": "test_cost"}` instead;
- a published curve has `{"reference": "case-a", "reference_metric": "test_cost"}`;
- a direct label is an annotation named `label:7:test_cost` at the line's last point; the key is named `key`;
- x counts finished epochs: the results of epoch 0 stand at 1. Accuracies are in percent, costs in nats.

The figures of what was measured beside the training also have `layout.meta.summary`, a sentence for who can't see
them, and `layout.meta.table`, all that is drawn as `{"columns": [...], "rows": [...]}`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import plotly.graph_objects as go

from frontend.charts.batch_series import BATCH_MEASURES, BatchSeries
from frontend.charts.batches import batches_figure, batches_parts
from frontend.charts.curves import RunSeries, accuracy_figure, cost_figure
from frontend.charts.gradients import AuditEntry, AuditSeries, audit_figure, deviation_figure
from frontend.charts.histograms import Histogram, histogram_figure
from frontend.charts.layers import LAYER_MEASURES, layer_figure
from frontend.charts.look import Theme
from frontend.charts.robustness import AttackEntry, AttackSeries, robustness_epochs_figure, robustness_figure
from frontend.charts.system import SYSTEM_MEASURES, SystemSeries, system_figure

__all__ = [
    "BATCH_MEASURES",
    "FIGURES",
    "LAYER_MEASURES",
    "SYSTEM_MEASURES",
    "AttackEntry",
    "AttackSeries",
    "AuditEntry",
    "AuditSeries",
    "BatchSeries",
    "Histogram",
    "RunSeries",
    "SystemSeries",
    "Theme",
    "accuracy_figure",
    "audit_figure",
    "batches_figure",
    "batches_parts",
    "cost_figure",
    "deviation_figure",
    "histogram_figure",
    "layer_figure",
    "robustness_epochs_figure",
    "robustness_figure",
    "system_figure",
]

FIGURES: Mapping[str, Callable[..., go.Figure]] = MappingProxyType({"accuracy": accuracy_figure, "cost": cost_figure})
