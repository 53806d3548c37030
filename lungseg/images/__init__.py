"""Reading radiographs: any file a user may have becomes an 8-bit grey image or a reason."""

from lungseg.images.decode import decode, read
from lungseg.images.radiograph import Radiograph

__all__ = ["Radiograph", "decode", "read"]
