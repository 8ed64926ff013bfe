# The study that the examples share: from scribbles to the gap tables, figures and the report.
#
# An example is a Makefile that includes its parameters.mk and this file. Read is
#
#   DATA/images/NAME.jpg   DATA/scribbles/NAME.png   DATA/gt/NAME.png
#   DATA/classes.txt       DATA/train.txt            DATA/val.txt
#
# and written, for each kind of scribbles, network, seed and row of the table,
#
#   OUT/SCRIBBLES/ARCH/SEED/ROW/maps/      maps of the training images
#                               pfa/       their labels, on which the network of the row trains
#                               net.pt     that network
#                               val/       what it predicts of the validation images
#                               val+msc/   the same at several sizes; val+crf/, val+msc+crf/;
#                                          with other class shares: val+shares/, val+true-shares/
#                               train/     what it predicts of the training images
#
# The rows local and local-potts need no network: their maps and labels are in SCRIBBLES/local/.
# The network of the full labels needs no scribbles: it is in OUT/full/ARCH/SEED/.
#
#   make table1                 Table 1: every row with ARCH, with the labels trained on
#   make table                  the same without a column for the training images; both have
#                               full, baseline and TABLE2_ROWS with adjusted class shares below
#   make local-potts            one row of it: its labels, network and predictions
#   make boxes boxes-2          networks trained on boxes: on labels of BOX_RULE, and on what the
#                               first one predicts, corrected by the boxes
#   make learned                one that has seen ground truth: RECIPE, fused as TUNING_IDS teach it
#   make oracle-borders         labels of recipe-crf that are right near borders; oracle-inside: in all
#                               other places; ORACLES may hold more
#   make pfa                    how good the labels trained on are
#   make table2                 Table 2: full, baseline and TABLE2_ROWS, ARCHS tested in all TESTS
#   make NAME+msc               one block of it: NAME is a network of ARCHS
#   make rivals table2-all      the systems of others beside, in the first or in all TESTS: rivals.mk
#   make counts                 what the table is made of, small files in OUT/counts/ that eval-gap
#                               takes for folders: networks of several machines join one table
#   make figures report         scatter plots and contact sheets; everything on one page
#   make smoke                  all of this on a few images, a few iterations: does it run?
#   make tidy                   delete the maps behind predictions, which take the most room
#   make clean                  delete OUT, never DATA
#   make help                   these lines
#
# `make -n` shows the commands, `make -j2 JOBS=1` runs two at a time. Every target goes on where an
# interrupted run left it. Give other parameters another OUT: existing results are not made anew.
SHELL       := bash
.SHELLFLAGS := -o pipefail -ec

WSS  ?= wss
DATA ?=
OUT  ?= out
JOBS ?= 0

D          = $(or $(DATA),$(error give DATA=, the folder of the data set))
TRAIN_IDS ?= $(D)/train.txt
VAL_IDS   ?= $(D)/val.txt

# Further options for all networks, after those of parameters.mk: the last one counts. LAUNCH is put
# before the command, such as "torchrun --nproc-per-node 4 --no-python" for four GPUs.
TRAIN_OPTIONS ?=
LAUNCH        ?=

# Kinds of scribbles: original is DATA/scribbles, curated has the class of the ground truth everywhere.
SCRIBBLES ?= original

ROWS        ?= local local-potts global-potts global-crf combined combined-potts combined-crf
TABLE2_ROWS ?= combined
TESTS       ?= plain +msc +crf +msc+crf

# Strokes are drawn on other shares of the classes than images hold, and --class-balance moves a
# network further: what of the gap a division closes. The shares are those of local labels (+shares)
# or of the training images' ground truth (+true-shares); the power is how much of it is done.
SHARES       ?= +shares +true-shares
SHARES_POWER ?= 0.5

# What the rows of boxes read: a folder of annotations, or ground truth; and the rule for labels.
BOXES    ?= $(D)/gt --simulate
BOX_RULE ?= --from-boxes box

# The training images whose ground truth the row learned sees: every tenth, and at most so many of it.
TUNING_IDS ?= $(OUT)/tuning.txt
TUNING     ?= --sample 20

# What is right in the labels of rows oracle-NAME, with options of wss curate.
ORACLES ?= borders inside
ORACLE_borders ?= --within 4
ORACLE_inside  ?= --beyond 4

# Rows whose labels have seen ground truth.
WITH_TRUTH = learned learned-crf $(ORACLES:%=oracle-%)

# Rows that are drawn against the baseline, and images on a contact sheet.
FIGURE_ROWS ?= $(TABLE2_ROWS)
SHEET_ROWS  ?= 8

# What must be there before the first step; an example that fetches its data says so.
DATA_READY ?=

TRAIN   = $(LAUNCH) $(WSS) train --images $(D)/images --ids $(TRAIN_IDS) \
          --init $(or $(start),$(INIT))
PREDICT = $(WSS) global-predict $(D)/images --jobs $(JOBS)
SMOOTH  = $(WSS) regularize --images $(D)/images --jobs $(JOBS)
LABELS  = $(WSS) argmax --jobs $(JOBS)
GAP     = $(WSS) eval-gap --gt $(D)/gt --ids $(VAL_IDS) --train-ids $(TRAIN_IDS) --jobs $(JOBS) \
          $(GAP_OPTIONS)

.PHONY: all table table1 table2 table2-all rivals pfa counts figures report data smoke tidy clean help FORCE
all: table

help:
	@sed -n 's/^#   \(make .*\)/\1/p' $(MAKEFILE_LIST)

table table1 table2 rivals table2-all: %: $(OUT)/%.txt
	@cat $<

report: $(OUT)/report.html

# --- Folders, as functions of scribbles, network, seed, row and test.

empty :=
space := $(empty) $(empty)
comma := ,
define newline


endef

# Where the maps and labels of a row are: (scribbles, network, seed, row).
annotated = $1/$(if $(filter local%,$4),local,$2)/$3/$4
# The same of an annotator of RECIPE.
maps_of = $(call annotated,$1,$2,$3,$(patsubst walker,local-walker,$4))
# Where its network and predictions are.
trained = $(if $(filter full,$4),full/$2/$3,$1/$2/$3/$4)
# What a folder of predictions is called: (test).
tested = val$(filter-out plain,$1)
# The targets of a row, over all seeds: (scribbles, network, test, row).
stamps = $(foreach n,$(SEEDS),$(OUT)/$(call trained,$1,$2,$n,$4)/$(call tested,$3)/labels/.done)
# The same of the training images: (scribbles, network, row).
train_stamps = $(foreach n,$(SEEDS),$(OUT)/$(call trained,$1,$2,$n,$3)/train/labels/.done)
# A block of a table: (network, test, rows), over all kinds of scribbles.
block = $(foreach s,$(SCRIBBLES),$(foreach r,full baseline $3,$(call stamps,$s,$1,$2,$r)))

scribbles_original = $(D)/scribbles
scribbles_curated  = $(OUT)/curated/scribbles

include $(dir $(lastword $(MAKEFILE_LIST)))rivals.mk

# Rows of some table.
EVERY_ROW = $(sort $(ROWS) $(TABLE2_ROWS) $(RIVALS) $(WITH_TRUTH))

# --- What depends on what: variables and prerequisites; the recipes follow.

# The local model: (scribbles, seed).
define local_model
$(OUT)/$1/local/$2/%: scribbles = $$(scribbles_$1)
$(OUT)/$1/local/$2/%: seed = $2
$(foreach m,local/maps local-walker/maps local-gmm/maps local-parzen/maps local-superpixels/pfa,\
  $(newline)$(OUT)/$1/local/$2/$m/.done: $(if $(filter curated,$1),$(scribbles_curated)/.done))
$(OUT)/$1/local/$2/local-mean/maps/.done: $(OUT)/$1/local/$2/local-walker/maps/.done
endef

# A network: (scribbles, network, seed).
define networks
$(OUT)/$1/$2/$3/%: arch = $2
$(OUT)/$1/$2/$3/%: seed = $3
$(OUT)/$1/$2/$3/%: local = $(OUT)/$1/local/$3/local/maps
$(OUT)/$1/$2/$3/%: walker = $(OUT)/$1/local/$3/local-walker/maps
$(OUT)/$1/$2/$3/%: annotators = $(foreach a,$(RECIPE),$(OUT)/$(call maps_of,$1,$2,$3,$a)/maps)
$(OUT)/$1/$2/$3/recipe/maps/.done $(OUT)/$1/$2/$3/learned/maps/.done: \
  $(foreach a,$(RECIPE),$(OUT)/$(call maps_of,$1,$2,$3,$a)/maps/.done)
$(OUT)/$1/$2/$3/%: local_labels = $(OUT)/$1/local/$3/local-mean/pfa
$(OUT)/$1/$2/$3/%: scribbles = $$(scribbles_$1)
$(OUT)/$1/$2/$3/combined/maps/.done: $(OUT)/$1/local/$3/local/maps/.done
$(OUT)/$1/$2/$3/extended/maps/.done: $(OUT)/$1/local/$3/local-mean/pfa/.done
$(OUT)/$1/$2/$3/baseline/net.pt: labels = $$(scribbles_$1)
$(OUT)/$1/$2/$3/baseline/net.pt: $(if $(filter curated,$1),$(scribbles_curated)/.done)
$(OUT)/$1/$2/$3/baseline/%: learned = $$(scribbles_$1)
$(OUT)/$1/$2/$3/baseline/val+shares/labels/.done: $(OUT)/$1/local/$3/local-mean/pfa/.done
$(foreach r,$(filter-out $(WITHOUT_LABELS),$(EVERY_ROW)),$(call row_network,$1,$2,$3,$r))
$(foreach r,$(filter $(WITHOUT_LABELS),$(EVERY_ROW)),$(call second_phase,$1,$2,$3,$r))
endef

define row_network
$(newline)$(OUT)/$1/$2/$3/$4/net.pt: labels = $(OUT)/$(call annotated,$1,$2,$3,$4)/pfa
$(OUT)/$1/$2/$3/$4/net.pt: $(OUT)/$(call annotated,$1,$2,$3,$4)/pfa/.done
$(OUT)/$1/$2/$3/$4/%: learned = $(OUT)/$(call annotated,$1,$2,$3,$4)/pfa
$(OUT)/$1/$2/$3/$4/val+shares/labels/.done: $(OUT)/$1/local/$3/local-mean/pfa/.done
endef

define full_network
$(OUT)/full/$1/$2/%: arch = $1
$(OUT)/full/$1/$2/%: seed = $2
$(OUT)/full/$1/$2/net.pt: labels = $$(D)/gt
endef

ALL_ARCHS := $(ARCH) $(filter-out $(ARCH),$(ARCHS))

$(foreach n,$(SEEDS),\
  $(foreach a,$(ALL_ARCHS),$(eval $(call full_network,$a,$n)))\
  $(foreach s,$(SCRIBBLES),\
    $(eval $(call local_model,$s,$n))\
    $(foreach a,$(ALL_ARCHS),$(eval $(call networks,$s,$a,$n)))))

# --- The annotator models.

$(scribbles_curated)/.done: | $(DATA_READY)
	$(WSS) curate $(D)/scribbles $(D)/gt --ids $(TRAIN_IDS) --jobs $(JOBS) -o $(@D)
	@touch $@

$(OUT)/%/local/maps/.done: | $(DATA_READY)
	$(WSS) rf-predict $(D)/images $(scribbles) --ids $(TRAIN_IDS) $(FOREST) --seed $(seed) \
	  --jobs $(JOBS) -o $(@D)
	@touch $@

$(OUT)/%/global/maps/.done: $(OUT)/%/baseline/net.pt
	$(PREDICT) --ids $(TRAIN_IDS) --model $< -o $(@D)
	@touch $@

$(OUT)/%/combined/maps/.done: $(OUT)/%/global/maps/.done
	$(WSS) fuse $(local) $(<D) $(FUSION) --jobs $(JOBS) -o $(@D)
	@touch $@

# Beyond the paper: random walks as a third annotator, and the class shares that the local models
# find in whole images in place of those among the strokes.
$(OUT)/%/local-walker/maps/.done: | $(DATA_READY)
	$(WSS) local-predict $(D)/images $(scribbles) --ids $(TRAIN_IDS) --model walker $(WALKER) \
	  --jobs $(JOBS) -o $(@D)
	@touch $@

$(OUT)/%/local-mean/maps/.done: $(OUT)/%/local/maps/.done
	$(WSS) fuse $(<D) $(OUT)/$*/local-walker/maps --jobs $(JOBS) -o $(@D)
	@touch $@

$(OUT)/%/extended/maps/.done: $(OUT)/%/global/maps/.done
	$(WSS) fuse $(local) $(walker) $(<D) $(FUSION_extended) --jobs $(JOBS) -o $(OUT)/$*/extended/fused | \
	  $(WSS) adjust-prior - --from $(scribbles) --to $(local_labels) $(PRIOR) --jobs $(JOBS) -o $(@D)
	@touch $@

# A linear model for each image on the features of the baseline; and the mean of the annotators that
# RECIPE names, of local, global, linear and walker.
$(OUT)/%/linear/maps/.done: $(OUT)/%/baseline/net.pt
	$(WSS) local-predict $(D)/images $(scribbles) --ids $(TRAIN_IDS) --model linear \
	  --features-of $< $(LINEAR) --jobs $(JOBS) -o $(@D)
	@touch $@

$(OUT)/%/recipe/maps/.done:
	$(WSS) fuse $(annotators) $(FUSION_recipe) --jobs $(JOBS) -o $(@D)
	@touch $@

# The same annotators, fused as a few images with ground truth teach it.
$(OUT)/tuning.txt: | $(DATA_READY)
	@mkdir -p $(@D)
	awk 'NR % 10 == 1' $(TRAIN_IDS) > $@

$(OUT)/%/learned/maps/.done: $(TUNING_IDS)
	$(WSS) tune --fusion $(annotators) --gt $(D)/gt --ids $< $(TUNING) --jobs $(JOBS) \
	  -o $(@D:maps=fusion)
	$(WSS) fuse $(annotators) --params $(@D:maps=fusion)/params.json --jobs $(JOBS) -o $(@D)
	@touch $@

POTTS_learned ?= $(POTTS_recipe)
CRF_learned   ?= $(CRF_recipe)

# Oracles: labels of recipe-crf that ground truth corrects in one respect.
define oracle
$(OUT)/%/oracle-$1/pfa/.done: $(OUT)/%/recipe-crf/pfa/.done
	$$(WSS) curate $$(<D) $$(D)/gt $(ORACLE_$1) --ids $$(TRAIN_IDS) --jobs $$(JOBS) -o $$(@D)
	@touch $$@

endef
$(foreach o,$(ORACLES),$(eval $(call oracle,$o)))

# Models of colours, and ScribbleSup: strokes spread over superpixels, first by themselves and then
# with what the network says that learned from them.
$(OUT)/%/local-gmm/maps/.done: | $(DATA_READY)
	$(WSS) local-predict $(D)/images $(scribbles) --ids $(TRAIN_IDS) --model gmm $(GMM) \
	  --seed $(seed) --jobs $(JOBS) -o $(@D)
	@touch $@

$(OUT)/%/local-parzen/maps/.done: | $(DATA_READY)
	$(WSS) local-predict $(D)/images $(scribbles) --ids $(TRAIN_IDS) --model parzen $(PARZEN) \
	  --jobs $(JOBS) -o $(@D)
	@touch $@

$(OUT)/%/local-superpixels/pfa/.done: | $(DATA_READY)
	$(WSS) superpixels $(D)/images $(scribbles) --ids $(TRAIN_IDS) $(SUPERPIXELS) \
	  --jobs $(JOBS) -o $(@D)
	@touch $@

$(OUT)/%/scribblesup/pfa/.done: $(OUT)/%/local-superpixels/net.pt
	$(PREDICT) --ids $(TRAIN_IDS) --model $< -o $(@D:pfa=maps) | \
	  $(WSS) superpixels $(D)/images $(scribbles) --maps - $(SUPERPIXELS) --jobs $(JOBS) -o $(@D)
	@touch $@

# Boxes in place of scribbles (Simple Does It): labels of their rule, and a round of denoising.
$(OUT)/%/boxes/pfa/.done: | $(DATA_READY)
	$(WSS) scribbles $(BOXES) $(BOX_RULE) --ids $(TRAIN_IDS) --jobs $(JOBS) -o $(@D)
	@touch $@

$(OUT)/%/boxes-2/pfa/.done: $(OUT)/%/boxes/net.pt
	$(PREDICT) --ids $(TRAIN_IDS) --model $< -o $(@D:pfa=global) | \
	  $(SMOOTH) --crf $(CRF_global) - -o $(@D:pfa=maps) | \
	  $(LABELS) - -o $(@D:pfa=predicted) | \
	  $(WSS) denoise - $(BOXES) $(BOX_RULE) --jobs $(JOBS) -o $(@D)
	@touch $@

# Their regularized forms: POTTS_local, POTTS_global, POTTS_combined, and so for the CRF
# and the other rows.
$(OUT)/%-potts/maps/.done: $(OUT)/%/maps/.done
	$(SMOOTH) --potts $(POTTS_$(notdir $*)) $(<D) -o $(@D)
	@touch $@

$(OUT)/%-crf/maps/.done: $(OUT)/%/maps/.done
	$(SMOOTH) --crf $(CRF_$(notdir $*)) $(<D) -o $(@D)
	@touch $@

# Predicted full annotations.
$(OUT)/%/pfa/.done: $(OUT)/%/maps/.done
	$(LABELS) $(<D) -o $(@D)
	@touch $@

# --- The networks.

$(OUT)/%/net.pt: | $(DATA_READY)
	$(TRAIN) --labels $(labels) --arch $(arch) $(TRAIN_$(arch)) --seed $(seed) \
	  $(TRAIN_OPTIONS) $(second) -o $@

# What they predict. A step of a pipe skips what is up to date: each of these may be the first.
$(OUT)/%/val/labels/.done: $(OUT)/%/net.pt
	$(PREDICT) --ids $(VAL_IDS) --model $< -o $(@D:labels=maps) | \
	  $(LABELS) - -o $(@D)
	@touch $@

$(OUT)/%/val+msc/labels/.done: $(OUT)/%/net.pt
	$(PREDICT) --ids $(VAL_IDS) --model $< $(MSC) -o $(@D:labels=maps) | \
	  $(LABELS) - -o $(@D)
	@touch $@

# Of the full labels only the weights of --class-balance are divided out.
adjusted = $(PREDICT) --ids $(VAL_IDS) --model $< --power $(SHARES_POWER) \
  $(if $(filter full/%,$*),--to training,--from $(learned) --to $1) -o $(@D:labels=maps)

$(OUT)/%/val+shares/labels/.done: $(OUT)/%/net.pt
	$(call adjusted,$(local_labels)) | \
	  $(LABELS) - -o $(@D)
	@touch $@

$(OUT)/%/val+true-shares/labels/.done: $(OUT)/%/net.pt $(OUT)/true-shares/.done
	$(call adjusted,$(OUT)/true-shares) | \
	  $(LABELS) - -o $(@D)
	@touch $@

# Ground truth of the training images alone.
$(OUT)/true-shares/.done: | $(DATA_READY)
	@mkdir -p $(@D)
	while read -r name; do ln -sfn "$(abspath $(D))/gt/$$name.png" $(@D)/; done < $(TRAIN_IDS)
	@touch $@

$(OUT)/%/val+crf/labels/.done: $(OUT)/%/val/labels/.done
	$(PREDICT) --ids $(VAL_IDS) --model $(OUT)/$*/net.pt -o $(OUT)/$*/val/maps | \
	  $(SMOOTH) --crf $(CRF_TEST) - -o $(@D:labels=maps) | \
	  $(LABELS) - -o $(@D)
	@touch $@

$(OUT)/%/val+msc+crf/labels/.done: $(OUT)/%/val+msc/labels/.done
	$(PREDICT) --ids $(VAL_IDS) --model $(OUT)/$*/net.pt $(MSC) -o $(OUT)/$*/val+msc/maps | \
	  $(SMOOTH) --crf $(CRF_TEST) - -o $(@D:labels=maps) | \
	  $(LABELS) - -o $(@D)
	@touch $@

$(OUT)/%/train/labels/.done: $(OUT)/%/net.pt
	$(PREDICT) --ids $(TRAIN_IDS) --model $< -o $(@D:labels=maps) | \
	  $(LABELS) - -o $(@D)
	@touch $@

# --- Rows and blocks of the tables by name.

NETS   = full baseline $(sort $(ROWS) $(RIVALS) $(WITH_TRUTH))
BLOCKS = $(foreach a,$(ALL_ARCHS),$(foreach t,$(TESTS) $(SHARES),$a$(filter-out plain,$t)))
.PHONY: $(NETS) $(BLOCKS)

$(foreach r,$(NETS),$(eval $r: $(foreach s,$(SCRIBBLES),$(call stamps,$s,$(ARCH),plain,$r))))
$(foreach a,$(ALL_ARCHS),$(foreach t,$(TESTS) $(SHARES),\
  $(eval $a$(filter-out plain,$t): $(call block,$a,$t,$(TABLE2_ROWS)))))

# --- The tables. A study is a CSV file that names the folders; its first line says how they are
# measured, so that other options make a table anew.

group  = $(if $(filter original,$1),,$1/)$2$(filter-out plain,$3)
quoted = "$(subst $(space),$(comma),$(strip $1))"
# A line: (scribbles, network, test, row, with the training images).
line = \$(newline)  '$(call group,$1,$2,$3),$4,$(call quoted,$(foreach n,$(SEEDS),$\
  $(call trained,$1,$2,$n,$4)/$(call tested,$3)/labels)),$\
  $(if $(filter-out full baseline $(WITHOUT_LABELS),$4),$(call quoted,$(foreach n,$(SEEDS),$\
  $(call annotated,$1,$2,$n,$4)/pfa))),$\
  $(if $5,$(call quoted,$(foreach n,$(SEEDS),$(call trained,$1,$2,$n,$4)/train/labels)))'
lines = $(foreach s,$(SCRIBBLES),$(foreach a,$1,$(foreach t,$2,$(foreach r,full baseline $3,\
  $(call line,$s,$a,$t,$r,$4)))))

# Full supervision, baseline and TABLE2_ROWS with adjusted class shares.
with_shares = $(call lines,$(ARCH),$(SHARES),$(TABLE2_ROWS))
# Blocks of Table 2 that Table 1 has not: the others of its network, then those of other networks.
further = $(call lines,$(ARCH),$(filter-out plain,$(TESTS)),$(TABLE2_ROWS)) \
  $(call lines,$(filter-out $(ARCH),$(ARCHS)),$(TESTS),$(TABLE2_ROWS))

table1_block = $(call block,$(ARCH),plain,$(ROWS)) \
  $(foreach t,$(SHARES),$(call block,$(ARCH),$t,$(TABLE2_ROWS)))
rivals_block = $(foreach a,$(ARCHS),$(call block,$a,plain,$(RIVAL_ROWS)))
all_block    = $(foreach a,$(ARCHS),$(foreach t,$(TESTS),$(call block,$a,$t,$(RIVAL_ROWS))))
table2_block = $(foreach a,$(ARCHS),$(foreach t,$(TESTS),$(call block,$a,$t,$(TABLE2_ROWS))))
on_train     = $(foreach s,$(SCRIBBLES),$(foreach r,full baseline $(ROWS),$(call train_stamps,$s,$(ARCH),$r)))

$(OUT)/table.csv:  study = $(call lines,$(ARCH),plain,$(ROWS)) $(with_shares)
$(OUT)/table1.csv: study = $(call lines,$(ARCH),plain,$(ROWS),train) $(with_shares)
$(OUT)/table2.csv: study = $(call lines,$(ARCHS),$(TESTS),$(TABLE2_ROWS))
$(OUT)/rivals.csv: study = $(call lines,$(ARCHS),plain,$(RIVAL_ROWS))
$(OUT)/table2-all.csv: study = $(call lines,$(ARCHS),$(TESTS),$(RIVAL_ROWS))
$(OUT)/gap.csv:    study = $(call lines,$(ARCH),plain,$(ROWS)) $(with_shares) $(further)

$(foreach form,txt json tex,\
  $(eval $(OUT)/table.$(form): $(table1_block))\
  $(eval $(OUT)/table1.$(form): $(table1_block) $(on_train))\
  $(eval $(OUT)/table2.$(form): $(table2_block))\
  $(eval $(OUT)/rivals.$(form): $(rivals_block))\
  $(eval $(OUT)/table2-all.$(form): $(all_block))\
  $(eval $(OUT)/gap.$(form): $(table1_block) $(table2_block)))

$(OUT)/%.csv: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '# $(GAP)' group,name,val,pfa,train $(study) > $@.part
	@if cmp -s $@.part $@; then rm $@.part; else mv $@.part $@; fi

$(OUT)/%.txt: $(OUT)/%.csv
	$(GAP) --study $< > $@.part
	@mv $@.part $@

$(OUT)/%.json: $(OUT)/%.csv
	$(GAP) --study $< --format json > $@.part
	@mv $@.part $@

$(OUT)/%.tex: $(OUT)/%.csv
	$(GAP) --study $< --format latex > $@.part
	@mv $@.part $@

# A file of counts for each folder of predictions of the table.
counts: $(patsubst $(OUT)/%/labels/.done,$(OUT)/counts/%.csv,$(table1_block))

$(OUT)/counts/%.csv: $(OUT)/%/labels/.done
	@mkdir -p $(@D)
	$(WSS) score $(<D) $(D)/gt --ids $(VAL_IDS) --jobs $(JOBS) --format counts > $@.part
	@mv $@.part $@

$(OUT)/report.html: $(OUT)/gap.json
	$(WSS) report $< --images $(D)/images --gt $(D)/gt --title "$(TITLE)" --overwrite \
	  -o $@

# How good the labels are that networks train on; `global` is no row, but made on the way.
PFA_ROWS = local $(filter-out local,$(filter local%,$(ROWS))) global \
  $(filter-out local% $(WITHOUT_LABELS),$(ROWS))
pfa_of   = $(foreach s,$(SCRIBBLES),$(foreach r,$(PFA_ROWS),$(foreach n,$(SEEDS),\
  $(call annotated,$s,$(ARCH),$n,$r)/pfa)))

pfa: $(addprefix $(OUT)/,$(addsuffix /.done,$(pfa_of)))
	@$(foreach p,$(pfa_of),printf '%s: ' $p; $(WSS) score $(OUT)/$p $(D)/gt --ids $(TRAIN_IDS) \
	  --jobs $(JOBS) | sed -n 1p;)

# --- Figures.

FIGURES = $(foreach s,$(SCRIBBLES),$(OUT)/figures/$s/labels.png $(OUT)/figures/$s/val.png \
  $(foreach r,$(FIGURE_ROWS),$(OUT)/figures/$s/$r/.done))
figures: $(FIGURES)

first = $(firstword $(SEEDS))
# What a row predicts, and the labels it trains on: (scribbles, row).
predicted = $(OUT)/$(call trained,$1,$(ARCH),$(first),$2)/val/labels
pfa_folder = $(OUT)/$(call annotated,$1,$(ARCH),$(first),$2)/pfa
SHEET = $(WSS) show $(D)/images --classes $(D)/classes.txt --rows $(SHEET_ROWS) --overwrite

define figures_of
$(OUT)/figures/$1/labels.png: $(foreach r,$(ROWS),$(OUT)/$(call annotated,$1,$(ARCH),$(first),$r)/pfa/.done)
	@mkdir -p $$(@D)
	$$(SHEET) scribbles=$$(scribbles_$1) $(foreach r,$(ROWS),$r=$(call pfa_folder,$1,$r)) \
	  truth=$$(D)/gt --ids $$(TRAIN_IDS) -o $$@

$(OUT)/figures/$1/val.png: $(foreach r,full baseline $(FIGURE_ROWS),$(call stamps,$1,$(ARCH),plain,$r))
	@mkdir -p $$(@D)
	$$(SHEET) $(foreach r,full baseline $(FIGURE_ROWS),$r=$(call predicted,$1,$r)) \
	  truth=$$(D)/gt --ids $$(VAL_IDS) -o $$@
endef

# Every image as a point: what the network of a row reaches against the baseline.
define scatter_of
$(OUT)/figures/$1/$2/.done: $(foreach r,baseline $2,$(call stamps,$1,$(ARCH),plain,$r))
	$$(WSS) compare baseline=$(call predicted,$1,baseline) $2=$(call predicted,$1,$2) \
	  --gt $$(D)/gt --ids $$(VAL_IDS) --images $$(D)/images --jobs $$(JOBS) -o $$(@D)
	@touch $$@
endef

$(foreach s,$(SCRIBBLES),$(eval $(call figures_of,$s))\
  $(foreach r,$(FIGURE_ROWS),$(eval $(call scatter_of,$s,$r))))

# --- Whether the data are there, and whether all of this runs.

ifndef OWN_DATA
data:
	@missing=; for part in images scribbles gt classes.txt train.txt val.txt; do \
	  test -e "$(D)/$$part" || { echo "there is no $(D)/$$part"; missing=yes; }; done; \
	  test -z "$$missing"
	$(WSS) stats $(D)/scribbles --ids $(TRAIN_IDS) --jobs $(JOBS)
endif

SMOKE_TARGETS ?= table1 table2 pfa counts figures report
SMOKE_TRAIN ?= 6
SMOKE_VAL   ?= 4
SMOKE_ARCH  ?= deeplabv2-mobilenetv2
SMOKE_OPTIONS ?= --iterations 3 --batch 2 --crop 65 --workers 1

# So many names of a list, spread over it.
spread = awk -v n=$1 '{ name[NR] = $$0 } \
  END { m = n < NR ? n : NR; for (k = 0; k < m; k++) print name[int(k * NR / m) + 1] }'

$(OUT)/smoke/train.txt: | $(DATA_READY)
	@mkdir -p $(@D)
	$(call spread,$(SMOKE_TRAIN)) $(TRAIN_IDS) > $@

$(OUT)/smoke/val.txt: | $(DATA_READY)
	@mkdir -p $(@D)
	$(call spread,$(SMOKE_VAL)) $(VAL_IDS) > $@

smoke: $(OUT)/smoke/train.txt $(OUT)/smoke/val.txt
	$(MAKE) --no-print-directory $(SMOKE_TARGETS) OUT=$(OUT)/smoke \
	  TRAIN_IDS=$(OUT)/smoke/train.txt VAL_IDS=$(OUT)/smoke/val.txt \
	  ARCH=$(SMOKE_ARCH) ARCHS=$(SMOKE_ARCH) SEEDS=$(first) INIT=random \
	  FOREST="--filters gabor --trees 5 --features 20" TRAIN_OPTIONS="$(SMOKE_OPTIONS)" \
	  GAP_OPTIONS="--bootstrap 100 --band 2"

# --- Making room.

tidy:
	rm -rf $(foreach s,val val+* train,$(wildcard $(OUT)/full/*/*/$s/maps $(OUT)/*/*/*/*/$s/maps))

clean:
	@case "$(realpath $(DATA))/" in "$(or $(realpath $(OUT)),$(abspath $(OUT)))"/*) \
	  echo "$(OUT) holds $(DATA); not deleted"; exit 1;; esac
	@if [ -e "$(OUT)/images" ] || [ -e "$(OUT)/classes.txt" ]; then \
	  echo "$(OUT) holds a data set; not deleted"; exit 1; fi
	rm -rf $(OUT)

.SECONDARY:
.DELETE_ON_ERROR:
FORCE:
