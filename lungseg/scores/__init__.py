"""Scores of one case and their definitions: overlap, boundary, and the two lungs apart."""

from lungseg.scores.boundary import boundary, boundary_scores
from lungseg.scores.case import score_case
from lungseg.scores.counts import count
from lungseg.scores.lungs import lung_zones
from lungseg.scores.overlap import OVERLAP_SCORES, overlap

__all__ = [
    "OVERLAP_SCORES",
    "boundary",
    "boundary_scores",
    "count",
    "lung_zones",
    "overlap",
    "score_case",
]
