"""Images beside their reconstructions, their errors, and samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from markupsafe import Markup

from isthmus.metrics import psnr, ssim
from isthmus.report.figure import Figure, Floats, Panel, Subject
from isthmus.report.looks import colour_bar
from isthmus.report.pictures import img, opaque, sheet, shrink, signed
from isthmus.report.table import metric
from isthmus.report.words import fixed, listed, percent

SHOWN = 12
SHEET_COLUMNS = 8
SHEET_ROWS = 5
# Pixels over all models' pictures of a figure: keeps the file small with any number of models.
PIXELS = 300_000


def image_reconstructions(subject: Subject) -> Figure | None:
    """Held-out images, each model's reconstruction of them, and where it errs."""
    originals, found = subject.array("originals"), subject.by_label("reconstructions")
    if not subject.images or originals is None or not found:
        return None
    small = shrink(originals)
    n = affordable(small, len(found), min(SHOWN, *(len(r) for _, r in found), len(originals)))
    small = small[:n]
    side = max(small.shape[2:])
    pairs = [(label, shrink(r[:n])) for label, r in found]
    errors = {label: np.nan_to_num(r - small) for label, r in pairs}
    mean = {label: float(np.abs(e).mean()) for label, e in errors.items()}
    near = {label: fidelity(originals[:n], r[:n]) for label, r in found}
    full = error_scale(errors)
    panels = [
        Panel((img(sheet(opaque(small), n), f"{n} held-out images", side),), "held-out images")
    ]
    for label, r in pairs:
        pictures: tuple[Markup, ...] = (
            img(sheet(opaque(r), n), f"{label}: {near[label].alt(n)}", side),
            img(
                sheet(signed(errors[label], full), n),
                f"{label}: error of each reconstruction",
                side,
                "errors",
            ),
        )
        panels.append(
            Panel(
                pictures,
                label,
                f"mean error {fixed(mean[label], 3)}{near[label].note}",
                subject.looks[label],
            )
        )
    return Figure(
        "reconstructions",
        "Reconstructions",
        "Beside or under each model's reconstructions stands where they err: orange is too "
        "bright, blue too dark, in full "
        f"colour from {fixed(full, 2)} of the white level on; nothing is no error.",
        say_errors(mean, n) + say_fidelity(near),
        "strips",
        tuple(panels),
        (
            (
                colour_bar(f"−{fixed(full, 2)}", f"+{fixed(full, 2)}"),
                "error, the same for all models",
            ),
        ),
    )


@final
@dataclass(frozen=True)
class Fidelity:
    """How near each of n images one model's reconstruction comes.

    Args:
        ratios: (n,) peak signal-to-noise ratios in decibels, infinite where an image is equal.
        alike: (n,) structural similarities.
    """

    ratios: Floats
    alike: Floats

    @property
    def note(self) -> str:
        """Both, on average and from the least to the most."""
        if not len(self.ratios) or not np.isfinite(self.ratios).all():
            return ""
        ends = f" ({fixed(self.ratios.min(), 1)} to {fixed(self.ratios.max(), 1)})"
        return (
            f", PSNR {fixed(self.ratios.mean(), 1)} dB{ends if len(self.ratios) > 1 else ''}, "
            f"SSIM {fixed(self.alike.mean(), 2)}"
        )

    def alt(self, n: int) -> str:
        """The pictures in words, each with its figures."""
        if not self.note:
            return f"reconstructions of the {n} images"
        ratios = ", ".join(fixed(value, 1) for value in self.ratios)
        alike = ", ".join(fixed(value, 2) for value in self.alike)
        return f"reconstructions of the {n} images, with a PSNR of {ratios} dB and SSIM of {alike}"


def fidelity(images: Floats, rebuilt: Floats) -> Fidelity:
    """Of images (n, C, H, W) in [0, 1] and their reconstructions, cut off at black and white.

    Nothing is said where a pixel is missing, or where the images go beyond black and white.
    """
    known = np.isfinite(images).all() and np.isfinite(rebuilt).all()
    if not known or images.min() < 0 or images.max() > 1:
        return Fidelity(np.zeros(0), np.zeros(0))
    shown = np.clip(rebuilt, 0.0, 1.0)
    return Fidelity(psnr(images, shown, 1.0), ssim(images, shown, 1.0))


def say_fidelity(near: Mapping[str, Fidelity]) -> str:
    """How much harder some of the images are than others, by the model that comes nearest."""
    known = {label: f for label, f in near.items() if f.note and len(f.ratios) > 1}
    if not known:
        return ""
    best = max(known, key=lambda label: float(known[label].ratios.mean()))
    ratios, alike = known[best].ratios, known[best].alike
    low, high = int(ratios.argmin()), int(ratios.argmax())
    return (
        f" From left to right, image {low + 1} comes back worst from {best} (PSNR "
        f"{fixed(ratios[low], 1)} dB, SSIM {fixed(alike[low], 2)}) and image {high + 1} best "
        f"({fixed(ratios[high], 1)} dB, {fixed(alike[high], 2)})."
    )


def affordable(images: Floats, models: int, wanted: int) -> int:
    """How many images a model may show."""
    each = images.shape[2] * images.shape[3]
    return max(1, min(wanted, PIXELS // (each * max(models, 1))))


def whole_rows(n: int) -> int:
    """As many of n images as fill rows of a sheet."""
    return n - n % SHEET_COLUMNS if n > SHEET_COLUMNS else n


def error_scale(errors: Mapping[str, Floats]) -> float:
    """The error drawn in full colour: exceeded by one pixel of a hundred, all models together."""
    every = np.concatenate([np.abs(e).ravel() for e in errors.values()])
    return max(float(np.quantile(every, 0.99)), 1e-3)


def say_errors(mean: dict[str, float], n: int) -> str:
    """What the reconstructions show here."""
    best = min(mean, key=lambda label: mean[label])
    worst = max(mean, key=lambda label: mean[label])
    shown = f"Over these {n} images" if n > 1 else "On this image"
    if len(mean) == 1:
        return f"{shown} {best} errs by {fixed(mean[best], 3)} of the white level on average."
    share = mean[best] / mean[worst] if mean[worst] else 1.0
    return (
        f"{shown} {best} errs least, by {fixed(mean[best], 3)} of the white level on average, and "
        f"{worst} most, "
        f"by {fixed(mean[worst], 3)}: {best}'s error is {percent(share)} of it."
    )


def image_samples(subject: Subject) -> Figure | None:
    """What each model makes up, beside held-out images."""
    found = subject.by_label("samples")
    if not subject.images or not found:
        return None
    originals = subject.array("originals")
    panels = []
    pairs = [(label, shrink(s)) for label, s in found]
    most = SHEET_COLUMNS * SHEET_ROWS
    if originals is not None:
        real = shrink(originals)[: affordable(shrink(originals[:1]), len(pairs) + 1, most)]
        panels.append(
            Panel((_sheet(real, "Held-out images"),), "held-out images", "for comparison")
        )
    for label, images in pairs:
        kept = images[: affordable(images, len(pairs) + 1, most)]
        auc = _auc(subject, label)
        note = f"AUC {fixed(auc, 3)}" if auc is not None else ""
        panels.append(
            Panel(
                (_sheet(kept, f"{label}: samples from its prior"),),
                label,
                note,
                subject.looks[label],
            )
        )
    return Figure(
        "samples",
        "What the models make up",
        "Each image was decoded from a code drawn from the prior; compare with the held-out ones "
        "for strokes, "
        "contrast and variety.",
        say_samples(subject, [label for label, _ in found]),
        "small",
        tuple(panels),
    )


def say_samples(subject: Subject, labels: list[str]) -> str:
    """What the samples show here: how well a classifier tells them from the data."""
    by_label = {label: auc for label in labels if (auc := _auc(subject, label)) is not None}
    if not by_label:
        return f"How near the samples of {listed(labels)} come to held-out data was not measured."
    ranked = sorted(by_label, key=lambda label: by_label[label])
    best, worst = ranked[0], ranked[-1]
    said = (
        f"A classifier tells {best}'s samples from held-out data with an AUC of "
        f"{fixed(by_label[best], 3)}"
    )
    if len(ranked) == 1:
        return f"{said}; 0.5 would mean not at all, 1 always."
    if fixed(by_label[best], 3) == fixed(by_label[worst], 3):
        return (
            f"A classifier tells the samples of all {len(ranked)} models from held-out data with "
            f"an AUC of {fixed(by_label[best], 3)}; 0.5 would mean not at all, 1 always."
        )
    return (
        f"{said}, the least of {len(ranked)} models, and {worst}'s with "
        f"{fixed(by_label[worst], 3)}, the most; "
        "0.5 would mean not at all, 1 always."
    )


def _auc(subject: Subject, label: str) -> float | None:
    return next((metric(r, "sample_auc") for r in subject.main if r.label == label), None)


def _sheet(images: Floats, alt: str) -> Markup:
    images = images[: whole_rows(len(images))]
    columns = min(SHEET_COLUMNS, len(images))
    return img(
        sheet(opaque(images), columns), f"{alt}, {len(images)} of them", max(images.shape[2:])
    )
