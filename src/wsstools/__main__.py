"""`python -m wsstools` is `wss`."""

from wsstools.entry import main

main()
