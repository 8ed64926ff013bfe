"""`python -m wsstools` is `wss`."""

from wsstools.cli.entry import main

main()
