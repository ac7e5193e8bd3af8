"""Fuzzing: what reads evidence, and what people write themselves, against whatever a file may hold."""
