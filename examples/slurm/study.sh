#!/usr/bin/env bash
# From scribbles to the gap table as a chain of jobs; each waits for those that it needs.
#
#   DATA=/where/the/data/is OUT=out SHARES=64 ./study.sh
#
# DATA holds images/, scribbles/, gt/, classes.txt, train.txt and val.txt, as for examples/study.mk.
# Run it where logs/ may be written. Where a job failed, remove the cause and run it again:
# what is up to date is skipped.
set -euo pipefail

: "${DATA:?the folder of the data set}"
OUT=${OUT:-out}
export SHARES=${SHARES:-16}
GPUS=${GPUS:-4}
ARCH=${ARCH:-deeplabv2-resnet101}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p logs "$OUT"

# step JOBS ARGUMENT...: a per-image step after those jobs (1,2,3; - for none). Prints its own.
step() { submit "$1" --array="1-$SHARES" "$here/step.sh" "${@:2}"; }

# network JOBS ARGUMENT...: a network, likewise.
network() {
  submit "$1" --gpus-per-node="$GPUS" "$here/train.sh" --images "$DATA/images" \
    --ids "$DATA/train.txt" --arch "$ARCH" "${@:2}"
}

submit() {
  local after=()
  if [ "$1" != - ]; then after=(--dependency="afterok:${1//,/:}" --kill-on-invalid-dep=yes); fi
  sbatch --parsable "${after[@]}" "${@:2}"
}

# predicted JOB NAME: what the network NAME says of the validation images.
predicted() {
  local maps
  maps=$(step "$1" global-predict "$DATA/images" --ids "$DATA/val.txt" \
    --model "$OUT/$2/net.pt" -o "$OUT/$2/val")
  step "$maps" argmax "$OUT/$2/val" -o "$OUT/$2/val/labels"
}

images=(--images "$DATA/images")

full=$(network - --labels "$DATA/gt" -o "$OUT/full/net.pt")
baseline=$(network - --labels "$DATA/scribbles" -o "$OUT/baseline/net.pt")
local=$(step - rf-predict "$DATA/images" "$DATA/scribbles" --ids "$DATA/train.txt" -o "$OUT/local")
global=$(step "$baseline" global-predict "$DATA/images" --ids "$DATA/train.txt" \
  --model "$OUT/baseline/net.pt" -o "$OUT/global")
fused=$(step "$local,$global" fuse "$OUT/local" "$OUT/global" -o "$OUT/fused")
smooth=$(step "$fused" regularize --crf "${images[@]}" "$OUT/fused" -o "$OUT/smooth")
labels=$(step "$smooth" argmax "$OUT/smooth" -o "$OUT/pfa")
combined=$(network "$labels" --labels "$OUT/pfa" -o "$OUT/combined/net.pt")

val=$(predicted "$full" full),$(predicted "$baseline" baseline),$(predicted "$combined" combined)
table=$(submit "$val" --job-name=wss-table --output=logs/%x-%j.log --wrap "
  ${WSS:-wss} eval-gap --gt '$DATA/gt' --full '$OUT/full/val/labels' \
    --baseline '$OUT/baseline/val/labels' combined='$OUT/combined/val/labels' > '$OUT/table.txt'")
echo "the table will be in $OUT/table.txt, after job $table"
