"""The synthetic study of `calvaria bench runner` in DVC, measured in turn with ours.

    pip install dvc==3.67.1
    python dvc_study.py --row noop --stages 102          # one JSON object
    calvaria bench runner --peer python                  # in turn with ours, with the ratio

Each of N subjects goes through five stages (align, voxelize, infer, surface, compare); `train` takes all voxelizations,
`report` all comparisons: 5 N + 2 stages. Commands copy files of 64 KiB, so what is measured is the engine.
Rows: `start` (--help), `noop` (repro with nothing to do), `status`, `restore` (repro after a raw file was changed back).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZE = 1 << 16


def dvc(folder, *words):
    environment = os.environ | {"DVC_NO_ANALYTICS": "1", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(
        [sys.executable, "-m", "dvc", *words], cwd=folder, check=True, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )


def stage(command, needs, makes):
    lists = "".join(f"      - {name}\n" for name in needs)
    return f"    cmd: {command}\n    deps:\n{lists}    outs:\n      - {makes}\n"


def raw(folder, subject, version):
    """Writes the raw file of a subject: its own bytes, and others for another version."""
    (folder / f"raw/{subject}").write_bytes(f"{subject} {version} ".encode().ljust(SIZE, b"."))


def build(folder, stages):
    for name in ("raw", "out"):
        (folder / name).mkdir()
    subjects = range(max(1, (stages - 2) // 5))
    text = "stages:\n"
    for s in subjects:
        raw(folder, s, 0)
        steps = [
            ("align", f"cp raw/{s} out/align{s}", [f"raw/{s}"]),
            ("voxelize", f"cp out/align{s} out/voxelize{s}", [f"out/align{s}"]),
            ("infer", f"cat out/train out/align{s} > out/infer{s}", ["out/train", f"out/align{s}"]),
            ("surface", f"cp out/infer{s} out/surface{s}", [f"out/infer{s}"]),
            ("compare", f"cp out/surface{s} out/compare{s}", [f"out/surface{s}", f"out/voxelize{s}"]),
        ]
        for name, command, needs in steps:
            text += f"  {name}{s}:\n" + stage(command, needs, f"out/{name}{s}")
    for name, of in (("train", "voxelize"), ("report", "compare")):
        needs = [f"out/{of}{s}" for s in subjects]
        text += f"  {name}:\n" + stage(f"cat {' '.join(needs)} | sha256sum > out/{name}", needs, f"out/{name}")
    (folder / "dvc.yaml").write_text(text)
    dvc(folder, "init", "--no-scm", "-q")
    dvc(folder, "config", "core.analytics", "false")


class Study:
    def __init__(self, row, stages, folder):
        self.row, self.folder, self.turn = row, folder, 0
        if row == "start":
            return
        build(folder, stages)
        dvc(folder, "repro", "-q")
        if row == "restore":
            raw(folder, 0, 1)
            dvc(folder, "repro", "-q")

    def run(self):
        """Does the row once; returns its seconds."""
        if self.row == "restore":
            raw(self.folder, 0, self.turn % 2)
            self.turn += 1
        words = {"start": ["--help"], "status": ["status", "-q"]}.get(self.row, ["repro", "-q"])
        begun = time.perf_counter()
        dvc(self.folder, *words)
        return time.perf_counter() - begun


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--row", choices=["start", "noop", "status", "restore"], default="noop")
    parser.add_argument("--stages", type=int, default=102)
    parser.add_argument("--serve", action="store_true", help="one word a line in, one object a line out")
    parser.add_argument("--threads", type=int, default=2, help="DVC runs one stage at a time")
    args = parser.parse_args()
    import dvc as package

    peer = f"dvc {package.__version__}"
    with tempfile.TemporaryDirectory() as folder:
        study = Study(args.row, args.stages, Path(folder))
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
