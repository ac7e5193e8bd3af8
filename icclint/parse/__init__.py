"""Text to syntax: what was written, each piece with its place, and nothing yet of what it means."""
