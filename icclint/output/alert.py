"""What code scanning services know a finding again by."""

from __future__ import annotations

import hashlib

from icclint.report import ReportedFinding, ReportedGone


def alert_hash(finding: ReportedFinding | ReportedGone) -> str:
    """SHA-256, in hex, over the host and the fingerprint.

    Services take what shares a rule, a file and a hash for one alert, and a transcript tells of several hosts.
    """
    return hashlib.sha256(f"{finding.host}\0{finding.fingerprint}".encode("utf-8", "replace")).hexdigest()
