"""A plain or a variational code, by the figures of codes alone."""

from isthmus.evaluation.latent_verdict import keys, latent_space
from isthmus.evaluation.ranking import Judged
from isthmus.evaluation.results import ModelResult


def judged(name, errors=0.01, family="learned", **metrics):
    found = dict.fromkeys(metrics, errors) if errors else {}
    return Judged(ModelResult(name, name, family, 8, metrics=metrics, errors=found))


def test_the_code_with_more_figures_beyond_noise_wins():
    finding = latent_space(
        [
            judged("ae", r2=0.9, probe=0.80, udr=0.30),
            judged("vae", r2=0.8, nll=10.0, probe=0.95, udr=0.60),
        ]
    )
    assert finding.winner == "vae"
    assert not finding.within_noise
    assert "vae leads in probe 0.800 and 0.950; UDR 0.300 and 0.600." in finding.text
    # What says how well data are rebuilt has no place here.
    assert "R²" not in finding.text


def test_gaps_within_noise_decide_nothing():
    finding = latent_space(
        [judged("ae", r2=0.9, probe=0.900), judged("vae", r2=0.8, nll=10.0, probe=0.905)]
    )
    assert finding.winner == ""
    assert finding.within_noise
    assert "In 1 figure the two are within noise: probe." in finding.text


def test_one_of_many_figures_is_beyond_noise_by_chance():
    # 2.5 standard errors apart: p .0124, and .0124 times 8 by Holm.
    gap, others = 2.5 * 0.01 * 2**0.5, [key for key in keys() if key != "probe"][:7]
    same = dict.fromkeys(others, 0.5)
    alone = latent_space(
        [judged("ae", r2=0.9, probe=0.8), judged("vae", r2=0.9, nll=1.0, probe=0.8 + gap)]
    )
    assert alone.winner == "vae"
    among = latent_space(
        [
            judged("ae", r2=0.9, probe=0.8, **same),
            judged("vae", r2=0.9, nll=1.0, probe=0.8 + gap, **same),
        ]
    )
    assert among.winner == ""
    assert "In 8 figures the two are within noise" in among.text


def test_a_figure_without_an_uncertainty_decides_nothing():
    finding = latent_space(
        [
            judged("ae", errors=0, r2=0.9, probe=0.1),
            judged("vae", errors=0, r2=0.8, nll=10.0, probe=0.9),
        ]
    )
    assert finding.winner == ""


def test_there_is_nothing_to_say_of_one_kind_alone():
    assert latent_space([judged("ae", r2=0.9, probe=0.8)]) is None
    pca = judged("pca", family="baseline", r2=0.9, probe=0.8)
    assert latent_space([pca, judged("vae", r2=0.8, nll=1.0, probe=0.9)]) is None


def test_only_figures_of_codes_with_a_direction_count():
    assert {"probe", "udr"} <= set(keys())
    assert not {"r2", "nll", "seconds", "active"} & set(keys())
    # A Gaussian fitted to plain codes is nearer to them than a prior is to a posterior's.
    assert not {"prior_mmd", "prior_auc"} & set(keys())


def test_smoothness_alone_makes_no_winner_of_a_model_that_rebuilds_less():
    def of(ae_r2):
        plain = judged("ae", r2=ae_r2, stretch=1.30, jump=1.5, probe=0.9)
        return latent_space(
            [plain, judged("vae", r2=0.6, nll=1.0, stretch=1.1, jump=1.2, probe=0.9)]
        )

    blurred = of(0.8)
    assert blurred.winner == ""
    assert "in smoothness only" in blurred.text
    assert "R² 0.600 and 0.800" in blurred.text
    assert "vae leads in stretch 1.300 and 1.100; jump 1.50 and 1.20." in blurred.text
    assert of(0.5).winner == "vae"
