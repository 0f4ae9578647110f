"""Groups that share a part of their codes, against naive loops and closed forms."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from isthmus.data import DataSpec
from isthmus.data.spec import ConditionColumn
from isthmus.errors import OptionError
from isthmus.objectives import Elbo, Group
from isthmus.objectives.group import average, groups_of, product
from isthmus.recipes import build_recipe

B, Z, C = 7, 3, 2
GROUPS = [0, 1, 0, 2, 1, 0, 3]
IDS = torch.tensor(GROUPS, dtype=torch.float64)[:, None]


@pytest.fixture
def model():
    torch.manual_seed(0)
    spec = DataSpec("table", (4,), "real", B, condition=(ConditionColumn("group"),))
    return build_recipe("group-vae", spec, latent_dim=Z, hidden=(6,)).model.double().eval()


@pytest.fixture
def x():
    return torch.randn(B, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def naive_average(means, variances):
    return sum(means) / len(means), sum(variances) / len(variances)


def naive_product(means, variances):
    """The product of Gaussians, multiplied one by one."""
    mean, variance = means[0], variances[0]
    for m, v in zip(means[1:], variances[1:], strict=True):
        mean, variance = (mean * v + m * variance) / (variance + v), variance * v / (variance + v)
    return mean, variance


WAYS = {"average": naive_average, "product": naive_product}


@pytest.mark.parametrize("sharing", WAYS)
def test_the_bound_counts_the_content_once_for_a_group(model, x, sharing):
    objective = Group((Z,), C, sharing).double()
    evidence = model.evidence(x, condition=IDS)
    torch.manual_seed(3)
    noise = torch.randn(1, B, Z, dtype=torch.float64)[0]
    torch.manual_seed(3)
    loss = objective(evidence)

    q = model.infer(model.scaling(x))
    bound = 0.0
    for group in sorted(set(GROUPS)):
        members = [i for i, g in enumerate(GROUPS) if g == group]
        means, variances = q.loc[members, :C], q.variance[members, :C]
        mean, variance = WAYS[sharing](list(means), list(variances))
        content = mean + variance.sqrt() * noise[members[0], :C]
        bound -= kl_divergence(Normal(mean, variance.sqrt()), Normal(0.0, 1.0)).sum()
        for i in members:
            style = Normal(q.loc[i, C:], q.scale[i, C:])
            z = torch.cat([content, style.loc + style.scale * noise[i, C:]])
            bound += model.generate(z[None, None]).log_prob(x[i : i + 1])[0, 0]
            bound -= kl_divergence(style, Normal(0.0, 1.0)).sum()
    torch.testing.assert_close(loss.total, -bound / B)


def test_the_product_is_the_normalised_product_of_densities():
    generator = torch.Generator().manual_seed(0)
    mean = torch.randn(4, 1, generator=generator, dtype=torch.float64)
    variance = torch.rand(4, 1, generator=generator, dtype=torch.float64) + 0.3
    shares = torch.full((4, 4), 0.25, dtype=torch.float64)
    joined = Normal(
        *(t[0] if i == 0 else t[0].sqrt() for i, t in enumerate(product(mean, variance, shares)))
    )
    grid = torch.linspace(-12, 12, 20_001, dtype=torch.float64)
    log_density = Normal(mean, variance.sqrt()).log_prob(grid).sum(0)
    log_density = log_density - (log_density.logsumexp(0) + (grid[1] - grid[0]).log())
    torch.testing.assert_close(joined.log_prob(grid).exp(), log_density.exp())
    averaged = average(mean, variance, shares)
    torch.testing.assert_close(averaged[0][0], mean.mean(0))
    torch.testing.assert_close(averaged[1][0], variance.mean(0))


@pytest.mark.parametrize("sharing", WAYS)
def test_a_datum_of_its_own_has_the_elbo(model, x, sharing):
    for condition in (None, torch.arange(B, dtype=torch.float64)[:, None]):
        torch.manual_seed(3)
        evidence = model.evidence(x, condition=condition)
        torch.manual_seed(3)
        alone = Group((Z,), C, sharing).double()(evidence)
        torch.testing.assert_close(alone.total, Elbo()(evidence).total)


def test_every_member_moves_the_content_of_its_group(model, x):
    rows = x.clone().requires_grad_()
    evidence = model.evidence(rows, condition=IDS)
    shared = Group((Z,), C, "product")._shared(evidence.q, groups_of(IDS, False))
    shared.loc[0, :C].sum().backward()
    moved = rows.grad.abs().sum(1) > 0
    assert moved.tolist() == [g == 0 for g in GROUPS]


def test_rows_of_zeros_stand_alone_where_they_are_no_group():
    rows = torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    assert groups_of(rows, True).tolist() == [
        [True, False, True, False],
        [False, True, False, False],
        [True, False, True, False],
        [False, False, False, True],
    ]
    assert groups_of(rows, False)[1].tolist() == [False, True, False, True]


def test_what_does_not_fit_is_refused():
    with pytest.raises(OptionError, match="content= between 1"):
        Group((3,), 4)
    plain = DataSpec("table", (4,), "real", B)
    with pytest.raises(OptionError, match="which group each datum is of"):
        build_recipe("ml-vae", plain)
    with pytest.raises(OptionError, match="standard-normal"):
        build_recipe("custom", plain, objective="group", prior="mixture")
