"""Evaluation: a model and data -> figures; several models -> a comparison and its verdict."""

from isthmus.evaluation.columns import Column
from isthmus.evaluation.comparison import compare
from isthmus.evaluation.evaluate import Evaluation, evaluate
from isthmus.evaluation.gaps import Gaps, inference_gaps
from isthmus.evaluation.measures import COLUMNS, MEASURES
from isthmus.evaluation.results import Comparison, Finding, ModelResult
from isthmus.evaluation.sweep import rate_distortion

__all__ = [
    "COLUMNS",
    "MEASURES",
    "Column",
    "Comparison",
    "Evaluation",
    "Finding",
    "Gaps",
    "ModelResult",
    "compare",
    "evaluate",
    "inference_gaps",
    "rate_distortion",
]
