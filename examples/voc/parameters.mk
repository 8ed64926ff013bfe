# Parameters of the PASCAL VOC study: the paper's, arXiv:1808.01625. Each can be given on the
# command line instead.
TITLE ?= PASCAL VOC 2012: the gap to full supervision

# --- The data: addresses, and the checksums (MD5) that torchvision publishes for two of them.
# ScribbleSup is linked at jifengdai.org/downloads/scribble_sup; it has no published checksum.
VOC_URL        ?= https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar
VOC_MD5        ?= 6cd6e144f989b92b3379bac3b3de84fd
SBD_URL        ?= https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz
SBD_MD5        ?= 82b4d87ceb2ed10f6038a1cba92111cb
SCRIBBLESUP_URL ?= https://www.dropbox.com/s/9vh3kvtd742red8/scribble_annotation.zip?dl=1
SCRIBBLESUP_MD5 ?=

# Width of the brush that draws the scribbles, pixels.
BRUSH ?= 3

# --- The study. Original scribbles, and curated ones: the class of the ground truth at each of their pixels.
SCRIBBLES ?= original curated

# The network of Table 1, those of Table 2, and what is left to chance.
ARCH  ?= deeplabv2-resnet101
ARCHS ?= deeplabv2-resnet101 pspnet-resnet50 pspnet-resnet101
SEED  ?= 0
SEEDS ?= $(SEED)
INIT  ?= imagenet

# Schedules.
TRAIN_deeplabv2-resnet101 ?= --iterations 20000 --batch 10 --crop 321 \
  --learning-rate 0.000625 --power 0.9 --momentum 0.9 --weight-decay 0.0005 \
  --head-lr-factor 10 --head-bias-lr-factor 20 --frozen-batch-norm \
  --min-scale 0.5 --max-scale 1.5 --mirror
TRAIN_pspnet-resnet101 ?= --iterations 30000 --batch 16 --crop 480 \
  --learning-rate 0.01 --power 0.9 --momentum 0.9 --l2sp-alpha 0.001 --l2sp-beta 0.0001 \
  --head-lr-factor 10 --head-bias-lr-factor 10 --aux-weight 0.4 --trained-batch-norm \
  --min-scale 0.5 --max-scale 2 --max-rotation 10 --mirror
TRAIN_pspnet-resnet50  ?= $(TRAIN_pspnet-resnet101)

# Networks beside the paper's.
TRAIN_deeplabv2-resnet50 ?= $(TRAIN_deeplabv2-resnet101)
TRAIN_deeplabv2-vgg16 ?= --iterations 20000 --batch 10 --crop 321 \
  --learning-rate 0.001 --power 0.9 --momentum 0.9 --weight-decay 0.0005 \
  --bias-lr-factor 2 --min-scale 0.5 --max-scale 1.5 --mirror
TRAIN_deeplabv2-mobilenetv2 ?= --iterations 20000 --batch 10 --crop 321 \
  --learning-rate 0.005 --power 0.9 --momentum 0.9 --weight-decay 0.0005 \
  --min-scale 0.5 --max-scale 1.5 --mirror

TRAIN_deeplabv3plus-resnet101 ?= --iterations 30000 --batch 16 --crop 513 \
  --learning-rate 0.007 --power 0.9 --momentum 0.9 --weight-decay 0.0001 \
  --head-lr-factor 1 --head-bias-lr-factor 1 --trained-batch-norm \
  --min-scale 0.5 --max-scale 2 --mirror
TRAIN_deeplabv3plus-resnet50 ?= $(TRAIN_deeplabv3plus-resnet101)
TRAIN_deeplabv3plus-mobilenetv2 ?= $(TRAIN_deeplabv3plus-resnet101)

# The local model: the 100 most important of the 160 filters of VGG-16 and AlexNet, 50 trees; and
# the mean of both models.
FOREST ?= --filters paper --trees 50 --features 100
FUSION ?=

# Rows beyond the paper, extended and extended-crf: random walks, and adjusted class shares.
WALKER ?=
FUSION_extended ?= --weights 1,1,2
PRIOR ?= --power 0.75

# And recipe, recipe-crf: the mean of these annotators (docs/local-model.md), which is the
# recommended one; linear learns on the features of the baseline.
RECIPE ?= local global linear
LINEAR ?=
FUSION_recipe ?=

# The Potts model and the fully connected CRF.
POTTS_local    ?= --lambda 10 --eta 0.01
POTTS_global   ?= --lambda 50 --eta 0.01
POTTS_combined ?= --lambda 10 --eta 0.01
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

# Intervals, and the mIoU near borders, which the ground truth covers with a line of 255.
GAP_OPTIONS ?= --bootstrap 2000 --band 1,2,4,8,16 --void-is-border
