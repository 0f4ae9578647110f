"""One `fit` in a process of its own, which a test may kill. Run by path, with `job` as a global.

`job` holds `recipe` (a recipe's name, or a word of `seams.small`), `rows` of the digits or `data`,
`options` for `fit`, `environment`, and `die`: (file, n, when), the n-th replacement of a file in
the run folder before or after which the process kills itself.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from pathlib import Path

job = globals().get("job", {})


def die_at(file: str, n: int, when: str) -> None:
    """Kill this process around the n-th time that a file of this name is put into its place."""
    replace, seen = os.replace, 0

    def fatal(source, target):
        nonlocal seen
        seen += Path(target).name == file
        if seen == n and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)
        if seen == n:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = fatal


def main() -> None:
    os.environ.update(job.get("environment", {}))
    # The parent's terminal shows only what a test asks for.
    if job.get("log"):
        sys.stderr = Path(job["log"]).open("a", buffering=1)  # noqa: SIM115
    import torch

    from isthmus.data import load
    from isthmus.errors import IsthmusError
    from isthmus.fitting import fit

    torch.set_num_threads(1)
    if job.get("die"):
        die_at(*job["die"])
    data = job.get("data", "digits")
    if "rows" in job:
        data = load("digits").x[: job["rows"]].flatten(1).numpy()
    if "max_bytes" in job:
        data = load(data, max_bytes=job["max_bytes"])
    options = dict(job["options"])
    recipe = job["recipe"]
    if recipe in ("adversarial", "hierarchical"):
        torch.manual_seed(int(os.environ.get("RANK", "0")))
        seams = runpy.run_path(str(Path(__file__).with_name("seams.py")))
        recipe, options["objective"] = seams["small"](recipe, 64)
    try:
        run = fit(data, recipe, **options)
    except KeyboardInterrupt:
        sys.exit(130)
    except IsthmusError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    if job.get("weights"):
        from safetensors.torch import save_file

        state = {k: v.contiguous() for k, v in run.model.state_dict().items()}
        save_file(state, job["weights"])


main()
