"""The syntax of files that other programs read: text to values, with places."""
