"""`python -m corepool` is `corepool`."""

from corepool.cli import main

main()
