"""The inventory: its text, its values, and the place of each."""
