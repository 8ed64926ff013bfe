"""Make pictures as OpenCV draws and saves them; the files beside this one are from it."""

import sys

import cv2
import numpy as np

SKY, GRASS, WATER = [(5, 5), (30, 5), (30, 20)], [(3, 35), (20, 28)], [(40, 30), (52, 12)]


def drawn(background, colours, line=cv2.LINE_8, dtype=np.uint8):
    picture = np.zeros((40, 56, len(background)), dtype)
    picture[:] = background
    for points, colour in zip((SKY, GRASS, WATER), colours, strict=True):
        cv2.polylines(picture, [np.array(points, np.int32)], False, colour, 3, line)
    return picture


def save(name, picture, *options):
    assert cv2.imwrite(f"{sys.argv[1]}/{name}", picture, options)


ids, bgr = [0, 1, 2], [(255, 0, 0), (0, 200, 0), (0, 0, 255)]
bgra = [(*colour, 255) for colour in bgr]
for name in ("ids.png", "ids.bmp", "ids.pgm", "ids.tif"):  # TIFF has LZW by default
    save(name, drawn([255], ids))
save("ids-packbits.tif", drawn([255], ids), cv2.IMWRITE_TIFF_COMPRESSION, 32773)
save("ids-16.png", drawn([255], ids, dtype=np.uint16))
save("ids-bgr.png", cv2.cvtColor(drawn([255], ids), cv2.COLOR_GRAY2BGR))
save("layer-16.tif", drawn([0], [1, 2, 3], dtype=np.uint16))
save("smooth-ids.png", drawn([255], ids, cv2.LINE_AA))
save("white.png", drawn([255] * 3, bgr))
save("transparent.png", drawn([0] * 4, bgra))
save("transparent.tif", drawn([0] * 4, bgra))
save("smooth.png", drawn([255] * 3, bgr, cv2.LINE_AA))
