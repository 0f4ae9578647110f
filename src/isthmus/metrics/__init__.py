"""Metrics: pure functions on numpy arrays, one concept per file."""

from isthmus.metrics.estimates import Estimate, interval, mean_and_error, standard_error
from isthmus.metrics.information import active_units, bits
from isthmus.metrics.neighbours import continuity, trustworthiness
from isthmus.metrics.outliers import auc
from isthmus.metrics.probes import knn_probe, linear_probe
from isthmus.metrics.reconstruction import mae, r2, rmse
from isthmus.metrics.two_sample import two_sample_auc

__all__ = [
    "Estimate",
    "active_units",
    "auc",
    "bits",
    "continuity",
    "interval",
    "knn_probe",
    "linear_probe",
    "mae",
    "mean_and_error",
    "r2",
    "rmse",
    "standard_error",
    "trustworthiness",
    "two_sample_auc",
]
