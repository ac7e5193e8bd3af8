"""Syntax to the typed representation: what was written becomes what it means, or stays as opaque text."""
