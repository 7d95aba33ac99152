"""`python -m homing.cli` is `homing`."""

from homing.cli.main import main

main()
