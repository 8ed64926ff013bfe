#!/usr/bin/env bash
# wss train on all GPUs of one or more nodes: torchrun starts a process per GPU.
#
#   sbatch --nodes=1 --gpus-per-node=4 train.sh --images images/ --labels labels/ -o net.pt
#   sbatch --nodes=2 --gpus-per-node=4 train.sh --images images/ --labels labels/ -o net.pt
#
# All nodes read the images and the checkpoint themselves: the folders must be on a file system
# that they share. The batch (--batch) must be a multiple of the number of GPUs. Two minutes before
# the time is up Slurm sends SIGTERM; the run then makes a checkpoint, and the same command, sent
# again, goes on from it.
#SBATCH --job-name=wss-train
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@120
#SBATCH --output=logs/%x-%j.log
set -euo pipefail

nodes=${SLURM_JOB_NUM_NODES:-1}
processes=${PROCESSES:-${SLURM_GPUS_ON_NODE:-1}}
mapfile -t hosts < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
port=$((20000 + SLURM_JOB_ID % 10000))

exec srun "${TORCHRUN:-torchrun}" --nnodes "$nodes" --nproc-per-node "$processes" \
  --rdzv-backend c10d --rdzv-id "$SLURM_JOB_ID" --rdzv-endpoint "${hosts[0]}:$port" \
  --no-python "${WSS:-wss}" train "$@"
