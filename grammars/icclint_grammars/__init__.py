"""The lark grammars and the table of iptables options: data, opened by package name."""
