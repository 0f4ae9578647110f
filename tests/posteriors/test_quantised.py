"""Quantised posteriors: straight-through gradients, losses, and integers that name vectors."""

import itertools
import math

import pytest
import torch

from isthmus.errors import DataError, OptionError, UnsupportedError
from isthmus.posteriors import (
    FiniteScalar,
    LookupFree,
    ResidualQuantised,
    VectorQuantised,
    code,
)
from isthmus.posteriors.lookup_free import usage_entropy

pytestmark = pytest.mark.usefixtures("float64")

H = 6
MAKES = {
    "vq": lambda: VectorQuantised(H, (4, 3), n_codes=16),
    "vq flat": lambda: VectorQuantised(H, (3,), n_codes=16),
    "vq by gradient": lambda: VectorQuantised(H, (4, 3), n_codes=16, ema=False),
    "vq cosine": lambda: VectorQuantised(H, (4, 3), n_codes=16, cosine=True),
    "vq grid": lambda: VectorQuantised(H, (2, 2, 3), n_codes=16),
    "rvq": lambda: ResidualQuantised(H, (4, 3), stages=3, n_codes=8),
    "fsq": lambda: FiniteScalar(H, (4, 3), levels=(4, 3, 5)),
    "lfq": lambda: LookupFree(H, (4, 3), bits=5),
}


def features(n=40, seed=0):
    return torch.randn(n, H, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=MAKES)
def posterior(request):
    torch.manual_seed(0)
    made = MAKES[request.param]()
    made.train()(features())  # codebooks start from a first batch
    return made


def test_the_integers_name_the_latents(posterior):
    h = features(seed=1)
    q = posterior.eval()(h)
    indices = code(posterior, q, "argmax")
    assert not indices.is_floating_point()
    assert indices.shape == (40, *posterior.code_shape)
    torch.testing.assert_close(posterior.embed(indices), q.mean)
    torch.testing.assert_close(code(posterior, q, "sample"), q.mean)
    assert q.rsample((3,)).shape == (3, 40, *posterior.latent_shape)
    with pytest.raises(UnsupportedError, match="no density"):
        q.log_prob(q.mean)


def test_integers_that_no_code_has_are_refused(posterior):
    zero = torch.zeros(2, *posterior.code_shape, dtype=torch.long)
    with pytest.raises(DataError, match="lie between"):
        posterior.embed(zero + posterior.n_codes)
    with pytest.raises(DataError, match="expected"):
        posterior.embed(zero[..., None])


@pytest.mark.parametrize("name", ["vq", "vq flat", "vq grid", "rvq"])
def test_the_gradient_passes_straight_through_to_the_encoder(name):
    posterior = MAKES[name]()
    posterior.train()(features())
    h = features(seed=1).requires_grad_()
    upstream = torch.randn(40, *posterior.latent_shape)
    (posterior.eval()(h).mean * upstream).sum().backward()
    # As if the code were the head's output itself.
    torch.testing.assert_close(h.grad, upstream.flatten(1) @ posterior.head.weight)


def test_the_vq_loss_is_the_papers_and_per_datum():
    torch.manual_seed(0)
    posterior = VectorQuantised(H, (4, 3), n_codes=16, ema=False, commitment=0.25).eval()
    h = features()
    q = posterior(h)
    terms = posterior.penalties(q)
    z = (h @ posterior.head.weight.T + posterior.head.bias).view(40, 4, 3)
    vectors = posterior.codebook.vectors
    z, codewords = z.detach(), vectors.detach()
    for b in range(0, 40, 7):
        distance = sum(
            min(float((z[b, g] - word).square().sum()) for word in codewords) for g in range(4)
        )
        assert float(terms["codebook"][b].detach()) == pytest.approx(distance)
        assert float(terms["commitment"][b].detach()) == pytest.approx(0.25 * distance)
    # The commitment moves the encoder alone, the codebook loss the codebook alone.
    head, book = posterior.head.weight, vectors
    for name, moved, still in (("commitment", head, book), ("codebook", book, head)):
        grads = torch.autograd.grad(
            terms[name].sum(), [moved, still], allow_unused=True, retain_graph=True
        )
        assert grads[0].abs().sum() > 0
        assert grads[1] is None


@pytest.mark.parametrize("name", ["vq", "vq by gradient", "rvq", "lfq"])
@pytest.mark.parametrize("training", [False, True])
def test_the_loss_does_not_grow_with_the_batch(name, training):
    posterior = MAKES[name]()
    posterior.train()(features())
    if name == "rvq":
        posterior.dropout = 0.0
    state = {k: v.clone() for k, v in posterior.state_dict().items()}
    h = features(seed=1)
    costs = []
    for copies in (1, 5):
        posterior.load_state_dict(state)
        q = posterior.train(training)(h.repeat(copies, 1))
        costs.append(sum(term.mean() for term in posterior.penalties(q).values()))
    torch.testing.assert_close(costs[0], costs[1])


def test_residual_stages_each_quantise_what_is_left():
    posterior = MAKES["rvq"]()
    posterior.train()(features())
    posterior.eval()
    h = features(seed=1)
    q = posterior(h)
    z = (h @ posterior.head.weight.T + posterior.head.bias).view(40, 4, 3)
    for b, g in itertools.product(range(0, 40, 9), range(4)):
        rest = z[b, g]
        for stage, book in enumerate(posterior.codebooks):
            k = int((book.vectors - rest).norm(dim=1).argmin())
            assert q.mode[b, g, stage] == k
            rest = rest - book.vectors[k]
        torch.testing.assert_close(q.mean[b, g], z[b, g] - rest)


def test_more_residual_stages_err_less_and_minus_one_leaves_a_stage_out():
    torch.manual_seed(0)
    posterior = ResidualQuantised(H, (4, 3), stages=4, n_codes=16)
    for step in range(30):
        posterior.train()(features(256, seed=step))
    h = features(400, seed=99)
    z = (h @ posterior.head.weight.T + posterior.head.bias).view(400, 4, 3)
    whole = posterior.eval()(h).mode
    errors = []
    for kept in range(5):
        cut = whole.clone()
        cut[..., kept:] = -1
        errors.append(float((posterior.embed(cut) - z).square().sum(-1).mean().detach()))
    assert errors == sorted(errors, reverse=True)
    assert errors[4] < 0.1 * errors[1]


def test_quantiser_dropout_cuts_the_drawn_share_of_data():
    torch.manual_seed(0)
    posterior = ResidualQuantised(H, (3,), stages=4, n_codes=8, dropout=0.5).train()
    kept = posterior._stages_kept(torch.zeros(20_000, H))
    shares = torch.bincount(kept, minlength=5) / len(kept)
    wanted = torch.tensor([0.0, 0.125, 0.125, 0.125, 0.625])
    torch.testing.assert_close(shares, wanted, atol=0.01, rtol=0)


@pytest.mark.parametrize("levels", [(2,), (3, 2), (8, 6, 5), (5, 5)])
def test_fsq_has_as_many_codes_as_the_product_of_its_levels(levels):
    posterior = FiniteScalar(len(levels), (len(levels),), levels=levels)
    with torch.no_grad():
        posterior.head.weight.copy_(torch.eye(len(levels)))
        posterior.head.bias.zero_()
        posterior.spread.weight.copy_(torch.eye(len(levels)))
        posterior.spread.bias.zero_()
    assert posterior.n_codes == math.prod(levels)
    every = torch.arange(posterior.n_codes)[:, None]
    vectors = posterior.embed(every).detach()
    assert len(vectors.unique(dim=0)) == posterior.n_codes
    assert vectors.abs().max() <= 1.0
    # Any vector lies on the grid, and a wide spread of inputs reaches every code.
    q = posterior(10.0 * torch.rand(1000 * posterior.n_codes, len(levels)) - 5.0)
    assert len(q.mode.unique()) == posterior.n_codes
    torch.testing.assert_close(posterior.embed(q.mode), q.mean)


def test_fsq_is_vector_quantize_pytorchs():
    library = pytest.importorskip(
        "vector_quantize_pytorch",
        reason="pip install vector-quantize-pytorch",
        exc_type=ImportError,
    )
    levels = (8, 5, 6)
    ours = FiniteScalar(3, (3,), levels=levels)
    theirs = library.FSQ(list(levels)).double()
    raw = 2.0 * torch.randn(500, 3)
    with torch.no_grad():
        ours.head.weight.copy_(torch.eye(3))
        ours.head.bias.zero_()
        ours.spread.weight.copy_(torch.eye(3))
        ours.spread.bias.zero_()
        value, indices = theirs(raw[:, None])
        q = ours(raw)
    assert q.mode[:, 0].equal(indices[:, 0].long())
    torch.testing.assert_close(q.mean, value[:, 0].double(), atol=1e-6, rtol=1e-6)


def test_fsq_gradient_is_that_of_the_bounded_head():
    posterior = FiniteScalar(H, (2, 3), levels=(4, 5))
    h = features().requires_grad_()
    posterior(h).mean.sum().backward()
    wanted = features().requires_grad_()
    raw = posterior.head(wanted).view(40, 2, 2)
    half = torch.tensor([3.0, 4.0]) * 1.001 / 2
    shift = torch.tensor([0.5, 0.0])
    bounded = (raw + (shift / half).atanh()).tanh() * half - shift
    posterior.spread(bounded / torch.tensor([2, 2])).sum().backward()
    torch.testing.assert_close(h.grad, wanted.grad, rtol=1e-5, atol=1e-7)


def test_lfq_entropy_is_that_of_the_softmax_over_all_codes():
    posterior = LookupFree(H, (2, 3), bits=4, entropy=0.1, diversity=0.7, temperature=1.3)
    h = features()
    q = posterior(h)
    raw = posterior.head(h).view(40, 2, 4)
    codes = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=4)))
    distances = (raw.tanh()[..., None, :] - codes).square().sum(-1)
    p = (-distances / 1.3).softmax(-1)
    certain = -(p * p.log()).sum(-1).sum(1)
    mean = p.flatten(0, 1).mean(0)
    used = -(mean * mean.log()).sum()
    torch.testing.assert_close(posterior.penalties(q)["entropy"], 0.1 * (certain - 0.7 * 2 * used))
    signs = torch.where(raw > 0, 1.0, -1.0)
    torch.testing.assert_close(q.mean, posterior.spread(signs))


def test_lfq_gradient_is_that_of_the_bounded_head():
    posterior = LookupFree(H, (2, 3), bits=4)
    h = features().requires_grad_()
    posterior(h).mean.sum().backward()
    wanted = features().requires_grad_()
    posterior.spread(posterior.head(wanted).view(40, 2, 4).tanh()).sum().backward()
    torch.testing.assert_close(h.grad, wanted.grad)


def test_a_sign_that_is_settled_can_be_turned_again():
    """Far out, what bounds a dimension lets it neither drift on nor stay for ever."""
    posterior = LookupFree(1, (1,), bits=1, entropy=0.0)
    with torch.no_grad():
        posterior.head.weight.fill_(1.0)
        posterior.spread.weight.fill_(1.0)
        posterior.spread.bias.zero_()
    optimiser = torch.optim.Adam([posterior.head.weight], lr=0.05)

    def push(towards, steps):
        for _ in range(steps):
            optimiser.zero_grad()
            (posterior(torch.ones(1, 1)).mean - towards).square().sum().backward()
            optimiser.step()

    # A target beyond what a sign can give: its error is never 0, and an unbounded dimension walks.
    push(3.0, 400)
    assert posterior(torch.ones(1, 1)).mean.item() == 1.0
    push(-3.0, 240)
    assert posterior(torch.ones(1, 1)).mean.item() == -1.0


def test_lfq_usage_in_groups_is_the_sum_and_has_a_gradient_where_codes_are_impossible():
    p = torch.rand(30, 13)
    torch.testing.assert_close(
        usage_entropy(p), usage_entropy(p[:, :10]) + usage_entropy(p[:, 10:])
    )
    edge = torch.tensor([[0.0, 1.0], [0.0, 0.5]], requires_grad=True)
    usage_entropy(edge).backward()
    assert edge.grad.isfinite().all()


def test_bits_of_a_code_are_exact():
    assert VectorQuantised(H, (8, 3), n_codes=512).code_bits == 8 * 9
    assert ResidualQuantised(H, (8, 3), stages=4, n_codes=256).code_bits == 8 * 4 * 8
    assert LookupFree(H, (8, 3), bits=9).code_bits == 72
    assert FiniteScalar(H, (8, 3), levels=(8, 6, 5)).code_bits == pytest.approx(8 * math.log2(240))


def test_what_cannot_work_is_refused():
    with pytest.raises(OptionError, match="levels"):
        FiniteScalar(H, (3,), levels=(8, 1))
    with pytest.raises(OptionError, match="bits"):
        LookupFree(H, (3,), bits=30)
    with pytest.raises(OptionError, match="stage"):
        ResidualQuantised(H, (3,), stages=0)
