"""icclint holds what Docker says of its networks against what the captured iptables rules really do."""

__version__ = "0.1.0"
