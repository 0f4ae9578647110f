"""The codebook against loops, hand-written averages and another library."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from isthmus.errors import OptionError
from isthmus.posteriors.codebook import Codebook, kmeans, nearest

pytestmark = pytest.mark.usefixtures("float64")


def points(n, dim=3, seed=0):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def error(z, vectors):
    return (z - vectors[nearest(z, vectors)]).square().sum(-1).mean()


def test_the_nearest_is_what_a_loop_finds(monkeypatch):
    z, vectors = points(50), points(7, seed=1)
    found = [min(range(7), key=lambda k: float((one - vectors[k]).norm())) for one in z]
    assert nearest(z, vectors).tolist() == found
    monkeypatch.setattr("isthmus.posteriors.codebook.MOST_DISTANCES", 7 * 4)
    assert nearest(z, vectors).tolist() == found


def test_the_moving_average_is_that_of_sums_over_that_of_counts():
    K, decay, start = 5, 0.9, points(5, seed=2)
    book = Codebook(K, 3, decay=decay, kmeans=False, revive=0.0).train()
    book.vectors.copy_(start)
    count, sums, vectors = np.full(K, 1 / K), start.numpy() / K, start.numpy()
    for step in range(100):
        z = points(40, seed=10 + step)
        book(z)
        x = z.numpy()
        t = step + 1
        now = min(decay, (1 + t) / (10 + t))
        chosen = np.array([np.square(vectors - one).sum(1).argmin() for one in x])
        n = np.array([(chosen == k).sum() for k in range(K)]) / 40
        s = np.array([x[chosen == k].sum(0) for k in range(K)]) / 40
        count = now * count + (1 - now) * n
        sums = now * sums + (1 - now) * s
        vectors = sums / count[:, None]
        np.testing.assert_allclose(book.vectors, vectors, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(book.usage, count, rtol=1e-12)
    assert now == decay


def test_the_start_is_soon_forgotten():
    # Of T = 60 steps at .99 the start would keep 55% of the weight.
    books = [Codebook(2, 1, kmeans=False, revive=0.0).train() for _ in range(2)]
    for book, start in zip(books, (5.0, 7.0), strict=True):
        book.vectors.copy_(torch.tensor([[start], [-start]]))
        for step in range(60):
            book(torch.tensor([[1.0], [-1.0]]) * (1.0 + step / 60))
    kept = (books[1].vectors[0] - books[0].vectors[0]) / 2.0
    wanted = np.prod([(1 + t) / (10 + t) for t in range(1, 61)])
    assert kept.item() == pytest.approx(wanted, rel=1e-6)
    assert wanted < 1e-9


def test_a_resumed_average_goes_on_where_it_was(tmp_path):
    book, resumed = (Codebook(4, 3, revive=0.0).train() for _ in range(2))
    for step in range(5):
        book(points(40, seed=step))
    save_file(book.state_dict(), tmp_path / "book.safetensors")
    resumed.load_state_dict(load_file(tmp_path / "book.safetensors"))
    for step in range(5, 9):
        book(points(40, seed=step))
        resumed(points(40, seed=step))
    assert resumed.updates == 9
    assert all(v.equal(book.state_dict()[k]) for k, v in resumed.state_dict().items())


def test_an_idle_vector_stays_where_it_is_for_ever():
    book = Codebook(2, 1, decay=0.5, kmeans=False, revive=0.0).train()
    book.vectors.copy_(torch.tensor([[0.0], [100.0]]))
    for _ in range(1200):
        book(torch.ones(4, 1))
    torch.testing.assert_close(book.vectors, torch.tensor([[1.0], [100.0]]))


def test_in_evaluation_nothing_moves():
    book = Codebook(4, 3).eval()
    before = {k: v.clone() for k, v in book.state_dict().items()}
    book(points(20))
    assert all(v.equal(before[k]) for k, v in book.state_dict().items())


def test_kmeans_improves_on_its_start_and_agrees_with_sklearn():
    from sklearn.cluster import KMeans

    torch.manual_seed(0)
    z = torch.cat([points(60, seed=s) * 0.1 + 3.0 * points(4, seed=9)[s] for s in range(4)])
    torch.manual_seed(5)
    start = kmeans(z, 4, steps=0)
    torch.manual_seed(5)
    means = kmeans(z, 4, steps=10)
    assert error(z, means) < error(z, start)
    reference = KMeans(4, init=start.numpy(), n_init=1, max_iter=10).fit(z.numpy())
    torch.testing.assert_close(means, torch.as_tensor(reference.cluster_centers_))


def test_kmeans_with_fewer_inputs_than_means_covers_them_all():
    z = points(5)
    assert error(z, kmeans(z, 16)) < 1e-2 * z.var(0).sum()


def test_the_first_batch_starts_the_codebook_once_and_a_resumed_one_goes_on():
    z = points(200)
    book = Codebook(16, 3).train()
    cold = error(z, book.vectors)
    book(z)
    assert error(z, book.vectors) < 0.5 * cold
    resumed = Codebook(16, 3).train()
    resumed.load_state_dict(book.state_dict())
    resumed(z + 50.0)
    # The nearest one follows these inputs; k-means would have taken all to them.
    assert (resumed.vectors.norm(dim=1) > 50.0).sum() <= 1


def test_revival_brings_a_collapsed_codebook_back_into_use():
    def used(revive):
        torch.manual_seed(0)
        book = Codebook(32, 3, decay=0.8, kmeans=False, revive=revive).train()
        book.vectors.copy_(100.0 + points(32))  # one of them wins everything
        for step in range(60):
            book(points(256, seed=step))
        return len(book.eval()(points(2000, seed=99))[1].unique()) / 32

    assert used(0.0) < 0.1
    assert used(0.1) > 0.9


def test_a_cosine_codebook_has_unit_vectors_and_takes_the_most_similar():
    z = nn.functional.normalize(points(64), dim=-1)
    book = Codebook(8, 3, cosine=True).train()
    for _ in range(5):
        _, indices = book(z)
    torch.testing.assert_close(book.vectors.norm(dim=-1), torch.ones(8))
    _, indices = book.eval()(z)
    assert indices.equal((z @ book.vectors.T).argmax(1))


@pytest.mark.parametrize("options", [{"n_codes": 1}, {"n_codes": 4, "decay": 1.0}])
def test_what_cannot_work_is_refused(options):
    with pytest.raises(OptionError):
        Codebook(dim=2, **options)


def test_it_quantises_as_vector_quantize_pytorch_does():
    library = pytest.importorskip(
        "vector_quantize_pytorch",
        reason="pip install vector-quantize-pytorch",
        exc_type=ImportError,
    )
    theirs = library.VectorQuantize(
        dim=3, codebook_size=8, decay=0.9, threshold_ema_dead_code=0, kmeans_init=False, eps=1e-12
    ).double()
    ours = Codebook(8, 3, decay=0.9, kmeans=False, revive=0.0).train()
    start, z = points(8, seed=3), points(160, seed=4)
    ours.vectors.copy_(start)
    # Theirs has one decay; by then ours has ended its ramp.
    ours.updates.fill_(1000)
    book = theirs._codebook
    book.embed.copy_(start[None])
    # Theirs counts data, ours shares of a batch.
    book.embed_avg.copy_(start[None] * 20)
    book.cluster_size.fill_(20.0)
    for _ in range(3):
        chosen, indices = ours(z)
        quantised, wanted, _ = theirs.train()(z[None])
        assert indices.equal(wanted[0])
        torch.testing.assert_close(chosen, quantised[0])
        torch.testing.assert_close(ours.vectors, book.embed[0])
