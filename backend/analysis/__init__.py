"""What can be said of several runs: grouping, statistics with their spread, smoothing, paired verdicts, reduction.

Values that are unknown or not finite are NaN here; every statistic leaves them out and says how many it used.
"""

from backend.analysis.axes import batches_per_epoch, x_title, x_values
from backend.analysis.curves import RunCurves, X
from backend.analysis.grouping import GROUP_FIELDS, Group, differing_fields, group_runs, used_config
from backend.analysis.pairs import match
from backend.analysis.points import Point, at_epoch, best, last, reached
from backend.analysis.reduction import reduced
from backend.analysis.smoothing import Smoothing, fitting, parse_smoothing, smooth
from backend.analysis.summary import Band, Statistic, Summary, align, summarize
from backend.analysis.usage import thinned
from backend.analysis.verdict import Verdict, verdict

__all__ = [
    "GROUP_FIELDS",
    "Band",
    "Group",
    "Point",
    "RunCurves",
    "Smoothing",
    "Statistic",
    "Summary",
    "Verdict",
    "X",
    "align",
    "at_epoch",
    "batches_per_epoch",
    "best",
    "differing_fields",
    "fitting",
    "group_runs",
    "last",
    "match",
    "parse_smoothing",
    "reached",
    "reduced",
    "smooth",
    "summarize",
    "thinned",
    "used_config",
    "verdict",
    "x_title",
    "x_values",
]
