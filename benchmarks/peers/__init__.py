"""One program a library, all with the command line of ``protocol``."""
