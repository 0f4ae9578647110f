"""Encoding and decoding images with the same weights: isthmus and diffusers, tiled and not.

Seconds and the growth of resident memory, at several sizes. The contenders are processes of their
own and take turns. Weights are random: neither the time nor the memory depends on them. What
"tiled" means differs: diffusers blends tiles that were computed apart, isthmus keeps its working
memory within `--memory` and computes the untiled result; how far each is from its own untiled
result is shown.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from measuring import Contender, finish, parsed, ratios, shown, spread, table

MIB = 2**20
NAMES = ("isthmus", "diffusers")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--channels", type=int, nargs="+", default=[128, 256, 512, 512])
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--sides", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--tile", type=int, default=256, help="side of diffusers' tiles")
    parser.add_argument("--memory", default="256MB", help="of a tiled pass of isthmus")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    return parsed(parser, channels=[32, 32], layers=1, sides=[64], tile=32, rounds=1)


def write_weights(folder: Path, options: argparse.Namespace) -> None:
    """Random weights in diffusers' format."""
    import torch

    from isthmus import AutoencoderKL
    from isthmus.pretrained import KLConfig

    torch.manual_seed(0)
    config = KLConfig(
        block_out_channels=tuple(options.channels),
        layers_per_block=options.layers,
        sample_size=options.tile,
    )
    AutoencoderKL(config).save_pretrained(folder)


def jobs(options: argparse.Namespace) -> list[dict[str, Any]]:
    return [
        {"side": side, "what": what, "tiled": tiled}
        for side in options.sides
        for what in ("encode", "decode")
        for tiled in (False, True)
    ]


def main() -> None:
    options = arguments()
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        write_weights(Path(folder), options)
        contenders = {
            name: stack.enter_context(
                Contender(
                    sys.executable,
                    f"image_latents_{name}.py",
                    options.threads,
                    folder,
                    options.threads,
                    options.memory,
                    options.device,
                )
            )
            for name in NAMES
        }
        for job in jobs(options):
            answers: dict[str, list[dict[str, float]]] = {name: [] for name in NAMES}
            for turn in range(options.rounds):
                for name in NAMES[:: 1 if turn % 2 else -1]:
                    answers[name].append(contenders[name].measure(job))
            found.append({**job, "answers": answers})
            print(job, {n: round(a[-1]["seconds"], 2) for n, a in answers.items()}, flush=True)

    rows = []
    for result in found:
        for name in NAMES:
            own = result["answers"][name]
            rows.append(
                (
                    f"{result['side']}²",
                    result["what"],
                    "tiled" if result["tiled"] else "whole",
                    name,
                    shown(spread([a["seconds"] for a in own]), 2),
                    shown(spread([a["bytes"] / MIB for a in own]), 0),
                    f"{own[-1]['difference']:.1e}" if result["tiled"] else "",
                )
            )
    head = ["side", "pass", "how", "who", "seconds", "MiB above the start", "from whole"]
    text = "\n\n".join([table(head, rows), table(*comparisons(found))])
    values = {"options": {**vars(options)}, "results": found}
    name = "image_latents-" + "-".join(map(str, options.channels))
    finish(name, text, values, options.quick)


def comparisons(found: list[dict[str, Any]]) -> tuple[list[str], list[tuple[object, ...]]]:
    """Ours by theirs, and tiled by whole, round by round."""
    rows: list[tuple[object, ...]] = []

    def of(side: int, what: str, tiled: bool, name: str, figure: str) -> list[float]:
        (one,) = (r for r in found if (r["side"], r["what"], r["tiled"]) == (side, what, tiled))
        return [a[figure] for a in one["answers"][name]]

    for side, what in dict.fromkeys((r["side"], r["what"]) for r in found):
        for tiled in (False, True):
            pair = [of(side, what, tiled, name, "seconds") for name in NAMES]
            space = [of(side, what, tiled, name, "bytes") for name in NAMES]
            label = f"isthmus / diffusers, {'tiled' if tiled else 'whole'}"
            rows.append(
                (f"{side}²", what, label, shown(ratios(*pair), 2), shown(ratios(*space), 2))
            )
        for name in NAMES:
            pair = [of(side, what, tiled, name, "seconds") for tiled in (True, False)]
            space = [of(side, what, tiled, name, "bytes") for tiled in (True, False)]
            label = f"{name}, tiled / whole"
            rows.append(
                (f"{side}²", what, label, shown(ratios(*pair), 2), shown(ratios(*space), 2))
            )
    return ["side", "pass", "ratio", "seconds", "memory"], rows


if __name__ == "__main__":
    main()
