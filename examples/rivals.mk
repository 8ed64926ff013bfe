# Systems of others as rows of the study's tables: what each is, docs/rivals.md says.
#
# `make rivals LOSS_WEIGHT=0.1` shows full, baseline, TABLE2_ROWS and RIVALS with each of ARCHS, `make
# table2-all LOSS_WEIGHT=0.1` the same tested in all TESTS, and `make scribblesup` makes one of them:
# its labels, network and predictions.
#
# The network of a row with a loss goes on from the baseline's with SECOND_PHASE, and so does that of
# `control`, which has no loss: what more iterations are worth by themselves. The weights of losses
# have to be chosen, on training images: LOSS_WEIGHT of all, or LOSS_WEIGHT_NAME of one.
LOSSES ?= densecrf ncut kernelcut gated potts potts-collision potts-soft tree tv entropy
RIVALS ?= control $(addprefix loss-,$(LOSSES)) local-gmm-potts local-parzen-potts \
  local-superpixels scribblesup boxes boxes-2

SECOND_PHASE ?= --iterations 500 --learning-rate 0.0005
LOSS_OPTIONS ?=
SUPERPIXELS  ?=
GMM          ?=
PARZEN       ?=
POTTS_local-gmm    ?= $(POTTS_local)
POTTS_local-parzen ?= $(POTTS_local)

RIVAL_ROWS = $(filter-out $(RIVALS),$(TABLE2_ROWS)) $(RIVALS)
# Rows whose networks learn from the strokes themselves.
WITHOUT_LABELS = control loss-%

# Without a number, `wss train` refuses these words and thereby says what is missing.
weight_of = $(or $(LOSS_WEIGHT_$1),$(LOSS_WEIGHT),"give LOSS_WEIGHT or LOSS_WEIGHT_$1")
loss_of   = $(if $(filter loss-%,$1),--loss $(1:loss-%=%) \
  --loss-weight $(call weight_of,$(1:loss-%=%)) $(LOSS_OPTIONS))

# A network that goes on from the baseline: (scribbles, network, seed, row).
define second_phase
$(newline)$(OUT)/$1/$2/$3/$4/net.pt: private start = $(OUT)/$1/$2/$3/baseline/net.pt
$(OUT)/$1/$2/$3/$4/net.pt: private labels = $$(scribbles_$1)
$(OUT)/$1/$2/$3/$4/net.pt: private second = $$(SECOND_PHASE) $$(call loss_of,$4)
$(OUT)/$1/$2/$3/$4/net.pt: $(OUT)/$1/$2/$3/baseline/net.pt
$(OUT)/$1/$2/$3/$4/%: learned = $$(scribbles_$1)
$(OUT)/$1/$2/$3/$4/val+shares/labels/.done: $(OUT)/$1/local/$3/local-mean/pfa/.done
endef
