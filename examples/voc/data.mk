# The layout of ../study.mk, of all images that have scribbles.

$(DATA)/classes.txt:
	@mkdir -p $(@D)
	printf '%s\n' $(CLASSES) > $@

$(DATA)/val.txt: $(SOURCE)/.unpacked-voc
	sort $(VOC)/ImageSets/Segmentation/val.txt > $@

# The augmented training set: VOC's and all of SBD, less VOC's val; 10,582 images.
$(DATA)/trainaug.txt: $(DATA)/val.txt $(SOURCE)/.unpacked-sbd
	sort -u $(SBD)/train.txt $(SBD)/val.txt $(VOC)/ImageSets/Segmentation/train.txt | \
	  comm -23 - $(DATA)/val.txt > $@

# Of these the ones that ScribbleSup has scribbles for: all, says its page.
$(DATA)/train.txt: $(DATA)/trainaug.txt $(SOURCE)/.unpacked-scribblesup
	for name in $(SCRIBBLESUP)/*.xml; do basename "$$name" .xml; done | sort | \
	  comm -12 - $(DATA)/trainaug.txt > $@

$(DATA)/scribbles/.done: $(DATA)/train.txt $(DATA)/classes.txt | $(DATA)/images
	$(WSS) scribbles $(SCRIBBLESUP) --source-format scribblesup --classes $(DATA)/classes.txt \
	  --images $(DATA)/images --ids $(DATA)/train.txt --width $(BRUSH) --jobs $(JOBS) \
	  -o $(DATA)/scribbles
	@touch $@
