"""The scripts for Slurm, run without it: their bodies, with what Slurm would set."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from builders import PATIENCE, REPOSITORY, STEMS, folder_bytes

from wsstools.cli.main import load_command

SCRIPTS = REPOSITORY / "examples" / "slurm"
SHARES = 3

SBATCH = r"""#!/usr/bin/env bash
# Runs a job's tasks at once and prints its number, as sbatch --parsable does.
job=$(($(cat "$RECORD/number" 2>/dev/null || echo 100) + 1))
echo "$job" > "$RECORD/number"
array=1 after=""
while [ $# -gt 0 ]; do
  case $1 in
    --array=1-*) array=${1#--array=1-}; export SLURM_ARRAY_JOB_ID=$job ;;
    --dependency=afterok:*) after=${1#--dependency=afterok:} ;;
    --wrap) shift; set -- --wrapped bash -c "$1"; break ;;
    -*) ;;
    *) break ;;
  esac
  shift
done
if [ "$1" = --wrapped ]; then shift; fi
export JOB=$job AFTER=$after SLURM_JOB_ID=$job SLURM_JOB_NODELIST=n1 SLURM_JOB_NUM_NODES=1
for k in $(seq "$array"); do
  SLURM_ARRAY_TASK_ID=$k SLURM_CPUS_PER_TASK=1 bash -c '"$@"' - "$@" >/dev/null || exit 1
done
echo "$job"
"""
SRUN = '#!/usr/bin/env bash\nif [ "$1" = --overlap ]; then shift; fi\nexec "$@"\n'
SCONTROL = "#!/usr/bin/env bash\nprintf 'n1\\nn2\\n'\n"
TORCHRUN = r"""#!/usr/bin/env bash
printf '%s\0' "$@" > "$RECORD/torchrun"
while [ "$1" != --no-python ]; do shift; done
shift
exec "$@"
"""
WSS = r"""#!/usr/bin/env bash
printf '%s\t' "$JOB" "$AFTER" "$@" >> "$RECORD/commands"
printf '\n' >> "$RECORD/commands"
"""


@pytest.fixture
def slurm(tmp_path) -> dict[str, str]:
    """An environment in which substitutes take the place of Slurm's programs."""
    programs = {"sbatch": SBATCH, "srun": SRUN, "scontrol": SCONTROL, "torchrun": TORCHRUN}
    for name, text in {**programs, "recorded-wss": WSS}.items():
        place = tmp_path / "bin" / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(text)
        place.chmod(0o755)
    real = tmp_path / "bin" / "wss"
    real.write_text(f'#!/usr/bin/env bash\nexec "{sys.executable}" -m wsstools "$@"\n')
    real.chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "RECORD": str(tmp_path), "SHARES": str(SHARES)}


def run_script(
    name: str, *arguments: object, folder: Path, env: dict[str, str]
) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["bash", str(SCRIPTS / name), *map(str, arguments)],
        cwd=folder, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_the_tasks_of_an_array_make_what_one_run_makes(slurm, wss, dataset, tmp_path):
    arguments = ["argmax", dataset / "maps", "-o", "out"]
    for number in (2, 1, 3):
        env = {**slurm, "SLURM_ARRAY_TASK_ID": str(number)}
        done = run_script("step.sh", *arguments, folder=tmp_path, env=env)
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
    assert wss("argmax", dataset / "maps", "-o", tmp_path / "alone").code == 0
    assert folder_bytes(tmp_path / "out") == folder_bytes(tmp_path / "alone")
    again = run_script("step.sh", *arguments, folder=tmp_path,
                       env={**slurm, "SLURM_ARRAY_TASK_ID": "1"})  # fmt: skip
    assert "0 written to out, skipped 2 (up to date)" in again.stderr
    outside = run_script("step.sh", *arguments, folder=tmp_path,
                         env={**slurm, "SLURM_ARRAY_TASK_ID": "4"})  # fmt: skip
    assert outside.returncode == 2
    assert "--shard 4/3: expected I/N" in outside.stderr


@pytest.mark.parametrize("missing", ["SHARES", "SLURM_ARRAY_TASK_ID"])
def test_a_task_without_its_number_does_nothing(slurm, dataset, tmp_path, missing):
    env = {**slurm, "SLURM_ARRAY_TASK_ID": "1"}
    del env[missing]
    done = run_script("step.sh", "argmax", dataset / "maps", "-o", "out", folder=tmp_path, env=env)
    assert done.returncode != 0
    assert missing in done.stderr
    assert not (tmp_path / "out").exists()


def test_each_job_of_the_study_waits_for_what_it_reads(slurm, tmp_path):
    env = {**slurm, "WSS": "recorded-wss", "DATA": "data", "OUT": "made", "GPUS": "2"}
    done = run_script("study.sh", folder=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    jobs: dict[int, dict] = {}
    for line in (tmp_path / "commands").read_text().splitlines():
        job, after, *words = line.rstrip("\t").split("\t")
        started = jobs.setdefault(int(job), {"after": set(), "runs": []})
        started["after"] = {int(number) for number in after.split(":") if number}
        started["runs"].append(words)
    made: dict[str, int] = {}
    for number, job in sorted(jobs.items()):
        before = everything_before(number, jobs)
        assert all(other < number for other in before)
        name, *words = job["runs"][0]
        context = load_command(name).make_context(name, list(words))  # refuses unknown options
        if "--shard" in words:
            shares = [run[run.index("--shard") + 1] for run in job["runs"]]
            assert shares == [f"{k}/{SHARES}" for k in range(1, SHARES + 1)]
        read = [word.partition("=")[2] or word for word in words]
        for word in read:
            if word.startswith("made/") and word != context.params.get("out"):
                assert made[word] in before, f"{name} does not wait for {word}"
        if context.params.get("out"):
            made[context.params["out"]] = number
    assert [jobs[n]["runs"][0][0] for n in sorted(jobs)].count("train") == 3
    assert jobs[max(jobs)]["runs"][0][0] == "eval-gap"


def everything_before(number: int, jobs: dict[int, dict]) -> set[int]:
    before = set(jobs[number]["after"])
    return before.union(*(everything_before(other, jobs) for other in before))


def test_training_runs_a_process_per_gpu_on_every_node(slurm, tmp_path):
    env = {
        **slurm, "WSS": "recorded-wss", "SLURM_JOB_ID": "31234", "SLURM_JOB_NODELIST": "n[1-2]",
        "SLURM_JOB_NUM_NODES": "2", "SLURM_GPUS_ON_NODE": "4", "JOB": "1", "AFTER": "",
    }  # fmt: skip
    done = run_script("train.sh", "--images", "i", "-o", "net.pt", folder=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    words = (tmp_path / "torchrun").read_text().split("\0")
    given = dict(itertools.pairwise(words))
    assert given["--nnodes"] == "2"
    assert given["--nproc-per-node"] == "4"
    assert given["--rdzv-endpoint"] == "n1:21234"
    command = (tmp_path / "commands").read_text().split("\t")
    assert command[2:-1] == ["train", "--images", "i", "-o", "net.pt"]


@pytest.mark.slow
def test_a_step_on_a_cluster_inside_a_job(slurm, wss, dataset, tmp_path):
    pytest.importorskip("distributed")
    dask = tmp_path / "bin" / "dask"
    dask.write_text(f'#!/usr/bin/env bash\nexec "{sys.executable}" -m dask "$@"\n')
    dask.chmod(0o755)
    env = {**slurm, "SLURM_JOB_ID": "7", "SLURM_JOB_NUM_NODES": "1", "SLURM_CPUS_PER_TASK": "1"}
    done = run_script("cluster.sh", "argmax", dataset / "maps", "-o", "out", folder=tmp_path,
                      env=env)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"{len(STEMS)} written to out" in done.stderr
    assert wss("argmax", dataset / "maps", "-o", tmp_path / "alone").code == 0
    assert folder_bytes(tmp_path / "out") == folder_bytes(tmp_path / "alone")
    assert not list(tmp_path.glob("scheduler-*.json"))


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck")
def test_the_scripts_are_clean():
    scripts = sorted(map(str, SCRIPTS.glob("*.sh")))
    assert len(scripts) == 4
    done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
