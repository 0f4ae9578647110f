"""The objective of latent diffusion: its formula, its game, its balance, and when it begins."""

import math

import pytest
import torch
import torch.nn.functional as F

from isthmus.data import load
from isthmus.errors import OptionError
from isthmus.evidence import Evidence
from isthmus.likelihoods import LaplaceLikelihood
from isthmus.model import LatentModel
from isthmus.networks import MapDecoder, MapEncoder
from isthmus.objectives import Elbo, KlGan, Reconstruction
from isthmus.objectives.klgan import adaptive_weight
from isthmus.objectives.patches import PatchCritic, hinge
from isthmus.perceptual import Structural, stand_in
from isthmus.posteriors import DiagonalGaussian
from isthmus.priors import StandardNormal
from isthmus.recipes import build_recipe
from isthmus.training import Step, TrainingSettings
from isthmus.training.devices import Processes
from isthmus.training.players import backward, players_of

SHAPE = (3, 16, 16)


@pytest.fixture
def model():
    torch.manual_seed(3)
    encoder = MapEncoder(SHAPE, (8, 8))
    latent = (2, 4, 4)
    likelihood = LaplaceLikelihood(SHAPE, scale=1.0, learned=False)
    return LatentModel(
        encoder,
        DiagonalGaussian(encoder.features, latent, grid=encoder.grid),
        StandardNormal(latent),
        MapDecoder(latent, likelihood.parameter_shape(), (8, 8)),
        likelihood,
    )


def pictures(n=6):
    return 2.0 * torch.rand(n, *SHAPE, generator=torch.Generator().manual_seed(1)) - 1.0


def learned(model):
    """All parameters but the likelihood's scale, which is held fixed."""
    return [p for p in model.parameters() if p.requires_grad]


def objective(**options):
    return KlGan(SHAPE, **{"width": 8, "start": 0.0, **options}).train()


def test_a_critic_of_patches_sees_what_pix2pix_s_does():
    critic = PatchCritic((3, 256, 256), width=4)
    assert critic(torch.zeros(2, 3, 256, 256)).shape == (2, 30, 30)
    x = torch.zeros(1, 3, 256, 256, requires_grad=True)
    # Without the normalisation, which reads the whole picture, one logit sees 70 x 70 pixels.
    h = x
    for layer in critic.layers:
        h = h if isinstance(layer, torch.nn.GroupNorm) else layer(h)
    (slope,) = torch.autograd.grad(h[0, 0, 15, 15], x)
    seen = slope.abs().sum((0, 1)).nonzero()
    assert (seen.amax(0) - seen.amin(0) + 1).tolist() == [70, 70]
    for shape in ((1, 8, 8), (3, 7, 5), (2, 4, 9), (3, 32, 32)):
        logits = PatchCritic(shape, 4)(torch.randn(2, *shape))
        assert logits.dim() == 3
        assert logits.numel() >= 2
    with pytest.raises(OptionError, match="4 × 4 and more"):
        PatchCritic((3, 3, 9))


def test_a_logit_does_not_depend_on_its_company():
    critic, x = PatchCritic(SHAPE, 8), pictures()
    torch.testing.assert_close(critic(x)[:1], critic(x[:1]))


def test_the_hinge_is_its_closed_form():
    real, fake = torch.tensor([-2.0, 0.5, 3.0]), torch.tensor([-4.0, -0.25, 1.0])
    assert hinge(real, fake).item() == pytest.approx(0.5 * ((3 + 0.5) / 3 + (0.75 + 2) / 3))


@pytest.mark.usefixtures("float64")
def test_the_total_is_its_formula(model):
    model, x = model.double(), pictures().double()
    asked = objective(kl_weight=0.01, perceptual=0.3, adversarial=0.7, distance=Structural())
    evidence = model.evidence(x, 2)
    loss = asked(evidence)
    mean = evidence.px.mean
    critic = asked.critics["critic"].network
    looks = torch.stack([Structural()(one, x) for one in mean]).mean()
    error = evidence.distortion.mean() + 0.3 * math.prod(SHAPE) * looks
    logits = torch.stack([critic(one) for one in mean])
    weight = model.decoder.layers[-2].conv.weight
    assert model.decoder.last_layer() is weight
    ours, theirs = (
        torch.autograd.grad(part, weight, retain_graph=True)[0].flatten()
        for part in (error, -logits.mean())
    )
    balance = ((ours @ ours).sqrt() / ((theirs @ theirs).sqrt() + 1e-4)).clamp(0, 1e4)
    expected = error + 0.01 * evidence.rate.mean() - 0.7 * balance.detach() * logits.mean()
    torch.testing.assert_close(loss.total, expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(loss.critics["critic"], hinge(critic(x), logits))
    torch.testing.assert_close(
        loss.terms["adversarial_weight"], (0.7 * balance).expand(6).detach(), rtol=1e-6, atol=0
    )
    (slope,) = torch.autograd.grad(loss.total, weight)
    # Both parts pull at the last layer, the critic 0.7 times as hard.
    torch.testing.assert_close(slope.flatten() - ours, 0.7 * balance * theirs, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(
        (0.7 * balance * theirs).norm(), 0.7 * ours.norm(), rtol=0.05, atol=0
    )


def test_the_adaptive_weight_is_clamped_and_has_no_gradient():
    at = torch.tensor([3.0, 4.0], requires_grad=True)
    found = adaptive_weight((at**2).sum(), at.sum(), at)
    assert found.item() == pytest.approx(10.0 / (2**0.5 + 1e-4))
    assert not found.requires_grad
    assert adaptive_weight(1e9 * at.sum(), at.sum(), at).item() == 1e4


def test_gradients_reach_the_player_that_they_are_for(model):
    asked, x = objective(), pictures()
    step = Step(model.train(), asked)
    players = players_of(step, TrainingSettings())
    backward(players, step(x), Processes())
    assert all(p.grad.norm() > 0 for p in learned(model))
    # A bias moves both sides of the hinge alike, so its gradient may cancel.
    assert all(p.grad.norm() > 0 for p in asked.critics.parameters() if p.dim() > 1)
    torch.manual_seed(0)
    evidence = model.evidence(x)
    looks = asked(evidence).terms["perceptual"].sum()
    slopes = torch.autograd.grad(looks, list(model.encoder.parameters()))
    assert all(slope.norm() > 0 for slope in slopes)
    assert all(p.grad is None for p in asked.distance.parameters())


def test_the_critic_s_gradient_is_its_own_loss_s(model):
    asked, x = objective(), pictures()
    model.train()
    for p in model.parameters():
        p.grad = None
    evidence = model.evidence(x)
    loss = asked(evidence)
    critic = asked.critics["critic"].network
    own = torch.autograd.grad(loss.critics["critic"], list(critic.parameters()), retain_graph=True)
    detached = hinge(critic(x), critic(evidence.px.mean[0].detach()))
    expected = torch.autograd.grad(detached, list(critic.parameters()))
    for a, b in zip(own, expected, strict=True):
        torch.testing.assert_close(a, b)


def test_before_the_start_it_is_the_objective_without_a_critic(model):
    asked = objective(start=0.5)
    plain = objective(adversarial=0.0)
    calls = []
    asked.critics["critic"].network.register_forward_hook(lambda *_: calls.append(1))
    x = pictures()
    step, without = Step(model.train(), asked), Step(model, plain)
    for progress, begun in ((0.0, False), (0.49, False), (0.5, True), (0.9, True)):
        asked.reach(progress, 7)
        players = players_of(step, TrainingSettings())
        torch.manual_seed(5)
        loss = step(x)
        backward(players, loss, Processes())
        found = [p.grad.clone() for p in learned(model)]
        critic = list(asked.critics.parameters())
        assert all((p.grad is not None) == begun for p in critic)
        for p in (*model.parameters(), *critic):
            p.grad = None
        torch.manual_seed(5)
        expected = without(x)
        expected.total.backward()
        same = [a.equal(p.grad) for a, p in zip(found, learned(model), strict=True)]
        for p in model.parameters():
            p.grad = None
        assert any(same) != begun or not begun
        assert all(same) != begun
        assert loss.total.equal(expected.total) != begun
        assert bool(calls) == begun
        assert list(loss.terms) == [*expected.terms, "adversarial", "adversarial_weight"]


def test_the_start_is_a_share_or_a_step():
    for start, heard in ((0.25, (0.25, 3)), (100, (0.1, 100))):
        asked = objective(start=start)
        asked.reach(heard[0] - 0.01, heard[1] - 1)
        assert not asked.begun
        asked.reach(*heard)
        assert asked.begun


def test_held_out_losses_leave_the_critic_out(model):
    asked, x = objective().eval(), pictures()
    with torch.no_grad():
        torch.manual_seed(2)
        loss = Step(model, asked).eval()(x)
        torch.manual_seed(2)
        plain = Step(model, objective(adversarial=0.0)).eval()(x)
    assert loss.total.equal(plain.total)
    assert loss.terms["adversarial"].abs().sum() > 0
    assert loss.critics["critic"] > 0
    assert not asked.comparable
    assert objective(adversarial=0.0).comparable


def test_without_looks_and_critic_it_is_the_elbo(model):
    evidence = model.evidence(pictures())
    bare = objective(kl_weight=0.25, perceptual=0.0, adversarial=0.0)(evidence)
    assert bare.total.equal(Elbo(0.25)(evidence).total)


def test_a_quantiser_has_its_own_penalties():
    spec = load(torch.rand(8, 16, 16, 3).numpy()).spec
    built = build_recipe("vq-vae", spec, latent_dim=2, n_codes=8)
    asked = objective(perceptual=0.0, adversarial=0.0)
    asked.check(built.model.posterior, built.model.prior, built.model.likelihood)
    evidence = built.model.train().evidence(torch.rand(8, *SHAPE))
    loss = asked(evidence)
    assert loss.total.equal(Reconstruction()(evidence).total)
    assert "commitment" in loss.terms
    assert "rate" not in loss.terms


@pytest.mark.parametrize(("low", "high", "support"), [(0.0, 1.0, "unit"), (-3.0, 5.0, "real")])
def test_pictures_are_compared_on_a_scale_of_their_own(low, high, support):
    draw = torch.Generator().manual_seed(4)
    shown = torch.rand(20, 16, 16, 3, generator=draw)
    shown[0, 0, 0, 0], shown[0, 0, 0, 1] = 0.0, 1.0
    source = load((low + (high - low) * shown).numpy(), kind="image")
    assert source.spec.support == support
    asked = objective()

    def scale(x):
        return (x - 1.5) / 7.0

    assert asked.see(source, scale) == []
    torch.testing.assert_close(asked.ends, torch.tensor([(low - 1.5) / 7, (high - 1.5) / 7]))
    unit = shown.movedim(-1, 1)
    x, y = (scale(low + (high - low) * t) for t in (unit, unit.flip(0)))
    found = asked._distances(x, y[None])
    torch.testing.assert_close(
        found, stand_in()(2 * unit - 1, 2 * unit.flip(0) - 1), rtol=1e-3, atol=1e-5
    )


def test_bf16_gives_a_full_precision_loss_and_close_gradients(model):
    asked, x = objective(), pictures()
    step = Step(model.train(), asked)
    players = players_of(step, TrainingSettings())
    found = []
    for half in (False, True):
        torch.manual_seed(9)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = step(x)
        assert loss.total.dtype == torch.float32
        backward(players, loss, Processes())
        slope = torch.cat([p.grad.flatten() for p in step.parameters() if p.grad is not None])
        assert slope.isfinite().all()
        found.append(slope)
        for p in step.parameters():
            p.grad = None
    assert F.cosine_similarity(*found, dim=0) > 0.98


def test_images_that_are_too_small_are_refused():
    with pytest.raises(OptionError, match="adversarial=0"):
        KlGan((1, 3, 3))
    with pytest.raises(OptionError, match="perceptual=0"):
        KlGan((5,))


def test_evidence_without_a_decoder_is_balanced_at_what_it_made(model):
    evidence = model.evidence(pictures())
    bare = Evidence(
        evidence.x, evidence.q, evidence.p, evidence.z, True, evidence.infer, evidence.generate
    )
    loss = objective()(bare)
    assert loss.terms["adversarial_weight"][0] > 0
