"""Networks for programs that have no wsstools: as a graph, as files, and what these compute."""
