"""Synthetic frontal chest radiographs with lung masks: data for a machine that has none."""

from lungseg.phantoms.dataset import write, write_manifest
from lungseg.phantoms.phantom import Phantom, draw

__all__ = ["Phantom", "draw", "write", "write_manifest"]
