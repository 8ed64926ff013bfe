"""Make what napari saves of drawn strokes; the files beside this one are from it."""

import sys
from itertools import pairwise

import numpy as np
from napari.layers import Labels, Points, Shapes
from napari.plugins import _initialize_plugins

_initialize_plugins()
out = sys.argv[1]
labels = Labels(np.zeros((40, 56), np.int32))
labels.brush_size = 3
strokes = [[(5, 5), (5, 30), (20, 30)], [(35, 3), (28, 20)], [(30, 40), (12, 52)]]
for label, points in enumerate(strokes, start=1):
    for start, end in pairwise(points):
        for place in np.linspace(start, end, 60):
            labels.paint(place, label)
for ending in ("tif", "npz", "pgm"):
    labels.save(f"{out}/labels.{ending}")

shapes = Shapes()
shapes.add_paths(np.array([[5, 5], [5, 30], [20, 30]]))
shapes.add_lines(np.array([[35, 3], [35, 20]]))
shapes.add_polygons(np.array([[9.5, 3.5], [9.5, 15.7], [21.7, 3.5]]))
shapes.add_rectangles(np.array([[24.5, 37.5], [32.5, 49.5]]))
shapes.add_ellipses(np.array([[19.5, 14.5], [19.5, 26.5], [27.5, 26.5], [27.5, 14.5]]))
shapes.add_ellipses(np.array([[8, 46], [14, 52], [22, 44], [16, 38]]))
shapes.features = {"label": ["sky", "grass", "grass", "water", "sky", "water"]}
shapes.save(f"{out}/shapes.csv")

places = np.array([[3, 50], [10.25, 7.75], [22, 9]])
Points(places, features={"label": ["water", "sky", "grass"]}).save(f"{out}/points.csv")
Points(places, features={"label": [2, 0, 1], "sure": [0.5, 0.9, 0.7]}).save(f"{out}/points-ids.csv")
