"""Flow posteriors: densities against autograd and zuko, and what makes each what it is."""

import pytest
import torch
import zuko
from torch.distributions import MultivariateNormal, Normal

from isthmus.errors import OptionError, UnsupportedError
from isthmus.posteriors import POSTERIORS, InverseAutoregressiveFlow, SylvesterFlow, code

pytestmark = pytest.mark.usefixtures("float64")
B, H, Z = 4, 6, 3
FLOWS = ("iaf", "spline", "planar", "radial", "sylvester")


def made(name, shape=(Z,), strength=3.0, **options):
    """A posterior that is far from its gentle start."""
    posterior = POSTERIORS.create(name, features=H, latent_shape=shape, **options)
    with torch.no_grad():
        for flow in getattr(posterior, "flows", ()) if name in ("iaf", "spline") else ():
            for p in flow.hyper[-1].parameters():
                p.mul_(strength / 0.3)
    return posterior


@pytest.mark.parametrize("shape", [(Z,), (1,), (2, 2)], ids=str)
@pytest.mark.parametrize("name", FLOWS)
def test_log_q_of_a_draw_is_that_of_its_noise_less_the_log_determinant_of_autograd(name, shape):
    q = made(name, shape)(torch.randn(B, H))
    torch.manual_seed(2)
    z = q.rsample()
    found = q.log_prob(z)
    torch.manual_seed(2)
    e = q.base.rsample()

    def carried(t):
        for bijection in q.bijections:
            t = bijection.forward(t)[0]
        return t

    torch.testing.assert_close(carried(e), z.flatten(1))
    whole = torch.autograd.functional.jacobian(carried, e)
    noise = Normal(q.base.loc, q.base.scale).log_prob(e).sum(-1)
    for b in range(B):
        _, log_det = torch.linalg.slogdet(whole[b, :, b])
        torch.testing.assert_close(found[b], noise[b] - log_det)
    torch.testing.assert_close(q.log_prob(z.clone()), found, atol=1e-7, rtol=1e-7)


@pytest.mark.parametrize("name", FLOWS)
def test_the_density_integrates_to_one(name):
    q = made(name, (2,), strength=1.0)(torch.randn(1, H))
    with torch.no_grad():
        reach = 1.3 * q.sample((4000,)).abs().max().item()
        line = torch.linspace(-reach, reach, 101)
        grid = torch.cartesian_prod(line, line).unsqueeze(1)
        total = q.log_prob(grid).exp().sum(0) * (line[1] - line[0]) ** 2
    torch.testing.assert_close(total, torch.ones(1), atol=3e-3, rtol=0)


@pytest.mark.parametrize("name", FLOWS)
def test_the_datum_sets_the_flow_and_not_just_its_base(name):
    posterior = made(name)
    h = torch.randn(2, H)
    e = torch.randn(Z).expand(2, Z)
    with torch.no_grad():
        for bijection in posterior(h).bijections[: 2 if name == "spline" else None]:
            z, log_det = bijection.forward(e)
            assert (z[0] - z[1]).abs().max() > 1e-3
            assert (log_det[0] - log_det[1]).abs() > 1e-4


@pytest.mark.parametrize("name", FLOWS)
def test_each_value_meets_each_datum_as_a_prior_of_posteriors_asks(name):
    q = made(name)(torch.randn(B, H))
    values = torch.randn(2, 5, 1, Z)
    expected = q.log_prob(values.expand(2, 5, B, Z).reshape(10, B, Z)).view(2, 5, B)
    torch.testing.assert_close(q.log_prob(values), expected)


@pytest.mark.parametrize("name", FLOWS)
def test_there_is_a_deterministic_code_and_no_argmax(name):
    posterior = made(name)
    q = posterior(torch.randn(B, H))
    chosen = code(posterior, q, "mean")
    assert chosen.equal(code(posterior, q, "mean"))
    back, _ = q.bijections[-1].inverse(chosen)
    for bijection in reversed(q.bijections[:-1]):
        back, _ = bijection.inverse(back)
    torch.testing.assert_close(back, q.base.mean, atol=1e-7, rtol=1e-7)
    with pytest.raises(UnsupportedError, match="has no mode"):
        code(posterior, q, "argmax")


@pytest.mark.parametrize("name", ["iaf", "spline"])
def test_the_networks_flows_are_zukos_run_backwards(name):
    q = made(name)(torch.randn(B, H))
    forwards = [b.transform for b in q.bijections if hasattr(b, "transform")]
    if name == "spline":
        last = q.bijections[-1]
        forwards.append(
            zuko.transforms.DependentTransform(
                zuko.transforms.MonotonicAffineTransform(last.loc, torch.zeros(B, Z)), 1
            )
        )
        last.scale = torch.ones(B, Z)
    base = zuko.distributions.DiagNormal(q.base.loc, q.base.scale)
    reference = zuko.distributions.NormalizingFlow(
        zuko.transforms.ComposedTransform(*forwards).inv, base
    )
    z = torch.randn(3, B, Z)
    torch.testing.assert_close(q.log_prob(z), reference.log_prob(z))


def test_a_draw_and_its_density_are_one_pass_through_each_network():
    posterior = made("iaf", flows=3)
    passes = []
    for flow in posterior.flows:
        flow.hyper.register_forward_hook(lambda *_: passes.append(1))
    q = posterior(torch.randn(B, H))
    q.log_prob(q.rsample((7,)))
    assert len(passes) == 3


def test_the_linear_iaf_is_the_full_covariance_gaussian_with_the_same_factor():
    posterior = InverseAutoregressiveFlow(H, (Z,), flows=1, depth=0)
    (flow,) = posterior.flows
    layer = flow.hyper[0]
    with torch.no_grad():
        layer.weight.mul_(10.0)
        # Shift and log scale take turns; a scale that read the noise would not be linear.
        layer.weight[1::2, :Z] = 0.0
    h = torch.randn(B, H)
    q = posterior(h)
    z = torch.randn(5, B, Z)
    weight = layer.mask * layer.weight
    below = weight[0::2, :Z]
    context = h @ weight[:, Z:].T + layer.bias
    bounded = context[:, 1::2] / (1.0 + (context[:, 1::2] / torch.tensor(1e-3).log()).abs())
    factor = (torch.diag_embed(bounded.exp()) + below) @ torch.diag_embed(q.base.scale)
    turned = torch.diag_embed(bounded.exp()) + below
    mean = (turned @ q.base.loc.unsqueeze(-1)).squeeze(-1) + context[:, 0::2]
    reference = MultivariateNormal(mean, scale_tril=factor)
    torch.testing.assert_close(q.log_prob(z), reference.log_prob(z))
    torch.testing.assert_close(q.mean, mean)
    drawn = q.rsample((3,))
    torch.testing.assert_close(q.log_prob(drawn), reference.log_prob(drawn))


def test_the_sylvester_flow_reads_upper_triangles():
    flow = SylvesterFlow(H, (5,), columns=3)
    square = flow._square(torch.arange(1.0, 7.0)[None])[0]
    expected = torch.tensor([[1.0, 2.0, 3.0], [0.0, 4.0, 5.0], [0.0, 0.0, 6.0]])
    torch.testing.assert_close(square, expected)


@pytest.mark.parametrize(
    ("name", "option"),
    [("iaf", "flows"), ("planar", "flows"), ("sylvester", "columns"), ("spline", "bins")],
)
def test_none_of_something_is_refused(name, option):
    with pytest.raises(OptionError, match=f"{option} must be at least 1, got 0"):
        made(name, **{option: 0})
