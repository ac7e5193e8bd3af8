"""What the commands of icclint have in common: their options, what is run, how it ends, and where output goes."""
