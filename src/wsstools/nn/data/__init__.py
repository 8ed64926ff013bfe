"""Images and labels as training takes them."""
