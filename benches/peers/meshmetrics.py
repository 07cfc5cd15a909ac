"""Compares `calvaria compare` with MeshMetrics (Podobnik and Vrtovec 2024) on a pair of meshes, metric by metric.

    pip install vtk==9.7.2 numpy==2.4.6 SimpleITK==2.5.7 SimpleITKUtilities
    pip install git+https://github.com/gasperpodobnik/MeshMetrics@00925575929242930198ab1bab2d20b081baea3c
    python meshmetrics.py CALVARIA example_3d_pred_mesh.obj example_3d_ref_mesh.obj

Where MeshMetrics is not installed (it is in no package index), its definitions are applied to the output of the filter
that it runs, vtkDistancePolyDataFilter: distances at the middles of triangles, weighted by area; percentiles by
cumulated area; NSD counts distances at most the tolerance. What is defined differently: one sample a triangle instead of
an integral, so percentiles and NSD move in steps of whole triangles, and the maximum (`hd`) is over middles, which
corners exceed. Dice is left out: MeshMetrics counts it on voxels made from the meshes.
"""

import json
import subprocess
import sys

import numpy as np

from distance_vtk import areas, distances, read

TOLERANCE = 0.005


def by_package(pred, gold):
    from MeshMetrics import DistanceMetrics

    metrics = DistanceMetrics()
    metrics.set_input(ref=gold, pred=pred, spacing=(1.0, 1.0, 1.0))
    found = {"assd_mm": metrics.assd(), "masd_mm": metrics.masd(), "hd95_mm": metrics.hd(95)}
    return found | {f"nsd_{t:g}mm": metrics.nsd(t) for t in (0.5, 1.0, 2.0)}


def by_definition(pred, gold):
    from_gold, from_pred, _ = distances(gold, pred)
    pairs = [(np.abs(from_gold), areas(gold)), (np.abs(from_pred), areas(pred))]
    means = [np.average(d, weights=w) for d, w in pairs]
    total = sum(w.sum() for _, w in pairs)

    def percentile(d, w, share):
        order = np.argsort(d)
        at = np.searchsorted(np.cumsum(w[order]) / w.sum(), share)
        return d[order][min(at, len(d) - 1)]

    found = {
        "mad_gold_to_pred_mm": means[0],
        "mad_pred_to_gold_mm": means[1],
        "assd_mm": sum((d * w).sum() for d, w in pairs) / total,
        "masd_mm": sum(means) / 2,
        "hd95_mm": max(percentile(d, w, 0.95) for d, w in pairs),
        "max_pred_to_gold_mm": pairs[1][0].max(),
    }
    return found | {f"nsd_{t:g}mm": sum(w[d <= t].sum() for d, w in pairs) / total for t in (0.5, 1.0, 2.0)}


def main():
    calvaria, pred_path, gold_path = sys.argv[1:4]
    command = [calvaria, "compare", "--pred-mesh", pred_path, "--gold-mesh", gold_path, "--json"]
    ours = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    pred, gold = read(pred_path), read(gold_path)
    try:
        theirs, source = by_package(pred, gold), "MeshMetrics"
    except ImportError:
        theirs, source = by_definition(pred, gold), "MeshMetrics' definitions on VTK's distances"
    print(source)
    worst = 0.0
    for name, value in theirs.items():
        apart = abs(ours[name] - value) / max(abs(value), 1e-12) if value != ours[name] else 0.0
        worst = max(worst, apart)
        print(f"{name:24} ours {ours[name]:.6f}  theirs {value:.6f}  apart {100 * apart:.3f} %")
    print(f"worst {100 * worst:.3f} %, allowed {100 * TOLERANCE:g} %")
    sys.exit(worst > TOLERANCE)


if __name__ == "__main__":
    main()
