"""The sections of the page, one a file; each gives None where there is nothing to show."""
