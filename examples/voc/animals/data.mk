# The layout of ../study.mk, of the photographs that NAMES/train.txt and NAMES/val.txt name.

SEVEN   = background cat cow dog horse person sheep
# New ids of VOC's classes; all others are unlabelled.
TO_SEVEN = 0=0,1=255,2=255,3=255,4=255,5=255,6=255,7=255,8=1,9=255,10=2,11=255,12=3,13=4,14=255,$\
  15=5,16=255,17=6,18=255,19=255,20=255
REMAPPED = $(WSS) scribbles --source-format picture --remap $(TO_SEVEN) --jobs $(JOBS)

$(DATA)/classes.txt:
	@mkdir -p $(@D)
	printf '%s\n' $(SEVEN) > $@

$(DATA)/train.txt $(DATA)/val.txt: $(DATA)/%.txt: $(NAMES)/%.txt
	@mkdir -p $(@D)
	cp $< $@

$(DATA)/gt/.done: $(VOC_GT)/.done $(DATA)/classes.txt
	$(REMAPPED) $(VOC_GT) -o $(@D)
	@touch $@

# Scribbles are simulated on the labels with all classes: strokes on others become unlabelled.
$(SOURCE)/scribbles/.done: $(VOC_GT)/.done $(DATA)/train.txt
	$(WSS) scribbles --simulate $(VOC_GT) --ids $(DATA)/train.txt --share $(SHARE) \
	  --width $(BRUSH) --jobs $(JOBS) -o $(@D)
	@touch $@

# Points that people clicked.
$(SOURCE)/points/.done: $(POINTS) $(DATA)/train.txt | $(DATA)/images
	printf '%s\n' $(CLASSES) > $(SOURCE)/voc.txt
	$(WSS) scribbles $(POINTS) --source-format points --classes $(SOURCE)/voc.txt \
	  --images $(DATA)/images --ids $(DATA)/train.txt --width $(BRUSH) --jobs $(JOBS) -o $(@D)
	@touch $@

$(DATA)/scribbles/.done $(DATA)/points/.done: $(DATA)/%/.done: \
    $(SOURCE)/%/.done $(DATA)/classes.txt
	$(REMAPPED) $(SOURCE)/$* -o $(@D)
	@touch $@

ifneq ($(POINTS),)
$(DATA)/.ready: $(DATA)/points/.done
endif
