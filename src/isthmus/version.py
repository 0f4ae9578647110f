"""The version, in one place: the build, the package and run folders read it here."""

from __future__ import annotations

__version__ = "0.1.0"
