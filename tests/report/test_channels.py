"""Codes that are maps: what the figure says and shows; and how near reconstructions come."""

from __future__ import annotations

import re

import numpy as np
import pytest

from isthmus.evaluation.results import Comparison
from isthmus.metrics import psnr, ssim
from isthmus.report.channels import channels
from isthmus.report.examples import fidelity, image_reconstructions, say_fidelity
from isthmus.report.figure import Subject
from isthmus.report.looks import choose_looks


def subject_of(comparison: Comparison) -> Subject:
    main = [r for r in comparison.results if r.main]
    return Subject(comparison, choose_looks(comparison.results), main)


def test_channels_are_shown_the_widest_first_with_their_table(images: Comparison) -> None:
    figure = channels(subject_of(images))
    assert figure is not None
    assert [panel.caption for panel in figure.panels] == ["ae", "vae"]
    panel = figure.panels[1]
    assert panel.note == "3 × 2 × 2"
    # The data, three channels and the table.
    assert len(panel.pictures) == 5
    words = [re.sub(r"<img[^>]*>|<[^>]+>", " ", str(picture)) for picture in panel.pictures]
    assert [text.split()[0] for text in words] == ["data", "z2", "z0", "z1", "z"]
    assert re.findall(r"z\d", words[4]) == ["z2", "z0", "z1"]
    assert "bits" in words[4]
    table = images.arrays["channels/vae"]
    assert f"{table[2, 1]:.2f}" in words[4]
    assert "9.5" in words[4]
    assert "bits" not in str(figure.panels[0].pictures[-1])


def test_the_scale_of_codes_is_said(images: Comparison) -> None:
    figure = channels(subject_of(images))
    assert figure is not None
    mean, deviation = images.arrays["channel_scale/vae"]
    said = figure.shows.replace("−", "-").replace("\u00a0", " ")
    assert f"standard deviation of {deviation:.3f}" in said
    assert f"{1 / deviation:.4f} they have unit variance" in said
    assert ("less" in said) == (abs(mean) > 0.05 * deviation)
    share = images.arrays["channels/vae"][2, 4]
    assert f"channel 2 has most, {100 * share:.0f} %" in said
    assert "1 of 3 channels hardly varies" in said


@pytest.mark.parametrize("kind", ["table", "counts", "minimal"])
def test_what_has_no_map_has_no_figure(kind: str, request: pytest.FixtureRequest) -> None:
    assert channels(subject_of(request.getfixturevalue(kind))) is None


def test_reconstructions_say_how_near_each_image_comes(images: Comparison) -> None:
    figure = image_reconstructions(subject_of(images))
    assert figure is not None
    x = images.arrays["originals"]
    label = "vae"
    panel = next(p for p in figure.panels if p.caption == label)
    n = int(re.findall(r"of the (\d+) images", str(panel.pictures[0]))[0])
    rebuilt = images.arrays[f"reconstructions/{label}"][:n].clip(0, 1)
    ratios, alike = psnr(x[:n], rebuilt, 1.0), ssim(x[:n], rebuilt, 1.0)
    assert f"PSNR {ratios.mean():.1f} dB ({ratios.min():.1f} to {ratios.max():.1f})" in panel.note
    assert f"SSIM {alike.mean():.2f}" in panel.note
    assert ", ".join(f"{value:.1f}" for value in ratios) in str(panel.pictures[0])
    assert "From left to right" in figure.shows


def test_the_worst_and_the_best_image_are_named() -> None:
    x = np.full((3, 1, 8, 8), 0.5)
    rebuilt = x + np.array([0.1, 0.01, 0.2])[:, None, None, None]
    said = say_fidelity({"far": fidelity(x, x + 0.3), "near": fidelity(x, rebuilt)})
    assert "image 3 comes back worst from near (PSNR 14.0 dB" in said
    assert "image 2 best (40.0 dB" in said
    assert say_fidelity({"equal": fidelity(x, x)}) == ""
    assert say_fidelity({"beyond": fidelity(3 * x, x)}) == ""
