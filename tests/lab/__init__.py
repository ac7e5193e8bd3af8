"""Real Docker engines, real containers and real packets in namespaces: what tests/captures is made with (README.md)."""
