# The recommended recipe: from images and strokes alone to labels and a network.
#
#   make -f "$(wss recipe)" IMAGES=images SCRIBBLES=scribbles [OUT=out] [TARGET]
#
# Targets:
#
#   first      labels of FIRST images within minutes, without a network: OUT/first.png
#   labels     labels of all scribbled images: OUT/labels/, and OUT/labels.png to look at
#   network    the network that learned from them: OUT/network.pt (what `make` alone does)
#   predicted  its labels for the images in NEW: OUT/predicted/
#   scores     with GT, ground truth of some images: how good the labels are, and what each
#              annotator adds
#   report     with GT and VAL_IDS, the names of images to test on, which are not trained on: the gap
#              to a network of the ground truth of the other images, OUT/report.html
#   help       these lines
#
# IMAGES, SCRIBBLES, GT and NEW are folders; files are joined by their names. classes.txt in or
# beside SCRIBBLES names the classes. Every target goes on where an interrupted run left it;
# `make -n` shows the commands. Give other parameters another OUT.
SHELL       := bash
.SHELLFLAGS := -o pipefail -ec

WSS  ?= wss
OUT  ?= out
JOBS ?= 0
SEED ?= 0

# The network. Strokes of a few hundred images need about 3,000 iterations: half an hour to an hour
# on a computer of two cores.
ARCH          ?= deeplabv2-mobilenetv2
INIT          ?= imagenet
ITERATIONS    ?= 3000
TRAIN_OPTIONS ?= --crop 193 --class-balance 0.5

# Who annotates: local (random forest), global (the network trained on the strokes), linear (on its
# features) and walker, which is for objects that strokes surround. And the regularizer.
ANNOTATORS ?= local global linear
FUSION     ?=
FOREST     ?= --position
LINEAR     ?=
WALKER     ?=
REGULARIZE ?= --crf

# Images of `first`, and rows of a sheet.
FIRST ?= 12
ROWS  ?= 12

images    = "$(or $(IMAGES),$(error give IMAGES=, the folder of the images))"
scribbles = "$(or $(SCRIBBLES),$(error give SCRIBBLES=, the folder of the strokes))"
truth     = "$(or $(GT),$(error give GT=, the folder of the ground truth))"
ids       = --ids $(OUT)/train.txt --jobs $(JOBS)
train     = $(WSS) train --images $(images) --arch $(ARCH) --init $(INIT) --seed $(SEED) \
  --iterations $(ITERATIONS) $(TRAIN_OPTIONS)

.PHONY: all first labels network predicted scores report help
all: network

first: $(OUT)/first.png
labels: $(OUT)/labels.png
network: $(OUT)/network.pt
report: $(OUT)/report.html

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

# The scribbled images, without those to test on.
$(OUT)/train.txt:
	@mkdir -p $(@D)
	@test -d $(images) && test -d $(scribbles) || { echo "IMAGES and SCRIBBLES must be folders"; exit 1; }
	ls $(scribbles) | sed '/^classes\.txt$$/d; s/\.[^.]*$$//' | \
	  { grep -vxFf $(or $(VAL_IDS),/dev/null) || true; } > $@.part
	@test -s $@.part || { echo "no scribbles to learn from in" $(scribbles); exit 1; }
	@mv $@.part $@

# --- A first look.

$(OUT)/first.txt: $(OUT)/train.txt
	awk -v n=$(FIRST) '{ name[NR] = $$0 } \
	  END { m = n < NR ? n : NR; for (k = 0; k < m; k++) print name[int(k * NR / m) + 1] }' $< > $@

$(OUT)/first.png: $(OUT)/first.txt
	$(WSS) rf-predict $(FOREST) $(images) $(scribbles) --ids $< --jobs $(JOBS) -o $(OUT)/first/maps | \
	  $(WSS) regularize --potts --images $(images) - -o $(OUT)/first/smooth | \
	  $(WSS) argmax - -o $(OUT)/first/labels > /dev/null
	$(WSS) show $(images) scribbles=$(scribbles) labels=$(OUT)/first/labels --ids $< --rows $(ROWS) \
	  --overwrite -o $@

# --- The annotators, their mean, and the labels.

$(OUT)/baseline.pt: $(OUT)/train.txt
	$(train) --labels $(scribbles) --ids $< -o $@

$(OUT)/local/.done: $(OUT)/train.txt
	$(WSS) rf-predict $(FOREST) $(images) $(scribbles) $(ids) --seed $(SEED) -o $(@D)
	@touch $@

$(OUT)/walker/.done: $(OUT)/train.txt
	$(WSS) local-predict --model walker $(WALKER) $(images) $(scribbles) $(ids) -o $(@D)
	@touch $@

$(OUT)/global/.done: $(OUT)/baseline.pt
	$(WSS) global-predict $(images) $(ids) --model $< -o $(@D)
	@touch $@

$(OUT)/linear/.done: $(OUT)/baseline.pt
	$(WSS) local-predict --model linear --features-of $< $(LINEAR) $(images) $(scribbles) $(ids) \
	  -o $(@D)
	@touch $@

$(OUT)/labels/.done: $(ANNOTATORS:%=$(OUT)/%/.done)
	$(WSS) fuse $(ANNOTATORS:%=$(OUT)/%) $(FUSION) $(ids) -o $(OUT)/fused | \
	  $(WSS) regularize $(REGULARIZE) --images $(images) - -o $(OUT)/smooth | \
	  $(WSS) argmax - --scribbles $(scribbles) -o $(@D) > /dev/null
	@touch $@

$(OUT)/labels.png: $(OUT)/labels/.done
	$(WSS) show $(images) scribbles=$(scribbles) $(foreach a,$(ANNOTATORS),$a=$(OUT)/$a) \
	  labels=$(<D) --ids $(OUT)/train.txt --rows $(ROWS) --overwrite -o $@

# --- The network, and what it predicts.

$(OUT)/network.pt: $(OUT)/labels/.done $(OUT)/labels.png
	$(train) --labels $(<D) --ids $(OUT)/train.txt -o $@

predicted: $(OUT)/network.pt
	$(WSS) global-predict "$(or $(NEW),$(error give NEW=, a folder of images))" --model $< \
	  --jobs $(JOBS) -o $(OUT)/predicted-maps | $(WSS) argmax - -o $(OUT)/predicted

# --- With ground truth.

# Scribbled images that have some.
$(OUT)/scored.txt: $(OUT)/train.txt
	ls $(truth) | sed 's/\.[^.]*$$//' | grep -xFf $< > $@.part || \
	  { echo "no scribbled image has ground truth in" $(truth); exit 1; }
	@mv $@.part $@

$(OUT)/%/labels/.done: $(OUT)/%/.done
	$(WSS) argmax $(<D) $(ids) -o $(@D)
	@touch $@

scores: $(OUT)/scored.txt $(OUT)/labels/.done $(ANNOTATORS:%=$(OUT)/%/labels/.done)
	@for part in $(ANNOTATORS:%=%/labels) labels; do printf '%-16s' $${part%/labels}; \
	  $(WSS) score $(OUT)/$$part $(truth) --ids $< --jobs $(JOBS) | sed -n 1p; done

$(OUT)/full.txt: | $(OUT)/train.txt
	@test -n "$(VAL_IDS)" || { echo "give VAL_IDS=, a file of the names to test on"; exit 1; }
	@! grep -qxFf $(VAL_IDS) $(OUT)/train.txt || \
	  { echo "$(OUT)/train.txt has names of VAL_IDS: give another OUT"; exit 1; }
	ls $(truth) | sed '/^classes\.txt$$/d; s/\.[^.]*$$//' | grep -vxFf $(VAL_IDS) > $@.part || \
	  { echo "no ground truth beside that of VAL_IDS, for the full network"; exit 1; }
	@mv $@.part $@

$(OUT)/full.pt: $(OUT)/full.txt
	$(train) --labels $(truth) --ids $< -o $@

$(OUT)/val/%/.done: $(OUT)/%.pt
	$(WSS) global-predict $(images) --ids $(VAL_IDS) --model $< --jobs $(JOBS) -o $(OUT)/val-maps/$* | \
	  $(WSS) argmax - -o $(@D) > /dev/null
	@touch $@

$(OUT)/gap.json: $(OUT)/val/full/.done $(OUT)/val/baseline/.done $(OUT)/val/network/.done
	$(WSS) eval-gap --gt $(truth) --ids $(VAL_IDS) --full $(OUT)/val/full \
	  --baseline $(OUT)/val/baseline recipe=$(OUT)/val/network --bootstrap 2000 --json > $@.part
	@mv $@.part $@

$(OUT)/report.html: $(OUT)/gap.json
	$(WSS) eval-gap --gt $(truth) --ids $(VAL_IDS) --full $(OUT)/val/full \
	  --baseline $(OUT)/val/baseline recipe=$(OUT)/val/network --bootstrap 2000
	$(WSS) report $< --images $(images) --gt $(truth) --overwrite -o $@

.SECONDARY:
.DELETE_ON_ERROR:
