"""Gradients of one step of image autoencoders on this process's share of a batch.

Run by path, with `job` as a global: `environment`, `weights` (where the gradients go), and
`sharing`, whether objectives ask all processes.
"""

from __future__ import annotations

import os
from contextlib import nullcontext

job = globals().get("job", {})


def main() -> None:
    os.environ.update(job.get("environment", {}))
    import torch
    from safetensors.torch import save_file

    from isthmus.distributions import DiagonalNormal
    from isthmus.likelihoods import LaplaceLikelihood
    from isthmus.model import LatentModel
    from isthmus.networks.kl import KLDecoder, KLEncoder
    from isthmus.objectives import Elbo, KlGan
    from isthmus.posteriors.spatial import SpatialGaussian
    from isthmus.priors import StandardNormal
    from isthmus.training import Step, training_settings
    from isthmus.training.devices import distributed, processes
    from isthmus.training.parts import held, learn
    from isthmus.training.players import backward, players_of, sharing

    def known_noise(q, shape=()):
        # The same for a datum whoever draws it.
        mean, scale = q.mean, q.stddev
        return (mean + scale * torch.cos(1e3 * mean.detach())).expand(*shape, *mean.shape)

    DiagonalNormal.rsample = known_noise
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    cases = {
        "gan": (True, None),
        "gan-encoder": (True, ("encoder", "posterior")),
        "elbo-decoder": (False, ("decoder",)),
    }
    found = {}
    with processes(torch.device("cpu")) as group:
        for name, (adversarial, parts) in cases.items():
            torch.manual_seed(0)
            shape, inner = (3, 16, 16), {"channels": (8, 16), "layers": 1, "groups": 4}
            likelihood = LaplaceLikelihood(shape, scale=1.0, learned=False)
            encoder = KLEncoder(shape, 2, **inner)
            model = LatentModel(
                encoder,
                SpatialGaussian(4, (2, 8, 8), (8, 8)),
                StandardNormal((2, 8, 8)),
                KLDecoder((2, 8, 8), likelihood.parameter_shape(), **inner),
                likelihood,
            )
            model.register_buffer("book", torch.full((3,), 1.0 + group.rank))
            objective = KlGan(shape, 1e-2, width=8, start=0.0) if adversarial else Elbo()
            # Two halves of another kind each, so that a process alone judges otherwise.
            x = torch.rand(4, *shape) * torch.tensor([1.0, 1.0, 0.1, 0.1]).view(4, 1, 1, 1)
            mine = x.chunk(group.count)[group.rank]
            step = Step(model, objective)
            with held(model, parts) as resting:
                players = players_of(step, training_settings())
                shared = sharing(objective, group) if job.get("sharing", True) else nullcontext()
                with distributed(step, group, len(players)) as run, shared:
                    learn(step, resting)
                    backward(players, run(mine), group)
                for key, p in step.named_parameters():
                    if p.grad is not None:
                        found[f"{name}.{key}"] = p.grad.clone()
            found[f"{name}.book"] = model.book.clone()
    save_file({key: t.contiguous() for key, t in found.items()}, job["weights"])


main()
