"""The rendered files: made, compared, written, remembered."""
