"""The inventory's text, changed."""
