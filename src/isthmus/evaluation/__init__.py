"""Evaluation: a model and data -> figures; several models -> a comparison and its verdict."""

from isthmus.evaluation.comparison import compare
from isthmus.evaluation.gaps import Gaps, inference_gaps
from isthmus.evaluation.results import COLUMNS, Column, Comparison, Finding, ModelResult

__all__ = [
    "COLUMNS",
    "Column",
    "Comparison",
    "Finding",
    "Gaps",
    "ModelResult",
    "compare",
    "inference_gaps",
]
