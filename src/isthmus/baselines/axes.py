"""Principal axes of data, which PCA codes with and ICA starts from."""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.baselines.base import Floats, clipped

EXACT_COLUMNS = 1000
RANK_TOLERANCE = 1e-12


@dataclass(frozen=True)
class PrincipalAxes:
    """The leading eigenvectors of a covariance.

    Args:
        mean: (D,).
        directions: (Z, D), orthonormal.
        variances: (Z,) along them, ddof 1, falling.
        noise: The mean variance of the directions left out.
        notes: What had to be changed.
    """

    mean: Floats
    directions: Floats
    variances: Floats
    noise: float
    notes: tuple[str, ...] = ()

    def project(self, x: Floats) -> Floats:
        """(N, D) -> (N, Z)."""
        return (x - self.mean) @ self.directions.T

    def restore(self, scores: Floats) -> Floats:
        """(N, Z) -> (N, D)."""
        return self.mean + scores @ self.directions


def principal_axes(x: Floats, latent_dim: int, seed: int) -> PrincipalAxes:
    """The `latent_dim` axes of most variance, or as many as `x` (N, D) has variance in.

    Up to 1,000 columns they are exact; beyond, scikit-learn may choose its randomised solver.
    """
    from sklearn.decomposition import PCA

    n, columns = x.shape
    exact = "covariance_eigh" if columns <= min(n, EXACT_COLUMNS) else "auto"
    # Centred rows sum to zero, which costs one dimension.
    most = min(n - 1, columns)
    pca = PCA(min(latent_dim, most), svd_solver=exact, random_state=seed).fit(x)
    used = pca.explained_variance_ > RANK_TOLERANCE * pca.explained_variance_[0]
    most = int(used.sum()) if not used.all() else most
    kept, notes = clipped(latent_dim, most)
    return PrincipalAxes(
        mean=pca.mean_,
        directions=pca.components_[:kept],
        variances=pca.explained_variance_[:kept],
        noise=float(pca.noise_variance_),
        notes=notes,
    )
