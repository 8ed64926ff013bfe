"""The program `wss`: one module a command, named after it: its options, its help and one call."""
