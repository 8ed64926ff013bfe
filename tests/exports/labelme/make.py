"""Make what labelme saves when a person draws; the files beside this one are from it."""

import sys
from pathlib import Path

import numpy as np
from labelme.app import MainWindow, _shapes_from_dicts
from PIL import Image
from PyQt5 import QtCore, QtWidgets
from PyQt5.QtTest import QTest

out = Path(sys.argv[1])
Image.fromarray(np.full((40, 56, 3), 90, np.uint8)).save(out / "a.png")
app = QtWidgets.QApplication([])
options = {"with_image_data": False, "auto_save": False}
window = MainWindow(config_overrides=options, file_or_dir=str(out / "a.png"))
window.show()
QTest.qWait(500)
window._set_zoom(800)
QTest.qWait(100)
canvas = window._canvas_widgets.canvas


def draw(kind, label, *points):
    window._label_dialog.popup = lambda text: (label, {}, None, "")
    window._switch_canvas_mode(edit=False, create_mode=kind)
    for point in points:
        at = (QtCore.QPointF(*point) + canvas._compute_image_origin_offset()) * canvas.scale
        QTest.mouseMove(canvas, at.toPoint())
        QTest.mouseClick(canvas, QtCore.Qt.LeftButton, pos=at.toPoint())
    if kind in ("linestrip", "polygon"):
        QTest.keyClick(canvas, QtCore.Qt.Key_Return)


draw("linestrip", "sky", (5.5, 5.5), (30.5, 5.5), (30.5, 20.5))
draw("line", "grass", (3.5, 35.5), (20.5, 35.5))
draw("point", "water", (50.5, 3.5))
draw("polygon", "grass", (4, 10), (16.5, 10), (4, 22.5))
draw("rectangle", "water", (38, 25), (50, 33))
draw("circle", "sky", (20, 25), (24.06, 25))
draw("oriented_rectangle", "grass", (30.5, 26), (36.5, 32), (33.5, 35))
mask = np.ones((4, 6), bool)
mask[0, :2] = False
shape = {"label": "water", "points": [[44, 12], [49, 15]], "shape_type": "mask", "mask": mask}
rest = {"group_id": None, "description": "", "flags": {}, "other_data": {}}
window._insert_shapes(_shapes_from_dicts(shape_dicts=[{**shape, **rest}], label_flags=None))
window.save_labels(str(out / "a.json"))
