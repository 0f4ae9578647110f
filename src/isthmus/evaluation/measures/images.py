"""Pictures: how near reconstructions come, what a pixel costs, and what codes are like as maps."""

from __future__ import annotations

import math

import numpy as np

from isthmus.errors import UnsupportedError
from isthmus.evaluation.candidates import tensor_for
from isthmus.evaluation.columns import Column
from isthmus.evaluation.likeness import lpips_at_hand
from isthmus.evaluation.measures.base import SECONDS, measure
from isthmus.evaluation.measures.tables import IMAGES, PICTURES
from isthmus.evaluation.subject import Answers, Subject
from isthmus.evaluation.units import Floats, as_floats
from isthmus.metrics import (
    LatentStatistics,
    bits,
    frechet_distance,
    latent_statistics,
    mean_and_error,
    ms_ssim,
    psnr,
    ssim,
)
from isthmus.metrics.estimates import Estimate
from isthmus.training.devices import own_random_state

# Held-out pictures that are judged, at most.
IMAGE_ROWS = 2000
# Those of a perceptual distance, which passes each through a large network.
LOOKED_AT = 500
# Held-out data whose codes are looked at, at most.
CODE_ROWS = 2000
# Channels and data of which the map is drawn, at most.
DRAWN_CHANNELS, DRAWN_DATA = 16, 6
PICTURE_AXES = 3
MAP_AXES = 3
BOUNDED = frozenset({"unit", "binary"})


@measure(
    "fidelity",
    Column("psnr", "PSNR", "dB", 1, 2, "Peak signal-to-noise ratio of a held-out image, the mean."),
    Column(
        "psnr_spread", "PSNR, spread", "dB", 0, 2, "Its standard deviation from image to image."
    ),
    Column("ssim", "SSIM", "", 1, 3, "Structural similarity to the held-out image; 1 is equal."),
    Column(
        "ms_ssim",
        "MS-SSIM",
        "",
        1,
        3,
        "The same at as many scales as fit; compare only images of one size.",
    ),
    table=IMAGES,
    cost=SECONDS,
)
def fidelity(subject: Subject) -> Answers:
    """How near each held-out image its reconstruction comes, on the scale from black to white."""
    clean, rebuilt, extent, words = pictures_of(subject, IMAGE_ROWS)
    ratios = psnr(clean, rebuilt, extent)
    alike = {"ssim": ssim(clean, rebuilt, extent), "ms_ssim": ms_ssim(clean, rebuilt, extent)}
    answers = Answers(
        values={key: mean_and_error(values) for key, values in alike.items()}, words=words
    )
    if exact := int(np.isinf(ratios).sum()):
        why = f"{exact:,} of {len(ratios):,} images come back exactly, with an infinite ratio"
        answers.why_missing = {"psnr": why, "psnr_spread": why}
        return answers
    answers.values |= {
        "psnr": mean_and_error(ratios),
        "psnr_spread": Estimate(float(ratios.std()), math.nan),
    }
    return answers


@measure(
    "pixel-rate",
    Column("pixel_rate", "rate per pixel", "bits", 0, 3, "Bits of the code for each pixel."),
    table=IMAGES,
    cost=SECONDS,
)
def pixel_rate(subject: Subject) -> Answers:
    """What the code of an image costs, by pixel."""
    _, height, width = picture_shape(subject)
    candidate = subject.candidate
    if candidate.density is None and candidate.code_bits is not None:
        return Answers(
            values={"pixel_rate": Estimate(candidate.code_bits / (height * width), math.nan)}
        )
    mean, error = mean_and_error(subject.bound[0]) if candidate.density else _no_rate(subject)
    pixels = height * width
    return Answers(values={"pixel_rate": Estimate(bits(mean) / pixels, bits(error) / pixels)})


def _no_rate(subject: Subject) -> Estimate:
    raise UnsupportedError(subject.candidate.why_no_density)


@measure(
    "latent-scale",
    Column("code_mean", "mean of codes", "", 0, 3, "Of all numbers of all codes."),
    Column("code_std", "std of codes", "", 0, 3, "Standard deviation of all numbers of all codes."),
    Column(
        "scaling_factor",
        "scaling factor",
        "",
        0,
        4,
        "1 / std: with it codes have unit variance, as a diffusion model wants them.",
    ),
    Column(
        "widest_share",
        "widest channel",
        "",
        0,
        3,
        "Share of the codes' variance that the widest channel has.",
    ),
    table=IMAGES,
)
def latent_scale(subject: Subject) -> Answers:
    """How large codes are, and whether one channel has all of their variance."""
    picture_shape(subject)
    found = statistics_of(subject)
    if found.deviation <= 0:
        raise UnsupportedError("all codes are equal")
    numbers = {
        "code_mean": found.mean,
        "code_std": found.deviation,
        "scaling_factor": found.scaling_factor,
        "widest_share": float(found.shares.max()),
    }
    return Answers(values={key: Estimate(value, math.nan) for key, value in numbers.items()})


@measure(
    "lpips",
    Column("lpips", "LPIPS", "", -1, 3, "Perceptual distance to the held-out image; 0 is equal."),
    table=IMAGES,
    cost=SECONDS,
)
def lpips(subject: Subject) -> Answers:
    """How different reconstructions look, by a network with weights learned from judgements."""
    clean, rebuilt, _, _ = pictures_of(subject, LOOKED_AT)
    if subject.question.units.spec.support not in BOUNDED:
        raise UnsupportedError("LPIPS is of pictures with values in [0, 1]")
    name, distance = lpips_at_hand()
    return Answers(
        values={"lpips": mean_and_error(distance(clean, rebuilt))},
        words=[f"LPIPS is that of {name}, over {len(clean):,} images."],
    )


@measure(
    "rfid",
    Column(
        "rfid",
        "reconstruction FID",
        "",
        -1,
        2,
        "Fréchet distance of reconstructions from held-out images in the features asked for.",
    ),
    table=IMAGES,
    cost=SECONDS,
)
def reconstruction_frechet(subject: Subject) -> Answers:
    """How far reconstructions as a whole are from the images, in a space of features."""
    clean, rebuilt, _, _ = pictures_of(subject, IMAGE_ROWS)
    space = subject.question.features
    if space is None:
        raise UnsupportedError("it takes a space of features, such as --features inception")
    first, second = subject.features(clean), subject.features(rebuilt)
    name = getattr(space, "__name__", "the caller's")
    return Answers(
        values={"rfid": Estimate(frechet_distance(first, second), math.nan)},
        words=[
            f"The reconstruction FID is of {len(first):,} images in {first.shape[1]:,} features "
            f"({name}): it falls as images are added, so compare it at equal numbers only."
        ],
    )


@measure("channel-pictures", table=PICTURES)
def channels(subject: Subject) -> Answers:
    """The statistics of each channel of a code that is a map, and the maps of a few data."""
    model = subject.model
    picture_shape(subject)
    if len(model.latent_shape) != MAP_AXES:
        raise UnsupportedError("the code is no map")
    found = statistics_of(subject)
    carried = np.full(len(found.means), math.nan)
    density = subject.candidate.density
    if density is not None and density.rate_per_dimension is not None:
        few = subject.question.test[:CODE_ROWS]
        rates = bits(density.rate_per_dimension(few, subject.condition_of(len(few))))
        if rates.size == subject.candidate.latent_dim:
            carried = rates.reshape(len(carried), -1).sum(1)
    columns = (found.means, found.deviations, found.lowest, found.highest, found.shares, carried)
    shown = np.argsort(-found.shares, kind="stable")[:DRAWN_CHANNELS]
    few = subject.codes[:DRAWN_DATA].reshape(-1, *model.latent_shape)
    return Answers(
        arrays={
            "channels": np.stack(columns, axis=1),
            "channel_scale": np.array([found.mean, found.deviation]),
            "channel_pictures": few[:, shown].astype(np.float32),
            "channel_rows": shown,
        }
    )


def picture_shape(subject: Subject) -> tuple[int, ...]:
    """(C, H, W) of the data.

    Raises:
        UnsupportedError: They are no pictures.
    """
    spec = subject.question.units.spec
    if spec.kind != "image" or len(spec.shape) != PICTURE_AXES:
        raise UnsupportedError("the data are no pictures")
    return spec.shape


def pictures_of(subject: Subject, most: int) -> tuple[Floats, Floats, float, list[str]]:
    """Held-out pictures (N, C, H, W) and their reconstructions, with the range of their values and
    what is to be said of it.

    A reconstruction outside the range of what a picture can hold is cut off there.

    Raises:
        UnsupportedError: The data are no pictures.
    """
    picture_shape(subject)
    question = subject.question
    clean, rebuilt = question.clean[:most], subject.rebuilt[:most]
    if question.units.spec.support in BOUNDED:
        return clean, np.clip(rebuilt, 0.0, 1.0), 1.0, []
    low, high = float(question.train.min()), float(question.train.max())
    if not high > low:
        raise UnsupportedError("all pixels of the training data are equal")
    said = (
        f"PSNR and SSIM are by the range of the training data, from {low:.4g} to {high:.4g}: "
        "the data themselves state none."
    )
    return clean - low, np.clip(rebuilt, low, high) - low, high - low, [said]


def statistics_of(subject: Subject) -> LatentStatistics:
    """Of codes of held-out data by channel: draws from the posterior where it has a density."""
    model, x = subject.candidate.model, subject.question.test[:CODE_ROWS]
    if model is None:
        return latent_statistics(subject.codes[:CODE_ROWS])
    asked = tensor_for(model, x)
    with own_random_state(asked.device, subject.question.seed):
        return latent_statistics(
            as_floats(model.encode(asked, "sample", condition=subject.given(len(x))))
        )
