#!/usr/bin/env bash
# Per-image steps on a dask cluster that lives as long as this job: one engine on all its nodes.
#
#   sbatch --nodes=4 --cpus-per-task=32 cluster.sh rf-predict images/ scribbles/ -o local/
#
# Against a job array this balances itself, as a free worker takes the next image, and survives the
# loss of a node; an array starts sooner where the queue is full, as its tasks need not run at once.
#SBATCH --job-name=wss-cluster
#SBATCH --ntasks-per-node=1
#SBATCH --mem-per-cpu=2G
#SBATCH --time=08:00:00
#SBATCH --output=logs/%x-%j.log
set -euo pipefail

dask=${DASK:-dask}
file=$PWD/scheduler-$SLURM_JOB_ID.json
trap 'kill $(jobs -p) 2>/dev/null || true; rm -f "$file"' EXIT

"$dask" scheduler --port 0 --no-dashboard --scheduler-file "$file" &
until [ -s "$file" ]; do sleep 1; done
srun --overlap "$dask" worker --scheduler-file "$file" --no-dashboard \
  --nthreads 1 --nworkers "${SLURM_CPUS_PER_TASK:-1}" --local-directory "${TMPDIR:-/tmp}" &

# --jobs says how many workers there will be; the first of them begin at once.
"${WSS:-wss}" "$@" --backend dask --scheduler "$file" \
  --jobs $((SLURM_JOB_NUM_NODES * ${SLURM_CPUS_PER_TASK:-1})) >/dev/null
