"""What the discrete posteriors ask of the integers that they embed."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from isthmus.errors import DataError


def check_indices(
    indices: Tensor, code_shape: Sequence[int], n_codes: int, lowest: int = 0
) -> Tensor:
    """Integers (N, *code_shape) from `lowest` to n_codes − 1 as int64.

    Raises:
        DataError: They have another shape, or a value is out of range.
    """
    if tuple(indices.shape[1:]) != tuple(code_shape):
        raise DataError(
            f"Integer codes of shape {tuple(indices.shape)} do not fit this model: expected (N, "
            f"{', '.join(map(str, code_shape))})."
        )
    if indices.numel() and not lowest <= int(indices.min()) <= int(indices.max()) < n_codes:
        raise DataError(
            f"Integer codes run from {int(indices.min())} to {int(indices.max())}; this model's "
            f"lie between {lowest} and {n_codes - 1}."
        )
    return indices.long()
