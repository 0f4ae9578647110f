"""What can be measured of a candidate, one family of measures per file."""

from isthmus.evaluation.measures import disentanglement as disentanglement
from isthmus.evaluation.measures import images as images
from isthmus.evaluation.measures import information as information
from isthmus.evaluation.measures import judged as judged
from isthmus.evaluation.measures import likelihood as likelihood
from isthmus.evaluation.measures import overview as overview
from isthmus.evaluation.measures import pictures as pictures
from isthmus.evaluation.measures import regularity as regularity
from isthmus.evaluation.measures import stability as stability
from isthmus.evaluation.measures import strips as strips
from isthmus.evaluation.measures import tables
from isthmus.evaluation.measures.base import MEASURES, ask, column, columns, in_order, measure

# What a comparison asks of every model, in the order of its main table.
OVERVIEW = tuple(e.name for e in MEASURES if e.about["table"] == tables.OVERVIEW)
COLUMNS = columns(OVERVIEW)

__all__ = ["COLUMNS", "MEASURES", "OVERVIEW", "ask", "column", "columns", "in_order", "measure"]
