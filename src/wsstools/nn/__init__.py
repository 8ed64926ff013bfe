"""All torch code: networks, training, prediction, filter banks from networks."""
