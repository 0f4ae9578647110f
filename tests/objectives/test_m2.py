"""The semi-supervised bound against enumeration, quadrature and naive code."""

import math

import pytest
import torch
from torch.distributions import Categorical, Normal, kl_divergence

from isthmus.data import DataSpec, Resident
from isthmus.data.spec import ConditionColumn
from isthmus.distributions import (
    ContinuousOneHot,
    DiagonalNormal,
    LabelledNormal,
    OneHotCategorical,
)
from isthmus.errors import DataError, OptionError
from isthmus.objectives import M2
from isthmus.priors import JointPrior
from isthmus.recipes import build_recipe

K, B, D = 3, 5, 4
LABEL = ConditionColumn("label", tuple("abc"))


def spec(n=B):
    return DataSpec("table", (D,), "real", n, condition=(LABEL,))


@pytest.fixture
def model():
    torch.manual_seed(0)
    built = build_recipe("m2", spec(), latent_dim=1, hidden=(6,))
    return built.model.double().eval()


@pytest.fixture
def x():
    return torch.randn(B, D, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


KNOWN = torch.eye(K, dtype=torch.float64)[[0, 1, 2, 0, 1]]
SOME = KNOWN * torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0], dtype=torch.float64)[:, None]


def naive_joint_bound(model, x, k, noise):
    """L(x, y=k) for one draw z = loc + scale · noise, in plain torch."""
    q = model.posterior(model.encoder(x))
    loc, scale = q.loc[:, k], q.scale[:, k]
    z = loc + scale * noise[:, k]
    y = torch.eye(K, dtype=x.dtype)[k].expand(len(x), K)
    px = model.generate(torch.cat([z, y], 1)[None])
    kl = kl_divergence(Normal(loc, scale), Normal(0.0, 1.0)).sum(1)
    return px.log_prob(x)[0] - kl - math.log(K)


def objective_terms(model, x, condition):
    """The loss at a given noise, and that noise (B, K, 1)."""
    objective = M2(alpha=0.3).double()
    objective.share.fill_(0.4)
    evidence = model.evidence(x, 1, condition=condition)
    torch.manual_seed(7)
    noise = torch.randn(1, B, K, 1, dtype=torch.float64)[0]
    torch.manual_seed(7)
    return objective(evidence), noise


def test_the_unlabelled_bound_is_the_enumerated_sum(model, x):
    loss, noise = objective_terms(model, x, None)
    classifier = Categorical(logits=model.posterior(model.encoder(x)).logits)
    bounds = torch.stack([naive_joint_bound(model, x, k, noise) for k in range(K)], 1)
    expected = (classifier.probs * bounds).sum(1) + classifier.entropy()
    torch.testing.assert_close(-(loss.terms["distortion"] + loss.terms["rate"]), expected)
    torch.testing.assert_close(loss.total, -expected.mean())
    # The same as Σ_y q(y) (L(x, y) − log q(y)).
    torch.testing.assert_close(
        expected, (classifier.probs * (bounds - classifier.probs.log())).sum(1)
    )


def test_the_labelled_bound_is_that_of_the_joint_density(model, x):
    loss, noise = objective_terms(model, x, KNOWN)
    label = KNOWN.argmax(1)
    bounds = torch.stack([naive_joint_bound(model, x, k, noise) for k in range(K)], 1)
    expected = bounds[torch.arange(B), label]
    torch.testing.assert_close(-(loss.terms["distortion"] + loss.terms["rate"]), expected)
    logits = model.posterior(model.encoder(x)).logits
    missed = torch.nn.functional.cross_entropy(logits, label, reduction="none")
    torch.testing.assert_close(loss.terms["classification"], missed / 0.4)
    torch.testing.assert_close(loss.total, (-expected + 0.3 * missed / 0.4).mean())


def test_data_with_and_without_labels_meet_in_one_batch(model, x):
    both, apart = objective_terms(model, x, SOME)[0], objective_terms(model, x, None)[0]
    told = objective_terms(model, x, KNOWN)[0]
    for name in ("distortion", "rate"):
        torch.testing.assert_close(both.terms[name][:2], told.terms[name][:2])
        torch.testing.assert_close(both.terms[name][2:], apart.terms[name][2:])
    assert (both.terms["classification"][2:] == 0).all()


def log_evidence(model, x):
    """log p(x, y) (B, K) by quadrature over one latent dimension."""
    grid = torch.linspace(-9, 9, 4001, dtype=torch.float64)
    z = grid[:, None, None].expand(-1, len(x), 1)
    found = []
    for k in range(K):
        y = torch.eye(K, dtype=torch.float64)[k].expand(len(grid), len(x), K)
        log_joint = model.generate(torch.cat([z, y], 2)).log_prob(x)
        log_joint = log_joint + Normal(0.0, 1.0).log_prob(grid)[:, None] - math.log(K)
        found.append(log_joint.logsumexp(0) + math.log(float(grid[1] - grid[0])))
    return torch.stack(found, 1)


def test_the_likelihood_is_that_of_quadrature_and_enumeration(model, x):
    with torch.no_grad():
        truth = log_evidence(model, x)
    torch.manual_seed(0)
    free = model.log_likelihood(x, samples=15_000)
    torch.testing.assert_close(free, truth.logsumexp(1), atol=0.03, rtol=0)
    told = model.log_likelihood(x, samples=15_000, condition=SOME)
    torch.testing.assert_close(told[:2], truth[[0, 1], [0, 1]], atol=0.03, rtol=0)
    torch.testing.assert_close(told[2:], truth.logsumexp(1)[2:], atol=0.03, rtol=0)


def test_a_certain_and_wrong_classifier_leaves_no_class_out(model, x):
    """Where classes are drawn, the one with nearly all of p(x) would nearly never be."""
    with torch.no_grad():
        model.posterior.classifier.weight.zero_()
        model.posterior.classifier.bias.copy_(torch.tensor([40.0, 0.0, 0.0]))
        truth = log_evidence(model, x).logsumexp(1)
    torch.manual_seed(0)
    torch.testing.assert_close(model.log_likelihood(x, 30_000), truth, atol=0.03, rtol=0)


@pytest.fixture
def q():
    torch.manual_seed(2)
    shape = (B, K, 2)
    return LabelledNormal(
        torch.randn(B, K).double(), torch.randn(shape).double(), torch.rand(shape).double() + 0.5
    )


def test_the_density_and_its_divergence_are_those_of_torch(q):
    p = JointPrior((2 + K,), 1, K)()
    z = torch.randn(B, 2, dtype=torch.float64)
    for k in range(K):
        y = torch.eye(K, dtype=torch.float64)[k].expand(B, K)
        normal = Normal(q.loc[:, k], q.scale[:, k])
        expected = Categorical(logits=q.logits).log_prob(torch.tensor(k))
        expected = expected + normal.log_prob(z).sum(1)
        torch.testing.assert_close(q.log_prob(torch.cat([z, y], 1)), expected)
    draws = q.sample((60_000,))
    ratio = q.log_prob(draws) - p.log_prob(draws)
    torch.testing.assert_close(kl_divergence(q, p), ratio.mean(0), atol=0.03, rtol=0)
    torch.testing.assert_close(q.entropy(), -q.log_prob(draws).mean(0), atol=0.03, rtol=0)
    torch.testing.assert_close(q.mean, draws.mean(0), atol=0.03, rtol=0)
    torch.testing.assert_close(q.variance, draws.var(0), atol=0.06, rtol=0)


def test_a_prior_by_datum_broadcasts(q):
    loc = torch.randn(B, 2, dtype=torch.float64)
    scale = torch.rand(B, 2, dtype=torch.float64) + 0.5
    logits = torch.randn(B, 1, K, dtype=torch.float64)
    p = ContinuousOneHot(DiagonalNormal(loc, scale, 1), OneHotCategorical(logits, 2))
    expected = [
        kl_divergence(Normal(q.loc[:, k], q.scale[:, k]), Normal(loc, scale)).sum(1)
        for k in range(K)
    ]
    torch.testing.assert_close(q.class_kl(p), torch.stack(expected, 1))


def test_the_classifier_learns_from_the_bound_and_from_labels(model, x):
    for condition in (None, KNOWN):
        model.zero_grad()
        objective_terms(model, x, condition)[0].total.backward()
        assert model.posterior.classifier.weight.grad.abs().sum() > 0


def test_a_label_takes_the_place_of_the_code_s_own(model, x):
    codes = model.encode(x)
    told = codes.clone()
    told[:, -K:] = KNOWN
    torch.testing.assert_close(model.decode(codes, condition=KNOWN), model.decode(told))
    half = model.decode(codes, condition=SOME)
    torch.testing.assert_close(half[:2], model.decode(told)[:2])
    torch.testing.assert_close(half[2:], model.decode(codes)[2:])
    torch.testing.assert_close(model.encode(x, condition=KNOWN)[:, -K:], KNOWN)


def test_the_labels_are_counted_before_training():
    rows = torch.zeros(10, D)
    condition = torch.eye(K)[[0, 1, 2, 0] + 6 * [0]] * (torch.arange(10) < 4)[:, None]
    objective = M2()
    notes = objective.see(Resident(rows, spec(10), condition=condition), torch.nn.Identity())
    assert objective.share == pytest.approx(0.4)
    assert notes == ["4 of 10 training data are labelled"]


def test_what_does_not_fit_is_refused(model, x):
    with pytest.raises(DataError, match=r"reads \(N, 3\)"):
        model.encode(x, condition=KNOWN[:, :2])
    number = DataSpec("table", (D,), "real", B, condition=(ConditionColumn("age"),))
    with pytest.raises(OptionError, match="conditioned on 'age'"):
        build_recipe("m2", number)
    plain = DataSpec("table", (D,), "real", B)
    with pytest.raises(OptionError, match="conditioned on nothing"):
        build_recipe("m2", plain)
    with pytest.raises(OptionError, match="recipe m2"):
        build_recipe("custom", plain, objective="m2")
