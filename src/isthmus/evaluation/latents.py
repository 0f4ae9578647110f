"""Codes of a candidate that are drawn: from the prior, and from the posteriors of data."""

from __future__ import annotations

import numpy as np
import torch

from isthmus.answering import answering
from isthmus.errors import UnsupportedError
from isthmus.evaluation.candidates import tensor_for
from isthmus.evaluation.subject import Subject
from isthmus.evaluation.units import Floats, as_floats
from isthmus.latent import interpolate
from isthmus.model import LatentModel
from isthmus.posteriors import DiscretePosterior
from isthmus.training.devices import own_random_state

# Why codes of integers have no figure.
NOTHING_BETWEEN = "between which nothing lies"
NO_DISTANCE = "without a distance from a prior: perplexity says how evenly they are used"

# Between the seeds of draws that must not share their noise.
APART = 7919


def prior_codes(subject: Subject, n: int) -> Floats:
    """Codes (n, Z) that new data are decoded from: z ~ p(z), or the density fitted to the codes.

    For a baseline, from the Gaussian of its training codes. The noise is another than that of
    `posterior_codes`: with the same, each code of a collapsed posterior would have a twin here.

    Raises:
        UnsupportedError: The codes are integers.
    """
    model, seed = subject.candidate.model, subject.question.seed + APART
    if model is None:
        codes = subject.train_codes
        covariance = np.atleast_2d(np.cov(codes, rowvar=False))
        random = np.random.default_rng(seed)
        return random.multivariate_normal(codes.mean(0), covariance, n, method="eigh")
    _refuse_integers(model, subject.candidate.name, NO_DISTANCE)
    device = next(model.parameters()).device
    given = subject.given(n)
    with answering(model), own_random_state(device, seed):
        p = model.code_prior(given) if model.sampler is None else model.sampler(given)
        z = p.sample() if p.batch_shape else p.sample(torch.Size((n,)))
    return as_floats(z[:n]).reshape(n, -1)


def posterior_codes(subject: Subject, x: Floats) -> Floats:
    """One draw z ~ q(z|x) for each of the first held-out data x (N, *D): (N, Z); the code itself
    where it is a point.

    Raises:
        UnsupportedError: The codes are integers.
    """
    model = subject.candidate.model
    if model is None:
        return subject.candidate.encode(x)
    _refuse_integers(model, subject.candidate.name, NO_DISTANCE)
    asked = tensor_for(model, x)
    with own_random_state(asked.device, subject.question.seed):
        codes = model.encode(asked, "sample", condition=subject.given(len(x)))
    return as_floats(codes).reshape(len(x), -1)


def paths(subject: Subject, first: Floats, last: Floats, steps: int) -> Floats:
    """Codes (P, T, Z) on the shortest way from each of `first` (P, Z) to its partner in `last`.

    Raises:
        UnsupportedError: The codes are integers.
    """
    model = subject.candidate.model
    if model is None:
        t = np.linspace(0.0, 1.0, steps)[:, None]
        return first[:, None] * (1.0 - t) + last[:, None] * t
    _refuse_integers(model, subject.candidate.name, NOTHING_BETWEEN)
    a, b = (tensor_for(model, ends).unflatten(1, model.latent_shape) for ends in (first, last))
    found = as_floats(interpolate(model, a, b, steps))
    return found.reshape(len(first), steps, -1)


def _refuse_integers(model: LatentModel, name: str, why: str) -> None:
    if isinstance(model.posterior, DiscretePosterior):
        raise UnsupportedError(f"the codes of {name} are integers, {why}")
