# Parameters of the ACDC study. Each can be given on the command line instead.
TITLE ?= ACDC: the gap to full supervision

# The network of Table 1, those of Table 2, and what is left to chance.
ARCH  ?= deeplabv2-mobilenetv2
ARCHS ?= $(ARCH)
SEED  ?= 0
SEEDS ?= $(SEED)
INIT  ?= imagenet

# The schedule. Slices are about 200 to 400 pixels wide and differ in the heart's position and turn.
ITERATIONS ?= 3000
TRAIN_deeplabv2-mobilenetv2 ?= --iterations $(ITERATIONS) --batch 8 --crop 193 \
  --learning-rate 0.005 --power 0.9 --momentum 0.9 --weight-decay 0.0005 \
  --min-scale 0.75 --max-scale 1.5 --max-rotation 15

# The network of the ACDC literature, with its schedule: ARCH=unet INIT=random.
TRAIN_unet ?= --iterations 60000 --batch 12 --crop 256 \
  --learning-rate 0.01 --power 0.9 --momentum 0.9 --weight-decay 0.0001 \
  --head-lr-factor 1 --head-bias-lr-factor 1 --min-scale 1 --max-scale 1 --max-rotation 20

# The local model. In grey images the place of a pixel and its wider surroundings say more than the
# filters do (docs/local-model.md).
FOREST ?= --filters gabor --trees 50 --features 100 --position --scales 1,0.5,0.25,0.125
FUSION ?=

# Rows beyond the paper, extended and extended-crf: random walks, and adjusted class shares.
WALKER ?=
FUSION_extended ?= --weights 1,1,2
PRIOR ?= --power 0.75

# And recipe, recipe-crf: the mean of these annotators (docs/local-model.md), which is the
# recommended one; linear learns on the features of the baseline.
RECIPE ?= local global linear walker
LINEAR ?=
FUSION_recipe ?=

# The paper's lambda 50 takes the small organs out of global maps altogether. These were chosen on
# other training images (docs/regularizers.md): borders at weak edges need a larger eta.
POTTS_local    ?= --lambda 10 --eta 0.01
POTTS_global   ?= --lambda 10 --eta 0.1
POTTS_combined ?= --lambda 10 --eta 0.1
POTTS_extended ?= $(POTTS_combined)
POTTS_recipe   ?= $(POTTS_combined)
CRF_local      ?= --w1 1 --sigma-alpha 30 --sigma-beta 20 --w2 5 --sigma-gamma 2 --crf-iterations 10
CRF_global     ?= --w1 3 --sigma-alpha 30 --sigma-beta 5 --w2 2 --sigma-gamma 2 --crf-iterations 10
CRF_combined   ?= --w1 1 --sigma-alpha 30 --sigma-beta 5 --w2 2 --sigma-gamma 2 --crf-iterations 10
CRF_extended   ?= $(CRF_combined)
CRF_recipe     ?= $(CRF_combined)

# At test time: several sizes, and the CRF after the network.
MSC      ?= --scales 0.75,1,1.25 --flip
CRF_TEST ?= $(CRF_global)

# Intervals, and the mIoU near borders. Slices of one patient are alike: they are drawn together.
GAP_OPTIONS ?= --bootstrap 2000 --clusters 'patient[0-9]+' --band 1,2,4
