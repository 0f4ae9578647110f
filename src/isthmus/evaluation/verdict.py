"""From figures to plain words: which model for which purpose, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from isthmus.evaluation.figures import figure
from isthmus.evaluation.kinds import kind_of
from isthmus.evaluation.latent_verdict import latent_space, plain_of, variational_of
from isthmus.evaluation.ranking import Judged, Ranking, leads, rank
from isthmus.evaluation.results import Finding, ModelResult
from isthmus.evaluation.units import Floats

# Samples that a classifier tells from real data better than this convince nobody.
CONVINCING = 0.95
NEED = "do I need an autoencoder"
PLAIN_OR_VARIATIONAL = "a plain or a variational one"


def verdict(judged: Sequence[Judged], pca_curve: Floats, countable: bool) -> list[Finding]:
    """One finding for each purpose that the figures can speak of.

    Args:
        judged: All models, those of the sweep over sizes too.
        pca_curve: Held-out R² of PCA with 0, 1, 2, ... components.
        countable: The data are whole values, so that a likelihood is a number of bits.
    """
    main = [j for j in judged if j.result.main]
    kept = [j.result.metrics["r2"] for j in main if "r2" in j.result.metrics]
    sound = not kept or any(r2 > 0 for r2 in kept)
    findings = [
        _need(main, pca_curve) if sound else _nothing_kept(max(kept)),
        _plain_or_variational(main) if sound else None,
        latent_space(main),
        _compress(main, countable) if sound else None,
        _code_size(judged, pca_curve),
        _generate(main),
        _features(main),
        _anomalies(main),
    ]
    return [finding for finding in findings if finding is not None]


def _nothing_kept(best: float) -> Finding:
    """Of models that all rebuild worse than the mean of the data would, none is to be advised."""
    return Finding(
        NEED,
        "",
        f"These figures cannot tell: no model keeps any of the held-out data's variance (R² at "
        f"most {figure(best, 3)}). Look for extreme values among the data, or train longer.",
    )


def _need(main: Sequence[Judged], pca_curve: Floats) -> Finding | None:
    """Do these data need an autoencoder at all?"""
    pca = next((j for j in main if j.result.name == "pca"), None)
    learned = [j for j in main if j.result.family == "learned"]
    if pca is None:
        return None
    # What is told more of each datum, or keeps more of it, does not show that a network is needed.
    own = [j for j in learned if not j.result.given] or learned
    small = [j for j in own if j.result.latent_dim <= pca.result.latent_dim]
    ranking = rank(small or own, "r2")
    if ranking is None:
        return None
    best, linear = ranking.best, pca.result
    kept, theirs = best.metrics["r2"], linear.metrics["r2"]
    enough = int(np.argmax(pca_curve >= kept)) if (pca_curve >= kept).any() else 0
    needed = (
        f"PCA needs {enough} dimensions for as much" if enough else "PCA reaches that at no size"
    )
    other = "" if best.latent_dim == linear.latent_dim else f" at {linear.latent_dim}"
    figures = (
        f"At {best.latent_dim} dimensions {best.label} keeps R² {figure(kept, 3)} and PCA "
        f"{figure(theirs, 3)}{other}"
    )
    if kept <= theirs or not leads(ranking.models[0], pca, "r2"):
        close = ", a difference within noise" if kept > theirs else ""
        return Finding(
            NEED,
            linear.label,
            f"For reconstruction, no: PCA is enough. {figures}{close}.",
            within_noise=kept > theirs,
        )
    return Finding(NEED, best.label, f"For reconstruction, yes. {figures}; {needed}.")


def _plain_or_variational(main: Sequence[Judged]) -> Finding | None:
    """A plain one or a variational one?"""
    learned = [j for j in main if j.result.family == "learned"]
    plain, variational = rank(plain_of(learned), "r2"), rank(variational_of(learned), "r2")
    if plain is None or variational is None:
        return None
    a, b = plain.best, variational.best
    kept = f"(R² {figure(a.metrics['r2'], 3)} and {figure(b.metrics['r2'], 3)})"
    told = f" given {', '.join(b.given)}" if b.given else ""
    gives = (
        f"tells how likely a datum is{told} ({figure(b.metrics['nll'], 1)} nats) and what its code "
        f"costs ({b.metrics['rate']:.1f} bits)"
    )
    close = not leads(plain.models[0], variational.models[0], "r2")
    if close:
        text = (
            f"{a.label} and {b.label} rebuild alike, within noise {kept}, and {b.label} also "
            f"{gives}. Take {b.label}."
        )
        return Finding(PLAIN_OR_VARIATIONAL, b.label, text, close)
    if a.metrics["r2"] < b.metrics["r2"]:
        better = f"(R² {figure(b.metrics['r2'], 3)} and {figure(a.metrics['r2'], 3)})"
        text = f"{b.label} rebuilds better than {a.label} {better}, and also {gives}."
        return Finding(PLAIN_OR_VARIATIONAL, b.label, text)
    text = (
        f"{a.label} rebuilds better than {b.label} {kept}, but only {b.label} {gives}. Take "
        f"{a.label} for reconstruction alone, {b.label} for everything that needs a likelihood."
    )
    return Finding(PLAIN_OR_VARIATIONAL, a.label, text)


def _compress(main: Sequence[Judged], countable: bool) -> Finding | None:
    ranking = rank(main, "r2")
    if ranking is None:
        return None
    best = ranking.best
    stored = " as float32" if best.metrics["bytes"] == 4 * best.latent_dim else ""
    text = (
        f"{best.label} loses least at {best.latent_dim} dimensions: R² "
        f"{figure(best.metrics['r2'], 3)}{_error(best, 'r2', 3)}, "
        f"{best.metrics['bytes']:.0f} bytes a code{stored}{_next(ranking, 'r2', 3)}."
    )
    return Finding("compress", best.label, text + _lossless(main, countable), ranking.within_noise)


def _lossless(main: Sequence[Judged], countable: bool) -> str:
    """Who gives held-out data the highest likelihood, and whose is of another kind."""
    ranking = rank(main, "nll")
    if ranking is None:
        return ""
    best = ranking.best
    nll, kind = best.metrics["nll"], kind_of(best)
    others = [j.result for j in main if "nll" in j.result.metrics]
    left_out = [r.label for r in others if kind_of(r) != kind]
    among = f"whose likelihood is {kind.words}" if left_out else "with a likelihood"
    given = f" given {', '.join(kind.given)}" if kind.given and not left_out else ""
    text = f" Of those {among} {best.label} gives held-out data the highest{given}"
    text += f": NLL {figure(nll, 1)} nats"
    exact = countable and best.is_mass is not False
    text += f", {nll / math.log(2.0):,.0f} bits to store a datum exactly" if exact else ""
    if ranking.within_noise:
        second = ranking.models[1].result
        text += f"; within noise of {second.label} with {figure(second.metrics['nll'], 1)}"
    text += "."
    if left_out:
        text += f" Not to be compared with it: the NLL of {', '.join(left_out)}."
    return text


def _code_size(judged: Sequence[Judged], pca_curve: Floats) -> Finding | None:
    """How small may the code be?"""
    sweep = sorted(
        (j.result for j in judged if j.result.name == "ae"), key=lambda result: result.latent_dim
    )
    if len(sweep) < 2:
        return None
    steps = ", ".join(f"{figure(r.metrics['r2'], 2)} at {r.latent_dim}" for r in sweep)
    linear = ", ".join(
        f"{figure(pca_curve[r.latent_dim], 2)}" for r in sweep if r.latent_dim < len(pca_curve)
    )
    top = max(r.metrics["r2"] for r in sweep)
    if not top > 0:
        return Finding(
            "code size",
            "",
            f"At no size ae keeps any of the held-out data's variance: R² {steps} dimensions (PCA: "
            f"{linear}). Train longer, or look for extreme values in the data.",
        )
    small = next(r for r in sweep if r.metrics["r2"] >= 0.95 * top)
    return Finding(
        "code size",
        f"{small.latent_dim} dimensions",
        f"ae keeps R² {steps} dimensions (PCA: {linear}). {small.latent_dim} dimensions keep 95 "
        "% of the best "
        f"({top:.2f}).",
    )


def _generate(main: Sequence[Judged]) -> Finding | None:
    ranking = rank(main, "sample_auc")
    if ranking is None:
        return None
    best = ranking.best
    found = best.metrics["sample_auc"]
    text = (
        f"A classifier tells {best.label}'s samples from held-out data with AUC {found:.3f}"
        f"{_error(best, 'sample_auc', 3)} (0.5 would be not at "
        f"all){_next(ranking, 'sample_auc', 3)}."
    )
    if found > CONVINCING:
        return Finding(
            "generate", "", f"No model's samples pass for real. {text}", ranking.within_noise
        )
    return Finding("generate", best.label, text, ranking.within_noise)


def _features(main: Sequence[Judged]) -> Finding | None:
    ranking = rank(main, "probe")
    if ranking is None:
        return None
    best = ranking.best
    return Finding(
        "features",
        best.label,
        f"A linear classifier on {best.label}'s codes names the label of "
        f"{100 * best.metrics['probe']:.1f} %"
        f"{_error(best, 'probe', 1, 100.0)} of the held-out data{_next(ranking, 'probe', 3)}.",
        ranking.within_noise,
    )


def _anomalies(main: Sequence[Judged]) -> Finding | None:
    ranking = rank(main, "outlier_auc")
    if ranking is None:
        return None
    best = ranking.best
    score = "the bound on log p(x)" if "nll" in best.metrics else "the reconstruction error"
    return Finding(
        "spot anomalies",
        best.label,
        f"By {score}, {best.label} ranks spoiled data above held-out ones with AUC "
        f"{best.metrics['outlier_auc']:.3f}"
        f"{_error(best, 'outlier_auc', 3)}{_next(ranking, 'outlier_auc', 3)}.",
        ranking.within_noise,
    )


def _error(result: ModelResult, key: str, digits: int, factor: float = 1.0) -> str:
    return f" ± {factor * result.errors[key]:.{digits}f}" if key in result.errors else ""


def _next(ranking: Ranking, key: str, digits: int) -> str:
    """The runner-up, and whether the lead over it means anything."""
    if len(ranking.models) < 2:
        return ""
    second = ranking.models[1].result
    text = f"; next is {second.label} with {second.metrics[key]:.{digits}f}"
    if second.latent_dim != ranking.best.latent_dim:
        text += f" at {second.latent_dim} dimensions"
    return f"{text}, which is within noise" if ranking.within_noise else text
