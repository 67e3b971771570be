"""portgen: one inventory of a host's ports, and the files that follow from it."""

__version__ = "0.1.0"
