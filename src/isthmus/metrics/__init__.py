"""Metrics: pure functions on numpy arrays, one concept per file."""

from isthmus.metrics.clusters import Agreement, cluster_agreement
from isthmus.metrics.codes import code_perplexity, code_usage
from isthmus.metrics.copies import Memorising, memorising
from isthmus.metrics.discrepancy import mmd
from isthmus.metrics.estimates import Estimate, interval, mean_and_error, standard_error
from isthmus.metrics.frechet import frechet_distance
from isthmus.metrics.identifiability import canonical_correlation, mean_correlation
from isthmus.metrics.images import ms_ssim, psnr, ssim
from isthmus.metrics.information import (
    Surgery,
    active_units,
    bits,
    bits_per_dim,
    elbo_surgery,
)
from isthmus.metrics.latents import LatentStatistics, latent_statistics
from isthmus.metrics.manifolds import Prdc, prdc
from isthmus.metrics.neighbours import continuity, trustworthiness
from isthmus.metrics.outliers import auc
from isthmus.metrics.probes import knn_probe, linear_probe, probe_hits
from isthmus.metrics.reconstruction import mae, r2, rmse
from isthmus.metrics.sharpness import Sharpness, relative_sharpness
from isthmus.metrics.smoothness import Smoothness, path_smoothness
from isthmus.metrics.sparsity import (
    dead_share,
    explained_variance,
    l0,
    latent_density,
    mean_max_cosine,
)
from isthmus.metrics.two_sample import two_sample_auc, two_sample_p

__all__ = [
    "Agreement",
    "Estimate",
    "LatentStatistics",
    "Memorising",
    "Prdc",
    "Sharpness",
    "Smoothness",
    "Surgery",
    "active_units",
    "auc",
    "bits",
    "bits_per_dim",
    "canonical_correlation",
    "cluster_agreement",
    "code_perplexity",
    "code_usage",
    "continuity",
    "dead_share",
    "elbo_surgery",
    "explained_variance",
    "frechet_distance",
    "interval",
    "knn_probe",
    "l0",
    "latent_density",
    "latent_statistics",
    "linear_probe",
    "mae",
    "mean_and_error",
    "mean_correlation",
    "mean_max_cosine",
    "memorising",
    "mmd",
    "ms_ssim",
    "path_smoothness",
    "prdc",
    "probe_hits",
    "psnr",
    "r2",
    "relative_sharpness",
    "rmse",
    "ssim",
    "standard_error",
    "trustworthiness",
    "two_sample_auc",
    "two_sample_p",
]
