"""What ufw and firewalld say of themselves to the typed representation."""

from __future__ import annotations

from icclint.ir.firewall import FirewalldPart, Ufw, UfwRule
from icclint.parse.firewalld import ShownPart
from icclint.parse.ufw import ShownUfw


def lower_ufw(shown: ShownUfw) -> Ufw:
    """The status of ufw."""
    rules = tuple(UfwRule(text=text, span=span) for text, span in shown.rules)
    return Ufw(active=shown.active, defaults=dict(shown.defaults), rules=rules, span=shown.span)


def lower_firewalld(shown: ShownPart) -> FirewalldPart:
    """A zone or a policy of firewalld."""
    settings = {key: tuple(values) for key, values in shown.settings.items()}
    return FirewalldPart(name=shown.name, kind=shown.kind, active=shown.active, settings=settings, span=shown.span)
