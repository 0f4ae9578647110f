"""Metrics: pure functions on numpy arrays, one concept per file."""

from isthmus.metrics.codes import code_perplexity, code_usage
from isthmus.metrics.estimates import Estimate, interval, mean_and_error, standard_error
from isthmus.metrics.identifiability import mean_correlation
from isthmus.metrics.information import active_units, bits
from isthmus.metrics.neighbours import continuity, trustworthiness
from isthmus.metrics.outliers import auc
from isthmus.metrics.probes import knn_probe, linear_probe
from isthmus.metrics.reconstruction import mae, r2, rmse
from isthmus.metrics.sparsity import (
    dead_share,
    explained_variance,
    l0,
    latent_density,
    mean_max_cosine,
)
from isthmus.metrics.two_sample import two_sample_auc

__all__ = [
    "Estimate",
    "active_units",
    "auc",
    "bits",
    "code_perplexity",
    "code_usage",
    "continuity",
    "dead_share",
    "explained_variance",
    "interval",
    "knn_probe",
    "l0",
    "latent_density",
    "linear_probe",
    "mae",
    "mean_and_error",
    "mean_correlation",
    "mean_max_cosine",
    "r2",
    "rmse",
    "standard_error",
    "trustworthiness",
    "two_sample_auc",
]
