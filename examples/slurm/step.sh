#!/usr/bin/env bash
# One share of a per-image step: a task of a job array.
#
#   mkdir -p logs
#   SHARES=64 sbatch --array=1-64 step.sh rf-predict images/ scribbles/ -o local/
#
# SHARES is the number of shares, not of tasks, so that a few of them can be run again:
#
#   SHARES=64 sbatch --array=7,41 step.sh rf-predict images/ scribbles/ -o local/
#
# Outputs that are up to date are skipped, so that all may be run again. The input folders must
# be complete before the first task starts, because a share is every SHARES-th name in them.
#SBATCH --job-name=wss
#SBATCH --cpus-per-task=4
#SBATCH --mem-per-cpu=2G
#SBATCH --time=08:00:00
#SBATCH --requeue
#SBATCH --output=logs/%x-%A_%a.log
set -euo pipefail

: "${SHARES:?give the number of shares, the N of --array=1-N}"
: "${SLURM_ARRAY_TASK_ID:?is set in a job array: sbatch --array=1-N step.sh ...}"

exec "${WSS:-wss}" "$@" \
  --shard "$SLURM_ARRAY_TASK_ID/$SHARES" --jobs "${SLURM_CPUS_PER_TASK:-1}" >/dev/null
