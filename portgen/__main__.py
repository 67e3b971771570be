"""`python -m portgen`."""

from portgen.cli import main

main()
