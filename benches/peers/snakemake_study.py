"""The synthetic study of `calvaria bench runner` in Snakemake, measured in turn with ours.

    pip install snakemake==9.27.1
    python snakemake_study.py --row noop --stages 102    # one JSON object
    calvaria bench runner --peer python                  # in turn with ours, with the ratio

The study has the shape of `dvc_study.py`. Snakemake keeps no results of earlier states, so `restore` is computed again
there: that is what its users wait for.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

SIZE = 1 << 16

SNAKEFILE = """
SUBJECTS = range({subjects})

rule all:
    input: "out/report"

rule align:
    input: "raw/{{s}}"
    output: "out/align{{s}}"
    shell: "cp {{input}} {{output}}"

rule voxelize:
    input: "out/align{{s}}"
    output: "out/voxelize{{s}}"
    shell: "cp {{input}} {{output}}"

rule train:
    input: expand("out/voxelize{{s}}", s=SUBJECTS)
    output: "out/train"
    shell: "cat {{input}} | sha256sum > {{output}}"

rule infer:
    input: "out/train", "out/align{{s}}"
    output: "out/infer{{s}}"
    shell: "cat {{input}} > {{output}}"

rule surface:
    input: "out/infer{{s}}"
    output: "out/surface{{s}}"
    shell: "cp {{input}} {{output}}"

rule compare:
    input: "out/surface{{s}}", "out/voxelize{{s}}"
    output: "out/compare{{s}}"
    shell: "cp {{input[0]}} {{output}}"

rule report:
    input: expand("out/compare{{s}}", s=SUBJECTS)
    output: "out/report"
    shell: "cat {{input}} | sha256sum > {{output}}"
"""


def snakemake(folder, *words):
    subprocess.run(
        [sys.executable, "-m", "snakemake", *words], cwd=folder, check=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )


def raw(folder, subject, content):
    """Writes the raw file of a subject: its own bytes, and others for another version."""
    (folder / f"raw/{subject}").write_bytes(f"{subject} {content} ".encode().ljust(SIZE, b"."))


class Study:
    def __init__(self, row, stages, threads, folder):
        self.row, self.folder, self.turn, self.threads = row, folder, 0, threads
        if row == "start":
            return
        subjects = max(1, (stages - 2) // 5)
        (folder / "raw").mkdir()
        for subject in range(subjects):
            raw(folder, subject, 0)
        (folder / "Snakefile").write_text(SNAKEFILE.format(subjects=subjects))
        self.make()
        if row == "restore":
            raw(folder, 0, 1)
            self.make()

    def make(self):
        snakemake(self.folder, f"-c{self.threads}", "-q", "all")

    def run(self):
        """Does the row once; returns its seconds."""
        if self.row == "restore":
            raw(self.folder, 0, self.turn % 2)
            self.turn += 1
        begun = time.perf_counter()
        if self.row == "start":
            snakemake(self.folder, "--help")
        elif self.row == "status":
            snakemake(self.folder, "-n", "-q")
        else:
            self.make()
        return time.perf_counter() - begun


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--row", choices=["start", "noop", "status", "restore"], default="noop")
    parser.add_argument("--stages", type=int, default=102)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--serve", action="store_true", help="one word a line in, one object a line out")
    args = parser.parse_args()
    peer = f"snakemake {version('snakemake')}"
    with tempfile.TemporaryDirectory() as folder:
        study = Study(args.row, args.stages, args.threads, Path(folder))
        if not args.serve:
            print(json.dumps({"name": f"runner.{args.row}", "stages": args.stages, "peer": peer, "seconds": study.run()}))
            return
        study.run()
        print(json.dumps({"shape": f"{args.stages} stages", "flop": None, "peer": peer}), flush=True)
        for line in sys.stdin:
            if line.strip() != "run":
                break
            print(json.dumps({"seconds": study.run(), "peak_gflops": None, "forward_seconds": None}), flush=True)
        print(json.dumps({"peak_rss_mb": None}), flush=True)


main()
