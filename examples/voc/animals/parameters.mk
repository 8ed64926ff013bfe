# Parameters of the study on photographs of animals and people: those of VOC's 21 classes that 731
# photographs show often enough to be learned. Each can be given on the command line instead.
TITLE ?= PASCAL VOC 2012, animals and people: the gap to full supervision

# Where the two lists of names are.
NAMES ?= animals

# The points of What's the Point, a JSON file; its page is vision.stanford.edu/whats_the_point.
# Without it there are scribbles alone.
POINTS ?=

# Share of the pixels that the simulated scribbles cover, about.
SHARE ?= 0.027

VOC_GT ?= $(SOURCE)/gt

# Two kinds of annotation: scribbles, and points where DATA has them.
SCRIBBLES ?= original $(if $(or $(POINTS),$(wildcard $(DATA)/points)),points)
scribbles_points = $(DATA)/points

# A network that a CPU trains in half an hour, and its schedule.
ARCH       ?= deeplabv2-mobilenetv2
ARCHS      ?= $(ARCH)
ITERATIONS ?= 3000
TRAIN_deeplabv2-mobilenetv2 ?= --iterations $(ITERATIONS) --batch 8 --crop 193 \
  --learning-rate 0.005 --power 0.9 --momentum 0.9 --weight-decay 0.0005 --class-balance 0.5 \
  --min-scale 0.5 --max-scale 1.5 --mirror

# The local model: Gabor filters, which need no download, and the place of a pixel.
FOREST ?= --filters gabor --trees 50 --features 100 --position

include parameters.mk
