"""Captures as people hand them over: folders, files, standard input."""
