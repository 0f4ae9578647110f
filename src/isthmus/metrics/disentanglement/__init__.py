"""Do single latents stand for single factors? The measures of the field, from arrays.

Algorithms and defaults are those of the reference study, Locatello et al., Challenging Common
Assumptions in the Unsupervised Learning of Disentangled Representations, arXiv 1811.12359.
"""

from isthmus.metrics.disentanglement.beta_vae import beta_vae_score
from isthmus.metrics.disentanglement.dci import Dci, completeness, dci, disentanglement
from isthmus.metrics.disentanglement.downstream import Accuracy, downstream, reduced_downstream
from isthmus.metrics.disentanglement.factor_vae import factor_vae_score
from isthmus.metrics.disentanglement.fairness import Unfairness, total_variation, unfairness
from isthmus.metrics.disentanglement.inputs import Halves, discretise, halves
from isthmus.metrics.disentanglement.interventions import Grid, Interventions, Rows
from isthmus.metrics.disentanglement.irs import Robustness, irs
from isthmus.metrics.disentanglement.mig import Mig, mig
from isthmus.metrics.disentanglement.modularity import explicitness, modularity, modularity_of
from isthmus.metrics.disentanglement.sap import Sap, sap, sap_continuous
from isthmus.metrics.disentanglement.strong_downstream import Generalisation, strong_downstream
from isthmus.metrics.disentanglement.summary import measures
from isthmus.metrics.disentanglement.udr import Ranking, relative_strength, udr
from isthmus.metrics.disentanglement.unsupervised import (
    Dependence,
    dependence,
    gaussian_total_correlation,
    gaussian_wasserstein_correlation,
)

__all__ = [
    "Accuracy",
    "Dci",
    "Dependence",
    "Generalisation",
    "Grid",
    "Halves",
    "Interventions",
    "Mig",
    "Ranking",
    "Robustness",
    "Rows",
    "Sap",
    "Unfairness",
    "beta_vae_score",
    "completeness",
    "dci",
    "dependence",
    "discretise",
    "disentanglement",
    "downstream",
    "explicitness",
    "factor_vae_score",
    "gaussian_total_correlation",
    "gaussian_wasserstein_correlation",
    "halves",
    "irs",
    "measures",
    "mig",
    "modularity",
    "modularity_of",
    "reduced_downstream",
    "relative_strength",
    "sap",
    "sap_continuous",
    "strong_downstream",
    "total_variation",
    "udr",
    "unfairness",
]
