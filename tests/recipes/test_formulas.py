"""What each recipe minimises at its own settings, written out from its networks' raw outputs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import special, stats
from torch.autograd.functional import jacobian
from torch.distributions import Laplace, MultivariateNormal, Normal, kl_divergence

from isthmus.data import load
from isthmus.recipes import build_recipe
from isthmus.training.start import look

pytestmark = pytest.mark.usefixtures("float64")
B, D, Z = 20, 5, 3
NUMBERS, CHOICES = 2, 10


def made(name, progress=1.0, **options):
    """A recipe in training at `progress`, the data that it learns from and what it says of them."""
    rng = np.random.default_rng(0)
    source = load(rng.normal(size=(B, D)) @ rng.normal(size=(D, D)) + 2.0)
    sparse = "sae" in name or name == "sparse-l1"
    sizes = {} if sparse else {"latent_dim": options.pop("latent_dim", Z)}
    built = build_recipe(name, source.spec, hidden=(7,), **sizes, **options)
    model, objective = built.model.double().train(), built.objective.double().train()
    look(model, objective, source)
    with torch.no_grad():
        for p in model.parameters():
            # No formula may hold by a start at 0 alone.
            p.add_(0.05 * torch.randn_like(p))
    if sparse:
        model.posterior.silent[::2] = 5000
    for module in [*model.modules(), *objective.modules()]:
        if "progress" in dict(module.named_buffers(recurse=False)):
            module.progress.fill_(progress)
    return model, objective, next(source.chunks(B)).x.double()


def told(name, progress=1.0, **options):
    model, objective, x = made(name, progress, **options)
    torch.manual_seed(3)
    evidence = model.evidence(x, objective.samples, objective.corruption)
    return model, evidence, objective(evidence)


def distortion(model, x, z):
    """(B,) of scaled x at codes (B, Z): a normal of the likelihood's scale around the decoder."""
    scale = model.likelihood.scale
    scale = scale() if callable(scale) and not isinstance(scale, torch.Tensor) else scale
    return -Normal(model.decoder(z).squeeze(1), scale).log_prob(x).sum(-1)


def head(model, x):
    """Location and scale of a posterior that is read from one head."""
    location, twice = model.posterior.head(model.encoder(x)).chunk(2, -1)
    return location, (0.5 * twice).exp()


def standard(z):
    return Normal(0.0, 1.0).log_prob(z).sum(-1)


# -- The rate by recipe: (model, scaled x, evidence) -> (B,).


def diagonal(model, x, evidence):
    return kl_divergence(Normal(*head(model, x)), Normal(0.0, 1.0)).sum(-1)


def full_covariance(model, x, evidence):
    h = model.encoder(x)
    mean, scale = head(model, x)
    below, rates = model.posterior.dependence(h), []
    for b in range(B):
        unit = torch.eye(Z)
        for value, (i, j) in zip(below[b], ((1, 0), (2, 0), (2, 1)), strict=True):
            unit[i, j] = value
        q = MultivariateNormal(mean[b], scale_tril=unit @ torch.diag(scale[b]))
        rates.append(kl_divergence(q, MultivariateNormal(torch.zeros(Z), torch.eye(Z))))
    return torch.stack(rates)


def drawn(model, x, evidence):
    """Of a posterior whose density has a test of its own."""
    return evidence.q.log_prob(evidence.z)[0] - standard(evidence.z[0])


def laplace(model, x, evidence):
    return kl_divergence(Laplace(*head(model, x)), Laplace(0.0, 1.0)).sum(-1)


def student(model, x, evidence):
    location, scale = (t.detach().numpy() for t in head(model, x))
    df = 2.0 + np.log1p(np.exp(model.posterior.excess.detach().numpy()))
    z = evidence.z[0].detach().numpy()
    log_ratio = stats.t.logpdf(z, df, location, scale) - stats.t.logpdf(z, 5.0)
    return torch.from_numpy(log_ratio.sum(-1))


def sphere(model, x, evidence):
    """log C(kappa) + kappa A(kappa) + log of the sphere's area, by scipy's Bessel functions."""
    out = model.posterior.head(model.encoder(x)).detach().numpy()
    kappa, order = 1.0 + np.log1p(np.exp(10.0 * out[:, -1])), 0.5 * Z - 1.0
    below, above = special.ive(order, kappa), special.ive(order + 1.0, kappa)
    log_c = order * np.log(kappa) - 0.5 * Z * math.log(2 * math.pi) - np.log(below) - kappa
    return torch.from_numpy(log_c + kappa * above / below + math.log(4.0 * math.pi))


def ball(model, x, evidence):
    """Sampled; the prior by the distance from the centre in its usual form, by arcosh."""
    square = evidence.z[0].square().sum(-1)
    r = torch.acosh(1.0 + 2.0 * square / (1.0 - square))
    flat = -0.5 * r.square() - 0.5 * Z * math.log(2.0 * math.pi)
    return evidence.q.log_prob(evidence.z)[0] - flat + (Z - 1) * (r.sinh() / r).log()


def categories(model, x, evidence):
    pi = model.posterior.head(model.encoder(x)).view(B, Z, CHOICES).softmax(-1)
    return (pi * (CHOICES * pi).log()).sum((-1, -2))


def log_mean_normals(z, means, scales):
    each = [Normal(m, s).log_prob(z).sum(-1).exp() for m, s in zip(means, scales, strict=True)]
    return torch.stack(each).mean(0).log()


def vamp(model, x, evidence):
    z, pseudo = evidence.z[0], model.prior.pseudo_inputs
    within = pseudo.clamp(model.prior.low, model.prior.high)
    prior = log_mean_normals(z, *head(model, within))
    return Normal(*head(model, x)).log_prob(z).sum(-1) - prior


def exemplars(model, x, evidence):
    """Each datum's own exemplar is left out; all data are exemplars here."""
    z, own = evidence.z[0], model.prior.exemplars
    means, sigma, prior = head(model, own)[0], model.prior.log_scale.exp(), []
    for b in range(B):
        others = means[(own - x[b]).abs().amax(1) > 1e-4]
        assert len(others) == B - 1
        prior.append(log_mean_normals(z[b], others, sigma.expand(B - 1)))
    return Normal(*head(model, x)).log_prob(z).sum(-1) - torch.stack(prior)


def components(prior):
    scales = prior.min_scale + prior.raw_scale.exp().log1p()
    return prior.logits.softmax(0), prior.loc, scales


def mixture(model, x, evidence):
    z, p = evidence.z[0], 0.0
    for weight, mean, scale in zip(*components(model.prior), strict=True):
        p = p + weight * Normal(mean, scale).log_prob(z).sum(-1).exp()
    return Normal(*head(model, x)).log_prob(z).sum(-1) - p.log()


def clusters(model, x, evidence):
    q, total = Normal(*head(model, x)), 0.0
    for weight, mean, scale in zip(*components(model.prior), strict=True):
        total = total + weight * (-kl_divergence(q, Normal(mean, scale)).sum(-1)).exp()
    return -total.log()


def flow(model, x, evidence):
    transform, rates = model.prior.flow.transform(), []
    for z, q in zip(evidence.z[0], Normal(*head(model, x)).log_prob(evidence.z[0]), strict=True):
        log_det = torch.linalg.slogdet(jacobian(transform, z)).logabsdet
        rates.append(q.sum() - standard(transform(z)) - log_det)
    return torch.stack(rates)


def ladder(model, x, evidence):
    """Three levels by precisions, each of which has half a nat of the batch for free."""
    h, said, levels = model.encoder(x), [], evidence.z[0].split((4, 2, 1), -1)
    for level, out in enumerate(model.posterior.heads):
        h = model.posterior.ascents[level - 1](h) if level else h
        mean, log_precision = out(h).chunk(2, -1)
        precision = log_precision.exp()
        said.append((mean * (precision + 1.0) / precision, precision))
    paid = []
    for level in range(3):
        prior, spread = torch.zeros(B, 1), torch.ones(B, 1)
        if level < 2:
            prior, log_scale = model.prior.descents[level](levels[level + 1]).chunk(2, -1)
            spread = log_scale.tanh().exp()
        mean, precision = said[level]
        whole = precision + spread.pow(-2)
        q = Normal((mean * precision + prior * spread.pow(-2)) / whole, whole.rsqrt())
        paid.append(kl_divergence(q, Normal(prior, spread)).sum(-1).mean().clamp(min=0.5))
    return sum(paid).expand(B)


# By recipe: the rate, and options.
RATES = {
    "vae": (diagonal, {}),
    "two-stage-vae": (diagonal, {}),
    "full-covariance-vae": (full_covariance, {}),
    "iaf-vae": (drawn, {}),
    "planar-vae": (drawn, {}),
    "radial-vae": (drawn, {}),
    "sylvester-vae": (drawn, {}),
    "spline-vae": (drawn, {}),
    "hvae": (drawn, {}),
    "rhvae": (drawn, {}),
    "laplace-vae": (laplace, {}),
    "student-vae": (student, {}),
    "svae": (sphere, {}),
    "poincare-vae": (ball, {}),
    "categorical-vae": (categories, {}),
    "vamp-vae": (vamp, {}),
    "exemplar-vae": (exemplars, {}),
    "mog-vae": (mixture, {}),
    "vade": (clusters, {}),
    "flow-prior-vae": (flow, {}),
    "ladder-vae": (ladder, {"latent_dim": 4}),
}


@pytest.mark.parametrize("progress", [0.0, 0.05, 1.0])
@pytest.mark.parametrize("name", RATES)
def test_a_variational_recipe_pays_its_rate_at_a_price_that_climbs_over_a_tenth(name, progress):
    rate, options = RATES[name]
    at = 0.3 + progress if name == "vade" else progress
    model, evidence, loss = told(name, min(at, 1.0), **options)
    by_hand = rate(model, evidence.x, evidence)
    assert by_hand.std() > 1e-4 or name == "ladder-vae"
    price = min(progress / 0.1, 1.0)
    expected = distortion(model, evidence.x, evidence.z[0]) + price * by_hand
    torch.testing.assert_close(loss.total, expected.mean())


@pytest.mark.parametrize(("progress", "grown"), [(0.0, 0.0), (0.45, 0.5), (1.0, 1.0)])
def test_joint_vae_holds_each_part_at_five_nats_or_what_a_choice_can_carry(progress, grown):
    model, evidence, loss = told("joint-vae", progress)
    h = model.encoder(evidence.x)
    location, twice = model.posterior.continuous.head(h).chunk(2, -1)
    numbers = kl_divergence(Normal(location, (0.5 * twice).exp()), Normal(0.0, 1.0)).sum(-1)
    pi = model.posterior.discrete.head(h).softmax(-1)
    choice = (pi * (CHOICES * pi).log()).sum(-1)
    # 30 for 1,024 elements, and 1 at the least.
    gaps = (numbers.mean() - 5.0 * grown).abs()
    gaps = gaps + (choice.mean() - min(5.0 * grown, math.log(CHOICES))).abs()
    expected = distortion(model, evidence.x, evidence.z[0]).mean() + gaps
    torch.testing.assert_close(loss.total, expected)


# -- Codes without a density.


@pytest.mark.parametrize(
    ("options", "corrupted"),
    [
        ({}, lambda x: x + 0.3 * torch.randn_like(x)),
        ({"masking": 0.4}, lambda x: x * (torch.rand_like(x) >= 0.4)),
    ],
)
def test_dae_rebuilds_what_is_clean_from_what_is_not(options, corrupted):
    model, evidence, loss = told("dae", **options)
    torch.manual_seed(3)
    seen = corrupted(evidence.x)
    assert (seen != evidence.x).any()
    z = model.posterior.head(model.encoder(seen))
    torch.testing.assert_close(evidence.z[0], z)
    torch.testing.assert_close(loss.total, distortion(model, evidence.x, z).mean())
    torch.testing.assert_close(evidence.x, model.scaling(made("dae")[2]))


def squared_slope(function, at):
    """(B,) of a map of rows, by autograd's whole Jacobian of each."""
    return torch.stack([jacobian(lambda v: function(v[None])[0], row).square().sum() for row in at])


@pytest.mark.parametrize(
    ("name", "norms", "slopes"), [("cae", 0.0, 0.1), ("rae-l2", 1e-4, 0.0), ("rae-gp", 1e-4, 1e-7)]
)
def test_the_prices_of_regularised_and_contractive_codes_are_the_papers(name, norms, slopes):
    model, evidence, loss = told(name, **({"probes": None} if name == "rae-gp" else {}))

    def encode(x):
        return model.posterior.head(model.encoder(x))

    z = encode(evidence.x)
    torch.testing.assert_close(evidence.z[0], z)
    function, at = (encode, evidence.x) if name == "cae" else (model.decoder, z.detach())
    expected = norms * 0.5 * z.square().sum(-1) + slopes * squared_slope(function, at)
    rest = loss.total - distortion(model, evidence.x, z).mean()
    assert rest.item() == pytest.approx(expected.mean().item(), rel=1e-6)


SPARSE = ["sparse-l1", "topk-sae", "batch-topk-sae", "jumprelu-sae", "gated-sae", "matryoshka-sae"]


@pytest.mark.parametrize("progress", [0.025, 1.0])
@pytest.mark.parametrize("name", SPARSE)
def test_a_sparse_recipe_pays_by_its_own_rule_and_revives_at_a_thirty_second(name, progress):
    model, evidence, loss = told(name, progress)
    posterior, decoder, x = model.posterior, model.decoder, evidence.x
    h = x - model.encoder.centre
    pre = h @ posterior.linear.weight.T + posterior.linear.bias
    positive, width = pre.clamp(min=0), 8 * D
    k = width // 8

    def kept(values, count):
        least = values.flatten().sort(descending=True).values[count - 1]
        return values * (values >= least)

    by_rows = torch.stack([kept(row, k) for row in positive])
    by_batch = kept(positive, k * B)
    threshold = posterior.log_threshold.exp() if name == "jumprelu-sae" else 0.0
    on = (pre > threshold).double()
    code = {"topk-sae": by_rows, "batch-topk-sae": by_batch, "matryoshka-sae": by_batch}
    code |= {"sparse-l1": positive, "jumprelu-sae": pre * on}
    if name == "gated-sae":
        size = posterior.log_ratio.exp() * (pre - posterior.linear.bias) + posterior.offset
        code |= {"gated-sae": on * size.clamp(min=0)}
    z = code[name]
    torch.testing.assert_close(evidence.z[0], z)

    climbed = min(progress / 0.05, 1.0)
    price = {"sparse-l1": positive.sum(-1), "jumprelu-sae": on.sum(-1)}
    price |= {"gated-sae": positive.sum(-1)}
    expected = distortion(model, x, z) + 0.5 * climbed * price.get(name, torch.zeros(B))
    if name == "gated-sae":
        expected = expected + distortion(model, x, positive)
    if name == "matryoshka-sae":
        for share in (16, 8, 4, 2):
            prefix = z.clone()
            prefix[:, math.ceil(width / share) :] = 0.0
            expected = expected + distortion(model, x, prefix)

    dead = torch.zeros(width, dtype=torch.bool)
    dead[::2] = True
    dead &= ~(z != 0).any(0)
    # Half as many as a datum has elements.
    said = torch.stack([kept(row, D // 2) for row in positive * dead])
    left = x - decoder(z).squeeze(1)
    wrong = 0.5 * (left - said @ decoder.directions).square().sum(-1) * (said != 0).any(-1)
    if name in ("topk-sae", "batch-topk-sae", "matryoshka-sae"):
        assert wrong.sum() > 0
    torch.testing.assert_close(loss.total, (expected + wrong / 32).mean())


def nearest(book, z):
    return book[((z.unsqueeze(-2) - book).square().sum(-1)).argmin(-1)]


@pytest.mark.parametrize("name", ["vq-vae", "rvq-vae", "fsq-vae", "lfq-vae"])
def test_a_quantised_recipe_asks_what_its_paper_asks(name):
    """Judged after training, so that nothing moves or is left out."""
    model, objective, x = made(name)
    model.evidence(x)
    model.eval()
    objective.eval()
    evidence = model.evidence(x)
    loss = objective(evidence)
    raw = model.posterior.head(model.encoder(evidence.x)).view(B, 8, -1)
    asked = torch.zeros(B)
    if name in ("vq-vae", "rvq-vae"):
        books = [model.posterior.codebook] if name == "vq-vae" else model.posterior.codebooks
        rest = raw
        for book in books:
            rest = rest - nearest(book.vectors, rest)
            asked = asked + 0.25 * rest.square().sum((-1, -2))
        latents = raw - rest
    if name == "fsq-vae":
        levels = torch.tensor([8.0, 6.0, 5.0])
        half, off = 1.001 * (levels - 1) / 2, torch.tensor([0.5, 0.5, 0.0])
        bounded = (raw + (off / half).atanh()).tanh() * half - off
        latents = model.posterior.spread(bounded.round() / torch.tensor([4.0, 3.0, 2.0]))
    if name == "lfq-vae":
        latents = model.posterior.spread(torch.where(raw > 0, 1.0, -1.0))
        p = torch.sigmoid(4.0 * raw.tanh() / 0.1)
        certain = -(p * p.log() + (1 - p) * (1 - p).log()).nan_to_num(0.0).sum((-1, -2)) / 8
        bits = torch.arange(512)[:, None] // 2 ** torch.arange(9) % 2
        use = torch.where(bits.bool(), p[..., None, :], 1 - p[..., None, :]).prod(-1).mean((0, 1))
        entropy = -(use[use > 0] * use[use > 0].log()).sum()
        # Against the mean squared error of an element, where the distortion has half the sum.
        asked = 0.01 * (certain - entropy) * D / 2
    torch.testing.assert_close(evidence.z[0], latents)
    expected = distortion(model, evidence.x, latents) + asked
    torch.testing.assert_close(loss.total, expected.mean())


def test_hierarchical_vae_draws_each_level_s_latent_once_and_pays_for_the_whole_chain():
    model, evidence, loss = told("hierarchical-vae", latent_dim=6, levels=3)
    levels = [model, model.prior.model, model.prior.model.prior.model]
    assert [level.latent_shape for level in levels] == [(6,), (3,), (1,)]
    torch.manual_seed(3)
    z, rate = evidence.x, torch.zeros(B)
    for number, level in enumerate(levels):
        below, (location, scale) = z, head(level, z)
        z = location + scale * torch.randn_like(location)
        rate = rate + Normal(location, scale).log_prob(z).sum(-1)
        if number:
            mean, raw = level.decoder(z).unbind(1)
            # A scale of 1 where the decoder says 0, and .01 at the least.
            spread = 0.01 + (raw + math.log(math.expm1(0.99))).exp().log1p()
            rate = rate - Normal(mean, spread).log_prob(below).sum(-1)
    expected = distortion(model, evidence.x, evidence.z[0]) + rate - standard(z)
    torch.testing.assert_close(loss.total, expected.mean())
