"""The packet engine: a captured ruleset as a function from packets to verdicts.

`walk` takes one packet through the tables as netfilter does, and `sets` whole sets of packets at once. Both read
the same rules and share no decision, so that each is a test of the other.
"""
