"""Labels of superpixels from scribbles, by graph cuts."""
