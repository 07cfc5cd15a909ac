"""Images from disk by SimpleITK, as a peer of `calvaria bench readers`.

A file is read by ReadImage; a folder is a DICOM series: its files are found by GetGDCMSeriesFileNames and read by
ImageSeriesReader, as SimpleITK's manual does it.

    python readers_speed.py --files FILE_OR_FOLDER ...     one JSON object a row, with results to compare
    --serve                                                obeys `calvaria bench --peer` (src/cli/bench/process.rs)
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time

import SimpleITK


def read(path):
    if not os.path.isdir(path):
        return SimpleITK.ReadImage(path)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(path))
    return reader.Execute()


def shape(image):
    return " x ".join(str(n) for n in image.GetSize())


def peer():
    return f"SimpleITK {SimpleITK.Version_VersionString()}"


def seconds(path):
    start = time.perf_counter()
    image = read(path)
    took = time.perf_counter() - start
    del image
    return took


def repetitions(once):
    """What takes less than a tenth of a second is repeated until it takes as much, as calvaria does."""
    return int(min(max(0.1 / once, 1), 1000))


def peak_rss_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def say(**facts):
    print(json.dumps(facts), flush=True)


def serve(path):
    found = shape(read(path))
    repeats = repetitions(seconds(path))
    say(shape=found, flop=None, peer=peer())
    for line in sys.stdin:
        if line.strip() != "run":
            break
        say(seconds=statistics.fmean(seconds(path) for _ in range(repeats)), peak_gflops=None, forward_seconds=None)
    say(peak_rss_mb=peak_rss_mb())


def rows(arguments):
    for path in arguments.files:
        image = read(path)
        mean = float(SimpleITK.GetArrayViewFromImage(image).mean())
        say(
            name=f"readers.{os.path.basename(path)}",
            shape=shape(image),
            threads=arguments.threads or os.cpu_count(),
            seconds=statistics.median(seconds(path) for _ in range(arguments.rounds)),
            peak_rss_mb=peak_rss_mb(),
            peer=peer(),
            results={"mean": mean},
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--files", required=True, nargs="+", metavar="PATH")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.threads:
        SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(arguments.threads)
    if arguments.serve:
        serve(arguments.files[0])
    else:
        rows(arguments)


if __name__ == "__main__":
    main()
