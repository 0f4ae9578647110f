"""Which data are odd to a trained run: scores of rows, and what is usual by data it never saw."""

from isthmus.screening.screen import Blame as Blame
from isthmus.screening.screen import Screen as Screen
from isthmus.screening.screen import Verdicts as Verdicts
