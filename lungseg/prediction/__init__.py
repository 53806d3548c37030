"""From films without reference to rows of masks and quality figures."""
