"""What a code of integers costs, in a comparison."""

import math

import pytest
import torch

from isthmus.data import load
from isthmus.evaluation.candidates import learned
from isthmus.evaluation.measures import ask
from isthmus.evaluation.subject import Subject
from isthmus.fitting import fit
from isthmus.objectives import Reconstruction
from isthmus.recipes import Axes, assemble
from isthmus.registry import pick


def candidate(**parts):
    source = load(torch.randn(100, 5).numpy())
    axes = Axes(latent_dim=2, hidden=(8,))
    built = assemble(source.spec, axes, Reconstruction(), preferred="gaussian", **parts)
    run = fit(source, built.model, objective=built.objective, epochs=1, threads=1)
    return learned(run, 4)


def test_integers_are_counted_in_bits_where_there_is_no_density():
    fsq = candidate(posterior=pick("fsq"), prior=pick("uniform-codes"), grid=(8,))
    bits = 8 * math.log2(8 * 6 * 5)
    answers = ask(Subject(fsq, None), ["likelihood"])
    assert answers.values["rate"].value == pytest.approx(bits)
    assert answers.why_missing.keys() == {"nll", "elbo", "distortion"}
    assert fsq.code_bytes == math.ceil(bits / 8)


def test_a_code_of_real_numbers_has_no_such_rate():
    ae = candidate(posterior=pick("delta"), prior=pick("fitted-gaussian"))
    answers = ask(Subject(ae, None), ["likelihood"])
    assert "rate" in answers.why_missing
    assert ae.code_bytes == 4 * 2
