"""A golden run: every command on small data, to compare two commits on the same machine.

    python tests/golden.py run --source OLD/src --python PYTHON -o old/
    python tests/golden.py run --source NEW/src --python PYTHON -o new/
    python tests/golden.py compare old/ new/

`run` makes the inputs, runs every line of LINES in a fresh folder, keeps all files, exit codes and
what was printed, and exits with 1 if an exit code is not the expected one. `compare` lists what
differs, and exits with 1 if anything does. What a run gives depends on the versions of the
libraries, and networks on the processor; it is never committed. It needs `make test`'s environment, as the lines
use pydensecrf, dask and tensorboard.
"""

from __future__ import annotations

import argparse
import difflib
import fnmatch
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from builders import PER_IMAGE
from PIL import Image

NET = "--precision float32 --workers 1 --seed 5 --batch 2 --head-lr-factor 1"
TINY = f"--arch deeplabv2-mobilenetv2 {NET} --init random --crop 65"
# [N] before a line is the expected exit code, if not 0. Paths are relative, so that no output
# depends on the folder.
LINES = f"""
# The study in small, as `make demo-short` runs it.
make -s -f "$DEMO" OUT=demo TRAIN=6 VAL=4 ITERATIONS=4

# Data and scribbles.
wss demo-data --train 4 --val 3 --seed 1 -o d
wss demo-data --train 4 --val 3 --seed 1 -o d
[2] wss demo-data --seed 2 -o d
wss demo-data --photos -o photos
wss scribbles in/scribblesup -o s/scribblesup -j 1
wss scribbles in/labelme --width 5 -o s/labelme -j 2
wss scribbles in/cvat.xml --classes in/names.txt -o s/cvat -j 1
wss scribbles in/palette --unlabelled 0 --first-class 1 -o s/palette -j 1
wss scribbles in/grey --format picture -o s/grey -j 1
wss scribbles in/tiff -o s/tiff -j 1
wss scribbles in/npy --first-class 0 --unlabelled 3 -o s/npy -j 1
wss scribbles in/sbd -o s/sbd -j 1
wss scribbles in/strokes --images d/images --width 4 -o s/strokes -j 1
printf '%s\\0' in/scribblesup/*.xml | wss scribbles - -0 -o s/stream -j 1
wss scribbles --simulate d/gt --share 0.03 --strokes 2 --seed 3 --jobs 2 -o s/simulated
wss scribbles --simulate d/gt --width 2 --min-area 500 --ids d/val.txt -o s/large -j 1
[2] wss scribbles --simulate d/gt --share 0.03 --strokes 2 --seed 4 -o s/simulated
[2] wss scribbles in/scribblesup --format drawing -o s/none
[1] wss scribbles in/broken --classes in/names.txt -o s/broken -j 1
wss curate d/scribbles d/gt -o curated -j 1
wss curate in/moved d/gt --shard 1/2 -o curated-moved -j 1
wss stats d/scribbles -j 1
wss stats d/scribbles --per-image -j 2
wss stats d/gt --per-image --format csv -j 1
wss stats s/simulated --json --ids d/val.txt -j 1
[2] wss stats nowhere
[1] wss stats in/damaged -j 1

# Local models.
wss rf-predict d/images d/scribbles --ids d/train.txt -o l/rf -j 1
wss rf-predict d/images d/scribbles --ids d/train.txt -o l/rf -j 1
wss rf-predict d/images d/scribbles --ids d/train.txt -o l/rf-jobs --jobs 2
[2] wss rf-predict d/images d/scribbles --trees 7 -o l/rf
wss rf-predict d/images d/scribbles --trees 8 --features 20 --position --seed 2 -o l/position -j 1
wss rf-predict d/images d/scribbles --trees 8 --scales 1,2 -o l/scales --shard 1/2 -j 1
wss rf-predict d/images d/scribbles --trees 8 --engine sklearn -o l/sklearn --shard 1/2 -j 1
wss rf-predict d/images d/scribbles --trees 8 --filters in/bank.npy --filters gabor --rectify \
  --filter-input torchvision -o l/bank --shard 1/2 -j 1
wss rf-predict d/images in/empty --n-classes 7 -o l/empty -j 1
[1] wss rf-predict in/damaged d/scribbles --n-classes 7 -o l/damaged -j 1
[2] wss rf-predict d/images d/scribbles --filters nothing -o l/none
[2] wss rf-predict d/images d/scribbles --engine other -o l/none
wss local-predict d/images d/scribbles --model walker -o l/walker -j 1
wss local-predict d/images d/scribbles --model walker --beta 100 -o l/beta --shard 1/2 -j 2
wss local-predict d/images d/scribbles --model boosting --rounds 5 -o l/boosting -j 1
wss local-predict d/images d/scribbles --model boosting --rounds 3 --leaves 7 --l2 1 \
  --learning-rate 0.3 --position --seed 4 -o l/boosting-options --shard 1/2 -j 1
[2] wss local-predict d/images d/scribbles --model walker --rounds 5 -o l/none

# Networks.
wss train --images d/images --labels d/scribbles {TINY} --iterations 5 -o base.pt
wss train --images d/images --labels d/scribbles {TINY} --iterations 5 -o base.pt
[2] wss train --images d/images --labels d/scribbles {TINY} --iterations 7 -o base.pt
wss train --images d/images --labels d/gt --ids d/train.txt {TINY} --iterations 6 --log full.log \
  --val-images d/images --val-labels d/gt --val-ids d/val.txt --val-every 3 --class-balance 0.5 \
  --tensorboard board -o full.pt
wss train --images d/images --labels l/rf --n-classes 7 {TINY} --iterations 3 --min-prob 0.6 \
  --max-rotation 10 --no-mirror --trained-batch-norm --learning-rate 0.01 -o soft.pt
wss train --images d/images --labels d/gt --arch deeplabv2-mobilenetv2 {NET} --init full.pt \
  --crop 65 --iterations 2 --l2sp-alpha 0.001 --l2sp-beta 0.0001 -o from-full.pt
wss train --images d/images --labels d/gt --arch deeplabv2-mobilenetv2 --init random --batch 2 \
  --crop 33 --iterations 2 --precision bfloat16 --cache 0 --workers 0 -o bfloat16.pt
wss train --images d/images --labels d/gt --arch deeplabv2-vgg16 {NET} --init random --crop 33 \
  --iterations 1 -o vgg16.pt
wss train --images d/images --labels d/gt --arch deeplabv2-resnet101 {NET} --init random \
  --crop 33 --iterations 1 -o resnet101.pt
wss train --images d/images --labels d/gt --arch pspnet-resnet50 {NET} --init random --crop 33 \
  --iterations 2 --learning-rate 0.001 -o pspnet.pt
interrupted_train --images d/images --labels d/scribbles {TINY} --iterations 7 -o resumed.pt
[2] wss train --images d/images --labels d/gt --arch other -o none.pt
[2] wss train --images d/images --labels d/gt --val-every 2 -o none.pt
[1] wss train --images d/images --labels in/damaged --n-classes 7 {TINY} -o none.pt
[1] wss train --images d/images --labels d/gt --init in/names.txt -o none.pt
wss global-predict d/images --ids d/train.txt --model base.pt -o g/base -j 1
wss global-predict d/images --ids d/train.txt --model base.pt -o g/jobs -j 2
wss global-predict d/images --ids d/val.txt --model full.pt --flip --floor 0.01 -o g/flip -j 1
wss global-predict d/images --ids d/val.txt --model full.pt --msc -o g/msc -j 1
wss global-predict d/images --shard 2/2 --model base.pt --scales 0.5,1 --batch 2 -o g/scales -j 1
wss global-predict d/images --ids d/train.txt --model full.pt --restrict-to d/scribbles \
  -o g/only -j 1
wss global-predict d/images/val-000.png --model full.pt --precision bfloat16 -o g/bfloat16
wss global-predict d/images/val-000.png --model vgg16.pt -o g/vgg16
wss global-predict d/images/val-000.png --model pspnet.pt --flip -o g/pspnet
[1] wss global-predict in/damaged --model base.pt -o g/damaged -j 1
[1] wss global-predict d/images --model in/names.txt -o g/none
[2] wss global-predict d/images --model base.pt --precision float16 -o g/none

# Maps.
wss fuse l/rf g/base -o f/mean -j 1
wss fuse l/rf l/walker g/base --weights 1,2,0.5 -o f/weighted -j 2
[2] wss fuse l/rf g/base --weights 1 -o f/none
[1] wss fuse l/rf in/maps -o f/damaged -j 1
wss adjust-prior f/mean --from d/scribbles --to d/gt -o a/prior -j 1
wss adjust-prior f/mean --from d/scribbles --to d/gt --power 0.5 --shard 1/2 -o a/half -j 1
[2] wss adjust-prior f/mean --from d/scribbles -o a/none
wss regularize --potts --images d/images l/rf -o r/potts -j 1
wss regularize --potts --lambda 50 --eta 0.02 --floor 0.01 --tol 0.01 --max-iterations 50 \
  --images d/images f/mean -o r/potts-options -j 2
wss regularize --crf --images d/images f/mean -o r/crf -j 1
wss regularize --crf --w1 5 --sigma-alpha 20 --sigma-beta 8 --w2 3 --sigma-gamma 1 --iterations 3 \
  --prune 0.1 --images d/images f/mean -o r/crf-options -j 2
wss regularize --crf --engine pydensecrf --images d/images f/mean -o r/pydensecrf -j 1
[2] wss regularize --images d/images l/rf -o r/none
[2] wss regularize --potts --w1 3 --images d/images l/rf -o r/none
[1] wss regularize --potts --images d/images in/maps -o r/damaged -j 1
wss tune l/rf --images d/images --gt d/gt --potts --lambda 1,10 --eta 0,0.01 -o t/potts -j 1
wss tune l/rf --images d/images --gt d/gt --potts --lambda 1,10,20 --eta 0,0.01 -o t/potts -j 1
wss tune l/rf --images d/images --gt d/gt --crf --w1 1,3 --sigma-alpha 30 --sigma-beta 5 --w2 5 \
  --iterations 3,10 --sample 2 --seed 1 --json -o t/crf -j 2
[2] wss tune l/rf --images d/images --gt d/gt -o t/none
wss regularize --params t/potts/params.json --images d/images l/rf -o r/params -j 1
wss regularize --params t/crf/params.json --w2 2 --images d/images l/rf -o r/params-crf -j 1
wss argmax f/mean -o p/mean -j 1
wss argmax f/mean -o p/mean -j 1
wss argmax l/rf -o p/rf -j 1
wss argmax l/rf --min-prob 0.7 -o p/sure -j 2
wss argmax l/walker --backend threading --jobs 2 -o p/walker
wss argmax f/mean --backend dask --jobs 2 -o p/dask
wss argmax r/crf -o p/crf -j 1
wss argmax r/potts -o p/potts -j 1
wss argmax g/base --shard 2/2 -o p/shard -j 1
wss argmax in/dense.npy -o p/dense
[1] wss argmax in/maps -o p/damaged -j 1
[2] wss argmax f/mean --min-prob 2 -o p/none
wss rf-predict d/images d/scribbles --trees 6 -o pipe/local -j 1 | \
  wss regularize --potts --images d/images - -o pipe/smooth -j 1 | wss argmax - -o pipe/labels -j 1
wss global-predict d/images --ids d/val.txt --model soft.pt -0 -o pipe/global -j 1 | \
  wss argmax - -0 -o pipe/global-labels -j 1

# Scores.
wss score p/mean d/gt --ids d/train.txt -j 1
wss score p/sure d/gt --ids d/train.txt --per-image -j 2
wss score p/crf d/gt --ids d/train.txt --json --per-image -j 1
ls p/crf/*.png | wss score - d/gt -j 1
[1] wss score p/mean in/damaged -j 1
[2] wss score p/mean
wss eval-gap --gt d/gt --ids d/train.txt $GAP $ROWS -j 1
wss eval-gap --gt d/gt --ids d/train.txt $GAP $ROWS --bootstrap 200 --seed 1 --band 1,2 --per-class -j 2
wss eval-gap --gt d/gt --ids d/train.txt $GAP $ROWS --bootstrap 200 --band 2 --void-is-border --json \
  --pfa crf=p/mean --train crf=p/rf --train-ids d/train.txt -j 1 > gap.json
wss eval-gap --gt d/gt --ids d/train.txt $GAP $ROWS --format markdown -j 1
wss eval-gap --gt d/gt --ids d/train.txt $GAP $ROWS --format latex --per-class -j 1
wss eval-gap --gt d/gt --ids d/train.txt $GAP $ROWS --format csv --bootstrap 50 --against crf -j 1
wss eval-gap --gt d/gt --ids d/train.txt n/full=p/rf n/baseline=p/potts n/crf=p/crf $GAP $ROWS -j 1
wss eval-gap --gt d/gt --ids d/train.txt --study in/study.csv --train-ids d/train.txt --bootstrap 50 -j 1
wss eval-gap --gt d/gt --ids d/train.txt --study in/study.csv --train-ids d/train.txt --json -j 1 > study.json
wss eval-gap --scores in/scores.csv
wss eval-gap --scores in/scores.csv --published --format latex
wss eval-gap --published --format markdown
[1] wss eval-gap --scores in/names.txt
[2] wss eval-gap --gt d/gt --full p/rf
[2] wss eval-gap --scores in/scores.csv --bootstrap 5
wss compare mean=p/mean crf=p/crf --gt d/gt --ids d/train.txt --images d/images -o c/images -j 1
wss compare p/potts p/crf --gt d/gt --ids d/train.txt --metric miou --top 1 --bootstrap 100 --seed 2 --json \
  -o c/miou -j 2
[1] wss compare p/mean p/shard --gt d/gt -o c/none -j 1
[2] wss compare p/mean p/mean --gt d/gt -o c/none -j 1

# Pictures and reports.
wss show d/images scribbles=d/scribbles rf=l/rf labels=p/mean truth=d/gt --gt d/gt -o v/sheet.png
wss show d/images labels=p/mean --columns 2 --rows 2 --opacity 0.4 --cell-width 100 -o v/grid.png
wss show photos --columns 3 -o v/photos.png
wss show d/images labels=p/mean --each -o v/overlays -j 2
wss show d/images rf=l/rf labels=p/mean --each --cell-width 80 --ids d/train.txt -o v/beside -j 1
wss show d/images road=heat:road:l/rf unsure=entropy:f/mean wrong=errors:p/mean \
  change=diff:p/mean,p/crf maps=diff:l/rf,f/mean --gt d/gt --rows 3 -o v/views.png
wss show d/images change=diff:p/mean,p/crf --classes d/classes.txt -o v/change.png
wss show --filters gabor --filters in/bank.npy --filter-input bgr -o v/filters.png
[2] wss show d/images wrong=errors:p/mean -o v/none.png
[2] wss show d/images nonsense -o v/none.png
[1] wss show in/damaged -o v/none.png
wss report gap.json --images d/images --gt d/gt --title "A golden report" -o report.html
wss report study.json --images d/images --gt d/gt --sheet-images 1 -o study.html
wss report - -o plain.html < gap.json
wss report gap.json --sheet-images 0 -o no-sheets.html
[1] wss report in/names.txt -o none.html
wss weights
wss weights list paper --json
wss weights list vgg16 --weights-dir in/weights
wss weights where vgg16 --weights-dir in/weights
wss weights verify
[1] wss weights verify vgg16 --weights-dir in/weights
[1] wss weights where vgg16
[2] wss weights fetch
[2] wss weights list nothing
wss info l/rf/train-000.npz base.pt p/mean/train-000.png t/potts/params.json c/images/compare.json
wss info --json r/potts/train-000.npz vgg16.pt d/gt/val-000.png
[1] wss info in/damaged/train-000.png
[1] wss info nowhere.npz

# The program.
wss
wss --help
wss --version
[2] wss argmx f/mean -o none
[2] wss argmax
[2] wss argmax f/mean --nonsense -o none
"""
PLACES = {"DATA/maps": "f/mean", "DATA/other-maps": "l/rf", "DATA/strokes": "in/strokes"}
"""Where files are that `builders.PER_IMAGE` has in other folders of its data set."""
SHELL = """
GAP="--full p/rf --baseline p/walker" ROWS="crf=p/crf two=p/mean,p/potts"
interrupted_train() {  # its messages say how far it came, which is a matter of chance
  wss train "$@" --checkpoint-every 1 2> /dev/null &
  until [ -e resumed.pt.checkpoint ]; do sleep 0.02; done
  kill -TERM $!; wait $!; [ $? = 143 ] && wss train "$@" --checkpoint-every 1 2> /dev/null
}
"""

# Left out of the comparison, with the reason.
EXCLUDED = {"board/events.out.tfevents.*": "TensorBoard writes the time and the machine's name"}
VARYING = ((re.compile(r"[\d.]+ min left"), "TIME min left"),)
RECORD_KEYS = ("kind", "step", "version", "options", "inputs", "made_by", "meta", "blake2b")


# --- Inputs that no command makes.


def write_inputs(folder: Path) -> None:
    """Annotations of each format, tables, filters, and damaged files."""
    labels = np.zeros((40, 56), np.uint8)
    labels[3:6, 4:20], labels[10, 10], labels[30:33] = 1, 2, 3
    scene = np.full((160, 208), 255, np.uint8)  # the size of the scenes of demo-data
    moved = scene.copy()
    moved[20:140:10] = 2
    picture, palette = Image.fromarray(labels), Image.fromarray(labels)
    palette.putpalette(list(range(256)) * 3)
    rng = np.random.default_rng(0)
    probs = rng.random((3, 12, 17))
    arrays = {
        "npy/a.npy": labels.astype(np.int64),
        "bank.npy": rng.normal(0, 0.01, (6, 3, 5, 5)).astype(np.float32),
        "dense.npy": (probs / probs.sum(axis=0)).astype(np.float32),
    }
    pictures = {
        "grey/a.png": picture,
        "tiff/a.tif": picture,
        "palette/a.png": palette,
        "empty/train-000.png": Image.fromarray(scene),
        "moved/train-000.png": Image.fromarray(moved),
    }
    texts = {**annotation_texts(), **other_texts()}
    for name in ("sbd/a.mat", *arrays, *pictures, *texts):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / "sbd" / "a.mat").write_bytes(matlab_labels(labels))
    for name, array in arrays.items():
        np.save(folder / name, array)
    for name, image in pictures.items():
        image.save(folder / name)
    for name, text in texts.items():
        (folder / name).write_text(text)


def annotation_texts() -> dict[str, str]:
    """Scribbles of an image of 40 x 56 pixels in each format that is text."""
    point = "<point><X>{}</X><Y>{}</Y></point>"
    line = "".join(point.format(x, y) for x, y in ((5, 5), (40, 5), (70, 30)))
    size = "<size><height>40</height><width>56</width><depth>3</depth></size>"
    drawn = f"<polygon>{line}<tag>plane</tag></polygon>"
    drawn += f"<polygon>{point.format(20, 30)}<tag>cat</tag></polygon>"
    shapes = [
        {"label": "grass", "shape_type": "linestrip", "points": [[5.5, 5.5], [30.5, 5.5]]},
        {"label": "water", "shape_type": "point", "points": [[50.5, 30.5]]},
        {"label": "sky", "shape_type": "polygon", "points": [[0, 9], [20, 9], [0, 39]]},
        {"label": "grass", "shape_type": "rectangle", "points": [[40, 9], [45, 3]]},
    ]
    return {
        "scribblesup/a.xml": f"<annotation>{size}{drawn}</annotation>",
        "scribblesup/b.xml": f"<annotation>{size}</annotation>",
        "labelme/a.json": json.dumps({"shapes": shapes, "imageHeight": 40, "imageWidth": 56}),
        "labelme/classes.txt": "sky\ngrass\nwater\n",
        "cvat.xml": """<annotations>
            <image name="set/one.jpg" width="56" height="40">
            <polyline label="grass" points="5.5,5.5;30.5,5.5;30.5,30.5"/>
            <mask label="water" rle="2, 3, 4, 1" left="20" top="3" width="5" height="2"/></image>
            <image name="two.jpg" width="56" height="40">
            <box label="sky" xtl="10.0" ytl="4.0" xbr="14.0" ybr="6.0"/>
            <points label="water" points="30.5,20.5;40.5,20.5"/></image></annotations>""",
        "strokes/train-000.txt": "# a comment\n0,10,10,50,12,60,40\n3,30,30\n",
        "strokes/val-001.txt": "1,5,5,500,80\n",
        "broken/a.json": "{",
        "broken/b.json": json.dumps({"shapes": [], "imageHeight": 40, "imageWidth": 56}),
    }


def other_texts() -> dict[str, str]:
    """Tables, and files that are not what their names say."""
    return {
        "names.txt": "sky\ngrass\nwater\n",
        "scores.csv": "group,name,pfa,miou,printed_reduction\n,full,100,70,\n,baseline,,60.5,\n"
        ",ours,90.5,66,57.9\nmsc,full,,71,\nmsc,baseline,,61,\n",
        "study.csv": "group,name,val,pfa,train\n,full,../p/rf,,\n,baseline,../p/walker,,\n"
        ',two,"../p/mean,../p/potts",../p/crf,../p/rf\n',
        "weights/vgg16-397923af.pth": "not the published file",
        "damaged/train-000.png": "no PNG",
        "maps/train-000.npz": "no map",
    }


def matlab_labels(labels: np.ndarray) -> bytes:
    """A file of SBD; its first 116 bytes are a text, which scipy fills with the date."""
    from scipy.io import savemat

    file = io.BytesIO()
    savemat(file, {"GTcls": {"Segmentation": labels}}, do_compression=True)
    return b"MATLAB 5.0 MAT-file".ljust(116) + file.getvalue()[116:]


# --- Running the lines.


def expected_lines() -> list[tuple[int, str]]:
    """The expected exit code and the text of each line, then the help of each command."""
    lines = [line for line in LINES.splitlines() if line and not line.startswith("#")]
    matches = [re.fullmatch(r"(?:\[(\d+)\] )?(.*)", line) for line in lines]
    expected = [(int(match[1] or 0), match[2]) for match in matches if match]
    expected += [(0, line) for line in lines_of_new_steps()]
    names = {line.split()[1] for code, line in expected if not code and re.match("wss [a-z]", line)}
    return expected + [(0, f"wss {name} --help") for name in sorted(names)]


def lines_of_new_steps() -> Iterator[str]:
    """A line with the defaults and one with other options for each step that LINES does not have."""
    for one in PER_IMAGE.values():
        if f"wss {one.command} " not in LINES:
            words = [PLACES.get(word, word.replace("DATA/", "d/")) for word in one.line.split()]
            out = f"new/{one.command}"
            yield f"wss {' '.join(words)} -o {out} -j 1"
            yield f"wss {' '.join(words)} {one.other} -o {out}-other -j 2"


def run_lines(source: Path, python: str, out: Path) -> int:
    """Run every line in out/files; the number of unexpected exit codes."""
    if out.exists():
        sys.exit(f"{out} exists already")
    write_inputs(out / "files" / "in")
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as pool:
        program = Path(folder, "wss")
        program.write_text(f'#!/bin/sh\nexec "{shutil.which(python)}" -m wsstools "$@"\n')
        program.chmod(0o755)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("WSS_")},
            "PATH": f"{folder}:{os.environ['PATH']}",
            "PYTHONPATH": str(source.resolve()),
            "DEMO": str(source.resolve().parent / "examples" / "demo" / "Makefile"),
            "TORCH_HOME": "torch-home",
            "COLUMNS": "80",
            "OMP_WAIT_POLICY": "passive",  # threads that wait leave the cores to others
        }
        first, *others = [(*line, out, environment) for line in expected_lines()]
        study = pool.submit(run_line, *first)  # the longest, which no other line needs
        runs = [run_line(*line) for line in others]
        runs.insert(0, study.result())
    (out / "runs.json").write_text(json.dumps(runs, indent=1))
    return sum(run["code"] != code for run, (code, _) in zip(runs, expected_lines(), strict=True))


def run_line(expected: int, line: str, out: Path, environment: dict[str, str]) -> dict[str, Any]:
    """Run a line of bash; what it was, its exit code and what it printed."""
    began = time.monotonic()
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{SHELL}\n{line}"],
        cwd=out / "files",
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=900,
    )
    print(f"{done.returncode} {time.monotonic() - began:5.1f} s  {line}", flush=True)
    if done.returncode != expected:
        print(f"  expected {expected}: {done.stderr.decode()}")
    said = {name: scrubbed(getattr(done, name), out) for name in ("stdout", "stderr")}
    return {"line": line, "code": done.returncode, **said}


def scrubbed(data: bytes, out: Path) -> str:
    """What was printed, without what varies by nature."""
    text = data.decode(errors="backslashreplace").replace(str(out.resolve()), "OUT")
    for pattern, replacement in VARYING:
        text = pattern.sub(replacement, text)
    return text


# --- Comparing two runs.


def parts_of(path: Path) -> tuple[Any, Any]:
    """Content and record of a file: what it holds, and how it says that it was made."""
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            content = {key: arrays[key] for key in arrays.files if key != "meta"}
            return content, str(arrays["meta"]) if "meta" in arrays.files else None
    if path.suffix == ".npy":
        return np.load(path), None
    if path.suffix == ".png":
        with Image.open(path) as picture:
            return (picture.mode, picture.getpalette(), np.asarray(picture)), picture.info
    if path.suffix == ".pt":
        import torch

        content = torch.load(path, map_location="cpu", weights_only=True)
        header = json.loads(content.pop("header"))
        return (content, {**header, "meta": None}), header["meta"]
    if path.suffix == ".json":
        value = json.loads(path.read_bytes())
        return without_records(value), value
    return path.read_bytes(), None


def without_records(value: Any) -> Any:
    """A JSON value without what says how files were made."""
    if isinstance(value, list):
        return [without_records(entry) for entry in value]
    if isinstance(value, dict):
        return {k: without_records(v) for k, v in value.items() if k not in RECORD_KEYS}
    return value


def differences(one: Any, two: Any, where: str = "") -> Iterator[str]:
    """What differs between two values: dicts and lists of arrays, tensors, texts and numbers."""
    if type(one) is not type(two):
        yield f"{where} {type(one).__name__} / {type(two).__name__}"
    elif isinstance(one, dict):
        for key in sorted(one.keys() ^ two.keys()):
            yield f"{where}{key} only in {'A' if key in one else 'B'}"
        for key in sorted(one.keys() & two.keys()):
            yield from differences(one[key], two[key], f"{where}{key}.")
    elif isinstance(one, (list, tuple)) and len(one) == len(two):
        for k, pair in enumerate(zip(one, two, strict=True)):
            yield from differences(*pair, f"{where}{k}.")
    elif is_json(one) and is_json(two):
        yield from differences(json.loads(one), json.loads(two), where)
    elif hasattr(one, "dtype"):
        yield from array_differences(one, two, where)
    elif one != two:
        one, two = (v.decode(errors="replace") if type(v) is bytes else str(v) for v in (one, two))
        yield diff_head(one, two) if "\n" in one + two else f"{where} {one[:300]} / {two[:300]}"


def is_json(value: Any) -> bool:
    """Whether it is the text of a record."""
    try:
        return isinstance(value, str) and isinstance(json.loads(value), dict)
    except ValueError:
        return False


def array_differences(one: Any, two: Any, where: str) -> Iterator[str]:
    """How many values of two arrays or tensors differ, and how far."""
    if one.shape != two.shape or one.dtype != two.dtype:
        yield f"{where} {one.dtype} {tuple(one.shape)} / {two.dtype} {tuple(two.shape)}"
        return
    first, second = np.asarray(one, np.float64), np.asarray(two, np.float64)
    is_other = (first != second) & ~(np.isnan(first) & np.isnan(second))
    if is_other.any():
        most = np.abs(first - second)[is_other].max()
        yield f"{where} {is_other.sum()} of {is_other.size} values, by up to {most:.3g}"


def diff_head(one: str, two: str, most: int = 8) -> str:
    """The first lines of a unified diff."""
    lines = list(difflib.unified_diff(one.splitlines(), two.splitlines(), lineterm="", n=0))[2:]
    rest = [f"... {len(lines) - most} more"] if len(lines) > most else []
    return "\n    ".join([line[:160] for line in lines[:most]] + rest) or "ends of lines"


def compare_files(one: Path, two: Path, options: argparse.Namespace) -> int:
    """Print how the files differ; the number of them that count as different."""
    first, second = files_in(one / "files"), files_in(two / "files")
    n_wrong = n_equal = 0
    for name in sorted(first.keys() | second.keys()):
        if name not in first or name not in second:
            print(f"DIFFERS  {name}: only in {'A' if name in first else 'B'}")
            n_wrong += 1
        elif first[name].read_bytes() == second[name].read_bytes():
            n_equal += 1
        else:
            content, record = differing_parts(first[name], second[name])
            counted = content + ([] if options.ignore_records else record)
            is_wrong = bool(counted) or not options.content
            n_wrong += is_wrong
            findings = [f"{what} {'differs' if found else 'is equal'}" for what, found in
                    (("content", content), ("record", record))]  # fmt: skip
            print(f"{'DIFFERS' if is_wrong else 'bytes'}  {name}: {', '.join(findings)}")
            for text in [*content[:4], *record[:2]]:
                print(f"    {text}")
    print(f"{n_equal} files equal, {n_wrong} different")
    return n_wrong


def files_in(folder: Path) -> dict[str, Path]:
    """The files to compare, by their names in the folder."""
    paths = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}
    is_left_out = {n: any(fnmatch.fnmatch(n, pattern) for pattern in EXCLUDED) for n in paths}
    return {name: path for name, path in paths.items() if not is_left_out[name]}


def differing_parts(one: Path, two: Path) -> tuple[list[str], list[str]]:
    """What differs between two files: in their contents, and in their records."""
    try:
        (content, record), (other, its_record) = parts_of(one), parts_of(two)
    except Exception as error:  # some are damaged on purpose
        return [f"cannot be read: {error}"], []
    return list(differences(content, other)), list(differences(record, its_record))


def compare_runs(one: Path, two: Path, options: argparse.Namespace) -> int:
    """Print how exit codes and messages differ; the number of lines that count as different."""
    first, second = runs_in(one), runs_in(two)
    n_wrong = 0
    for key in dict.fromkeys([*first, *second]):
        if key not in first or key not in second:
            print(f"DIFFERS  {key[0]}: only in {'A' if key in first else 'B'}")
            n_wrong += 1
            continue
        a, b = first[key], second[key]
        parts = [part for part in ("code", "stdout", "stderr") if a[part] != b[part]]
        is_wrong = any(part != "stderr" or options.stderr for part in parts)
        n_wrong += is_wrong
        if parts:
            print(f"{'DIFFERS' if is_wrong else 'stderr'}  {key[0]}: {', '.join(parts)}")
        for part in parts:
            print(f"    {diff_head(str(a[part]), str(b[part]))}")
    print(f"{len(first)} lines, {n_wrong} different")
    return n_wrong


def runs_in(folder: Path) -> dict[tuple[str, int], Any]:
    """Each run by its line and how often that was run before: some lines are run twice."""
    count: Counter[str] = Counter()
    runs = {}
    for run in json.loads((folder / "runs.json").read_text()):
        runs[run["line"], count[run["line"]]] = run
        count[run["line"]] += 1
    return runs


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run every line")
    run.add_argument("--source", type=Path, required=True, help="src/ of a checkout")
    run.add_argument("--python", default=sys.executable)
    run.add_argument("-o", "--out", type=Path, required=True, help="a new folder")
    compare = commands.add_parser("compare", help="compare two runs")
    compare.add_argument("one", type=Path)
    compare.add_argument("two", type=Path)
    compare.add_argument("--content", action="store_true", help="contents count, not bytes")
    compare.add_argument("--ignore-records", action="store_true", help="nor do records count")
    compare.add_argument("--stderr", action="store_true", help="standard error counts too")
    options = parser.parse_args()
    if options.command == "run":
        if not (options.source / "wsstools").is_dir():
            parser.error(f"--source {options.source}: expected the src/ of a checkout")
        n_wrong = run_lines(options.source, options.python, options.out)
        print(f"{n_wrong} unexpected exit codes")
        return min(n_wrong, 1)
    options.content |= options.ignore_records
    n_files = compare_files(options.one, options.two, options)
    return min(n_files + compare_runs(options.one, options.two, options), 1)


if __name__ == "__main__":
    sys.exit(main())
