"""The typed representation of a captured host: frozen values, each fact with its place."""
