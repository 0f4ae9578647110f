"""log p(x) of models whose codes live elsewhere, against sums and quadrature over every code."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from isthmus.data import DataSpec, Resident
from isthmus.errors import OptionError
from isthmus.fitting import Split, fit
from isthmus.recipes import build_recipe

SPEC = DataSpec("table", (3,), "real", 8)


def built(recipe, **options):
    torch.manual_seed(4)
    model = build_recipe(recipe, SPEC, hidden=(6,), **options).model.double().eval()
    with torch.no_grad():
        for p in model.decoder.parameters():
            p.mul_(2.0)
        if recipe == "poincare-vae":  # Wider than p(z|x), or the weights have no variance.
            model.posterior.head.bias[2:] += 0.8
    return model


def by_quadrature(model, x, z, log_weights):
    """log Σ p(x|z) w(z) over codes (N, *Z) of these weights."""
    with torch.no_grad():
        each = model.generate(z[:, None].expand(-1, len(x), *z.shape[1:])).log_prob(x)
    return torch.logsumexp(each + log_weights[:, None], 0)


def every_choice(groups, categories):
    picks = torch.tensor(list(itertools.product(range(categories), repeat=groups)))
    z = F.one_hot(picks, categories).double()
    return z, torch.full((len(z),), -groups * math.log(categories)).double()


def circle(_):
    phi = (torch.arange(2000).double() + 0.5) * 2 * math.pi / 2000
    return torch.stack([phi.cos(), phi.sin()], -1), torch.full((2000,), -math.log(2000.0)).double()


def disc(model):
    r = (torch.arange(400).double() + 0.5) * 9.0 / 400
    phi = (torch.arange(200).double() + 0.5) * 2 * math.pi / 200
    z = ((0.5 * r).tanh()[:, None, None] * torch.stack([phi.cos(), phi.sin()], -1)).flatten(0, 1)
    cells = r.sinh() * (9.0 / 400) * (2 * math.pi / 200)
    p = model.prior.double()()
    return z, p.log_prob(z) + cells.log().repeat_interleave(200)


def choices(_):
    return every_choice(2, 4)


@pytest.mark.parametrize(
    ("recipe", "options", "grid"),
    [
        ("svae", {}, circle),
        ("poincare-vae", {}, disc),
        ("categorical-vae", {"n_categories": 4}, choices),
    ],
)
def test_importance_sampling_finds_log_p_of_x(recipe, options, grid):
    model = built(recipe, latent_dim=2, **options)
    x = torch.randn(4, 3).double()
    exact = by_quadrature(model, x, *grid(model))
    torch.manual_seed(0)
    estimate = model.log_likelihood(x, samples=100_000)
    torch.testing.assert_close(estimate, exact, atol=0.03, rtol=0)


def test_codes_are_decoded_as_integers():
    model = built("categorical-vae", latent_dim=2, n_categories=4)
    x = torch.randn(5, 3).double()
    codes = model.encode(x, "argmax")
    assert codes.shape == (5, 2)
    assert not codes.is_floating_point()
    assert model.decode(codes).equal(model.decode(F.one_hot(codes, 4).double()))
    assert model.reconstruct(x, "argmax").equal(model.decode(codes))
    assert model.reconstruct(x, "softmax").equal(model.decode(model.encode(x, "softmax")))


def test_a_sphere_with_a_gaussian_prior_is_refused_with_the_one_that_fits():
    with pytest.raises(OptionError, match="'sphere-uniform'"):
        build_recipe("custom", SPEC, posterior="von-mises-fisher")


def test_a_direction_of_one_number_is_refused():
    with pytest.raises(OptionError, match="latent_dim of 2"):
        build_recipe("svae", SPEC, latent_dim=1)


def three_kinds(n=900):
    """Three clusters in 6 dimensions."""
    generator = torch.Generator().manual_seed(0)
    kinds = torch.randint(3, (n,), generator=generator)
    centres = 4.0 * torch.randn(3, 6, generator=generator)
    x = centres[kinds] + 0.3 * torch.randn(n, 6, generator=generator)
    return Resident(x, DataSpec("table", (6,), "real", n)), kinds


def purity(codes, kinds):
    """Share of data whose code's commonest kind is their own."""
    table = torch.zeros(int(codes.max()) + 1, 3)
    table.index_put_((codes, kinds), torch.ones(len(kinds)), accumulate=True)
    return table.max(1).values.sum() / len(kinds)


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        ("categorical-vae", {}),
        ("joint-vae", {"continuous_nats": 1.0, "discrete_nats": 1.5, "gamma": 5.0, "share": 0.9}),
    ],
)
def test_the_choice_finds_the_kinds_in_the_data(recipe, options):
    source, kinds = three_kinds()
    run = fit(
        source,
        recipe,
        latent_dim=1,
        n_categories=6,
        hidden=(32,),
        epochs=30,
        lr=5e-3,
        batch_size=64,
        threads=1,
        split=Split(0, (0.8, 0.1, 0.1)),
        **options,
    )
    codes = run.model.encode(source.x, "argmax")
    # A joint code is one number and six places of a one-hot vector.
    chosen = codes[:, 0] if recipe == "categorical-vae" else codes[:, 1:].argmax(1)
    assert purity(chosen, kinds) > 0.95
