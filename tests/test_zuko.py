"""Importing zuko through the package leaves torch's settings to the user."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import isthmus

SCRIPT = """
from torch.distributions import Distribution, Normal
if {given!r} is not None:
    Distribution.set_default_validate_args({given!r})
import isthmus.zuko
import sys
assert "zuko" in sys.modules
try:
    Normal(0.0, -1.0)
except ValueError:
    print("checked")
else:
    print("unchecked")
"""


@pytest.mark.parametrize(
    ("given", "found"), [(None, "checked"), (True, "checked"), (False, "unchecked")]
)
def test_argument_checks_stay_as_the_user_has_them(given, found):
    # In a process of its own: another test may have imported zuko itself.
    script = SCRIPT.format(given=given)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == found


def test_nothing_else_imports_it():
    root = Path(isthmus.__file__).parent
    found = [
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if re.search(r"^\s*(?:import|from) zuko\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert found == ["zuko.py"]
