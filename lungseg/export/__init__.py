"""Trained networks as files for other programs: ONNX, OpenVINO, SavedModel, LiteRT, Keras."""

from lungseg.export.formats import FORMATS, VARIANTS, Format

__all__ = ["FORMATS", "VARIANTS", "Format"]
