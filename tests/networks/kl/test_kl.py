"""The latent-diffusion autoencoder against diffusers' with the same weights, and by itself."""

import pytest
import torch
import torch.nn.functional as F

from isthmus.errors import OptionError
from isthmus.networks import KLDecoder, KLEncoder
from isthmus.networks.kl.blocks import FEW_CELLS, attend
from isthmus.posteriors import SpatialGaussian

from .conftest import build_ours, excite

CONFIGURATIONS = {
    "plain": {"channels": (8, 16)},
    "one stage": {"channels": (8,)},
    "no quant convolutions": {"channels": (8, 16, 16), "quant": False},
    "no attention": {"channels": (8, 16), "attention": False},
    "sixteen channels": {"channels": (8, 12), "latent": 16, "quant": False, "layers": 2},
    "three layers": {"channels": (16, 8, 24), "layers": 3, "groups": 8},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("options", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_the_moments_and_the_images_are_those_of_diffusers(make_pair, options):
    pair = make_pair((16, 24), **options)
    x = torch.rand(2, 3, 16, 24) * 2 - 1
    with torch.no_grad():
        expected = pair.oracle.encode(x).latent_dist
        mean, log_variance = pair.posterior.moments(pair.encoder(x))
        z = torch.randn_like(expected.mean)
        images, decoded = pair.oracle.decode(z).sample, pair.decoder(z)[:, 0]
        q = pair.posterior(pair.encoder(x))
    assert mean.std() > 0.1
    assert images.std() > 0.1
    torch.testing.assert_close(mean, expected.mean, atol=1e-5, rtol=0.0)
    torch.testing.assert_close(log_variance, expected.logvar, atol=1e-5, rtol=0.0)
    torch.testing.assert_close(decoded, images, atol=1e-5, rtol=0.0)
    torch.testing.assert_close(q.mode, expected.mode(), atol=1e-5, rtol=0.0)
    torch.testing.assert_close(q.stddev, expected.std, atol=1e-5, rtol=1e-4)
    standard = torch.distributions.Normal(0.0, 1.0)
    kl = torch.distributions.kl_divergence(torch.distributions.Normal(mean, q.stddev), standard)
    torch.testing.assert_close(kl.flatten(1).sum(1), expected.kl(), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("latent", "quant", "encoder_count", "decoder_count", "all_of_them", "tensors"),
    [
        (4, True, 34_163_592, 49_490_179 + 20, 83_653_863, 248),
        (16, False, None, None, 83_819_683, 244),
    ],
)
def test_published_sizes_have_the_published_number_of_parameters(
    latent, quant, encoder_count, decoder_count, all_of_them, tensors
):
    with torch.device("meta"):
        parts = build_ours((512, 512), (128, 256, 512, 512), latent, 2, 32, True, quant)
    counts = [sum(p.numel() for p in part.parameters()) for part in parts]
    assert sum(counts) == all_of_them
    assert sum(len(part.state_dict()) for part in parts) == tensors
    if encoder_count is not None:
        assert (counts[0], counts[2]) == (encoder_count, decoder_count)


@pytest.mark.parametrize("size", [(9, 16), (17, 30), (1, 3)])
def test_odd_sizes_are_padded_with_their_edge_and_cropped_back(size):
    encoder, posterior, decoder = build_ours(size, (8, 8, 8))
    x = torch.rand(2, 3, *size)
    grid = tuple(-(-side // 4) for side in size)
    assert encoder.grid == grid
    by_hand = F.pad(x, (0, 4 * grid[1] - size[1], 0, 4 * grid[0] - size[0]), mode="replicate")
    with torch.no_grad():
        h = encoder(x)
        torch.testing.assert_close(h, encoder(by_hand))
        q = posterior(h)
        assert q.mean.shape == (2, 4, *grid)
        out = decoder(q.mean)
        assert out.shape == (2, 1, 3, *size)
        whole = decoder.decode_map(q.mean)
    torch.testing.assert_close(out[:, 0], whole[..., : size[0], : size[1]])


def test_another_size_than_it_was_built_for_runs_too():
    encoder, posterior, decoder = build_ours((8, 8), (8, 8))
    with torch.no_grad():
        q = posterior(encoder(torch.rand(1, 3, 13, 6)))
        assert q.mean.shape == (1, 4, 7, 3)
        assert decoder(q.mean).shape == (1, 1, 3, 14, 6)


@pytest.mark.parametrize("size", [(21,), (6, 9, 5)])
def test_one_and_three_axes(size):
    encoder = KLEncoder((2, *size), 3, (4, 8), 1, 4)
    latent_shape = (3, *encoder.grid)
    posterior = SpatialGaussian(6, latent_shape, encoder.grid)
    decoder = KLDecoder(latent_shape, (2, 2, *size), (4, 8), 1, 4)
    x = torch.rand(2, 2, *size)
    q = posterior(encoder(x))
    assert q.mean.shape == (2, *latent_shape)
    assert q.log_prob(q.rsample()).shape == (2,)
    assert decoder(q.mean).shape == (2, 2, 2, *size)


def test_a_single_frame_meets_the_middle_of_every_kernel():
    flat = KLEncoder((3, 8, 6), 2, (8,), 1, 4)
    deep = KLEncoder((3, 1, 8, 6), 2, (8,), 1, 4)
    excite(deep)
    held = deep.state_dict()
    flat.load_state_dict(
        {k: v[:, :, v.shape[2] // 2] if v.dim() == 5 else v for k, v in held.items()}
    )
    x = torch.rand(2, 3, 8, 6)
    with torch.no_grad():
        torch.testing.assert_close(deep(x[:, :, None])[:, :, 0], flat(x))


@pytest.mark.parametrize("attention", [True, False])
def test_checkpointing_gives_the_same_gradients(attention):
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(3)
        encoder = KLEncoder((3, 8, 8), 2, (4, 8), 1, 4, attention, checkpointing).double()
        decoder = KLDecoder(
            (2, 4, 4), (1, 3, 8, 8), (4, 8), 1, 4, attention, checkpointing=checkpointing
        ).double()
        x = torch.rand(2, 3, 8, 8, dtype=torch.float64)
        decoder(encoder(x).chunk(2, 1)[0]).square().sum().backward()
        gradients.append([p.grad for p in (*encoder.parameters(), *decoder.parameters())])
    for plain, again in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, again, rtol=1e-12, atol=1e-12)


def test_checkpointing_keeps_less_and_only_while_training():
    kept = []
    for checkpointing in (False, True):
        encoder = KLEncoder((3, 16, 16), 2, (8, 8), 2, 4, checkpointing=checkpointing)
        for training in (True, False):
            total = 0

            def pack(t):
                nonlocal total
                total += t.numel()
                return t

            encoder.train(training)
            with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
                encoder(torch.rand(1, 3, 16, 16))
            kept.append(total)
    plain_training, plain_asked, checkpointed, asked = kept
    assert plain_training == plain_asked == asked
    assert checkpointed < plain_training / 3


def test_what_cannot_work_is_refused():
    with pytest.raises(OptionError, match="multiples of it, or fewer groups"):
        KLEncoder((3, 8, 8), 4, (12, 16), 1, 8)
    with pytest.raises(OptionError, match="at least one stage"):
        KLEncoder((3, 8, 8), 4, (), 1, 8)
    with pytest.raises(OptionError, match="network='mlp'"):
        KLEncoder((3,), 4, (8,), 1, 8)
    with pytest.raises(OptionError, match=r"shape \(width, 4, 4\)"):
        KLDecoder((4, 8, 8), (1, 3, 8, 8), (8, 8), 1, 8)
    with pytest.raises(OptionError, match="posterior 'diagonal'"):
        SpatialGaussian(8, (4,))
    with pytest.raises(OptionError, match="8 features, and got 6"):
        SpatialGaussian(6, (4, 2, 2), (2, 2))


@pytest.mark.parametrize("cells", [30, FEW_CELLS + 1])
def test_attention_is_the_softmax_of_all_pairs_with_its_gradients(cells):
    q, k, v = (torch.randn(2, 1, cells, 8, dtype=torch.float64) for _ in range(3))
    given = [t.requires_grad_() for t in (q, k, v)]
    weight = torch.softmax(torch.einsum("bhqc,bhkc->bhqk", q, k) / 8**0.5, -1)
    expected = torch.einsum("bhqk,bhkc->bhqc", weight, v)
    found = attend(q, k, v)
    torch.testing.assert_close(found, expected)
    with torch.no_grad():
        torch.testing.assert_close(attend(q, k, v), expected)
    for gradient, by_hand in zip(
        torch.autograd.grad(found.square().sum(), given),
        torch.autograd.grad(expected.square().sum(), given),
        strict=True,
    ):
        torch.testing.assert_close(gradient, by_hand)
