"""Every exception that Isthmus raises on purpose.

    IsthmusError                      anything below
    ├── UsageError                    the caller can mend it; the command line exits with 2
    │   ├── DataError                 the data cannot be read or used as asked
    │   ├── OptionError               an option has a value that cannot work
    │   ├── UnknownNameError          a name that no registry holds
    │   ├── UnsupportedError          this model cannot answer that question
    │   ├── RunError                  a run folder is cut, foreign or of another version
    │   ├── CheckpointError           published weights are cut, foreign or hard to reach
    │   └── MissingDependencyError    an optional package is not installed
    └── TrainingError                 training went wrong: NaN or infinity

A message says what was got, what was expected and what to do, in one line.
"""

from __future__ import annotations


class IsthmusError(Exception):
    """The root of the tree; `exit_code` is what the command line returns."""

    exit_code = 1


class UsageError(IsthmusError):
    """Something that the caller can mend."""

    exit_code = 2


class DataError(UsageError, ValueError):
    """The data cannot be read, or not used as asked."""


class OptionError(UsageError, ValueError):
    """An option has a value that cannot work."""


class UnknownNameError(UsageError, LookupError):
    """A name that no registry holds."""


class UnsupportedError(UsageError, TypeError):
    """The model cannot answer this question; the message names one that can."""


class RunError(UsageError):
    """A run folder that cannot be read."""


class CheckpointError(UsageError):
    """Published weights, or their config, that cannot be found or read."""


class MissingDependencyError(UsageError, ImportError):
    """An optional package is not installed."""


class TrainingError(IsthmusError, ArithmeticError):
    """Training met NaN or infinity; the best weights so far are safe."""
