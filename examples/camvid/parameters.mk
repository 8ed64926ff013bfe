# Parameters of the CamVid study. Each can be given on the command line instead.
TITLE ?= CamVid: the gap to full supervision

# The network of Table 1, those of Table 2, and what is left to chance. More seeds show how far a
# second run moves a number: SEEDS="0 1 2".
ARCH  ?= deeplabv2-mobilenetv2
ARCHS ?= $(ARCH)
SEED  ?= 0
SEEDS ?= $(SEED)
INIT  ?= imagenet

# Schedules.
ITERATIONS ?= 3000
TRAIN_deeplabv2-mobilenetv2 ?= --iterations $(ITERATIONS) --batch 8 --crop 240 \
  --learning-rate 0.005 --power 0.9 --momentum 0.9 --weight-decay 0.0005 \
  --min-scale 0.5 --max-scale 1.5
TRAIN_deeplabv2-vgg16 ?= --iterations $(ITERATIONS) --batch 10 --crop 321 \
  --learning-rate 0.001 --power 0.9 --momentum 0.9 --weight-decay 0.0005 \
  --min-scale 0.5 --max-scale 1.5
TRAIN_deeplabv2-resnet50 ?= --iterations $(ITERATIONS) --batch 10 --crop 321 \
  --learning-rate 0.000625 --power 0.9 --momentum 0.9 --weight-decay 0.0005 \
  --min-scale 0.5 --max-scale 1.5
TRAIN_deeplabv2-resnet101 ?= $(TRAIN_deeplabv2-resnet50)
TRAIN_pspnet-resnet50 ?= --iterations $(ITERATIONS) --batch 16 --crop 321 \
  --learning-rate 0.01 --power 0.9 --momentum 0.9 --l2sp-alpha 0.001 --l2sp-beta 0.0001 \
  --aux-weight 0.4 --min-scale 0.5 --max-scale 2 --max-rotation 10
TRAIN_pspnet-resnet101 ?= $(TRAIN_pspnet-resnet50)

# The local model, and the mean of both.
FOREST ?= --filters gabor --trees 50 --features 100
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

# What oracles have right: also the ground on which cars drive and people walk.
ORACLES         ?= borders inside surfaces
ORACLE_surfaces ?= --classes road,pavement

# The Potts model and the fully connected CRF: the paper's.
LAMBDA_LOCAL   ?= 10
LAMBDA_GLOBAL  ?= 50
POTTS_local    ?= --lambda $(LAMBDA_LOCAL) --eta 0.01
POTTS_global   ?= --lambda $(LAMBDA_GLOBAL) --eta 0.01
POTTS_combined ?= --lambda $(LAMBDA_LOCAL) --eta 0.01
POTTS_extended ?= $(POTTS_combined)
POTTS_recipe   ?= $(POTTS_combined)
CRF            ?= --w1 3 --sigma-alpha 30 --sigma-beta 5 --w2 5 --sigma-gamma 2 --crf-iterations 10
CRF_local      ?= $(CRF)
CRF_global     ?= $(CRF)
CRF_combined   ?= $(CRF)
CRF_extended   ?= $(CRF_combined)
CRF_recipe     ?= $(CRF_combined)

# At test time: several sizes, and the CRF after the network.
MSC      ?= --msc
CRF_TEST ?= $(CRF)

# Intervals, and the mIoU near borders.
GAP_OPTIONS ?= --bootstrap 2000 --band 1,2,4,8,16
