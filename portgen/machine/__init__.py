"""The live host: the programs that run on it, and what they say."""
