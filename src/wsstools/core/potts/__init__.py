"""The Potts model: smooth maps whose class borders follow the edges of the image."""
