"""The three architectures, side by side: U-Net, ResUNet and RNGU-Net."""

from lungseg.networks.registry import ARCHITECTURES, Architecture, build

__all__ = ["ARCHITECTURES", "Architecture", "build"]
