"""The scikit-learn face: every recipe as a transformer with a density where it has one."""

from isthmus.estimators.models import AE, IWAE, VAE, Autoencoder, BetaVAE
from isthmus.estimators.outliers import OutlierDetector

__all__ = ["AE", "IWAE", "VAE", "Autoencoder", "BetaVAE", "OutlierDetector"]
