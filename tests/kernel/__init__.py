"""The packet engine against a real kernel: real rules, real packets, real counters."""
