"""Options of networks that nobody reads or that exclude each other, and networks that are in each other's way."""

from icclint_rules.options.encrypted_false_encrypts import encrypted_false_encrypts
from icclint_rules.options.icc_option_misspelt import icc_option_misspelt
from icclint_rules.options.icc_option_void import icc_option_void
from icclint_rules.options.networks_overlap import networks_overlap
from icclint_rules.options.option_overruled import option_overruled
from icclint_rules.options.option_value_refused import option_value_refused

RULES = (
    icc_option_void,
    icc_option_misspelt,
    option_overruled,
    option_value_refused,
    networks_overlap,
    encrypted_false_encrypts,
)
