"""Boxes around objects: of annotations or labels, and the labels that follow from them."""
