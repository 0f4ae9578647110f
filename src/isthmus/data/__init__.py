"""Data: sources of batches, and everything that makes one."""

from isthmus.data.corruption import CORRUPTIONS
from isthmus.data.crops import Cropped, place
from isthmus.data.load import load
from isthmus.data.named import DATASETS
from isthmus.data.pictures import Pictures
from isthmus.data.reading import Reading
from isthmus.data.resident import Resident
from isthmus.data.scaling import SCALINGS, Moments, Scaling, moments
from isthmus.data.shuffling import shuffled
from isthmus.data.source import Batch, DataDriven, Source
from isthmus.data.sparse import Sparse
from isthmus.data.spec import Column, DataSpec
from isthmus.data.splits import DEFAULT_FRACTIONS, PARTS, Split, SplitRecord, split
from isthmus.data.streamed import Reader, Streamed

__all__ = [
    "CORRUPTIONS",
    "DATASETS",
    "DEFAULT_FRACTIONS",
    "PARTS",
    "SCALINGS",
    "Batch",
    "Column",
    "Cropped",
    "DataDriven",
    "DataSpec",
    "Moments",
    "Pictures",
    "Reader",
    "Reading",
    "Resident",
    "Scaling",
    "Source",
    "Sparse",
    "Split",
    "SplitRecord",
    "Streamed",
    "load",
    "moments",
    "place",
    "shuffled",
    "split",
]
