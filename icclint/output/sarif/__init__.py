"""The report as a SARIF 2.1.0 log, for code scanning and other programs that collect findings.

Sections named here are those of the standard (https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/sarif-v2.1.0-os.html).
What GitHub takes, shows and refuses is from "SARIF support for code scanning" in its documentation; how GitLab ranks
findings is from its "SARIF report format" page.

The same report gives the same bytes: no times, no machine, no path but those of the documents, all of them relative.
"""

from icclint.output.sarif.log import render_sarif

__all__ = ["render_sarif"]
