#!/usr/bin/env python3
# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "vtk==9.7.2"]
# ///
"""Compares `calvaria voxelize` with VTK's vtkPolyDataToImageStencil (3D Slicer's mesh-to-label) on one mesh and scan.

    voxelize_vtk.py --calvaria target/release/calvaria --mesh bone.ply --like SCAN [--threads 1] [--limit 2000]

Prints one JSON object: seconds of both (VTK: the stencil filter alone, best of three; ours: `--ours-seconds`, measured by
the caller, or the whole command), voxels near the surface, how many differ there, and for each that differs which of the
two a generalised winding number says is right: the sum of the solid angles of all triangles in double precision.
Exit 1 when fewer than 99.9 % of the voxels near the surface are equal, or ours is wrong on one.
"""

import argparse
import gzip
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy


def read_nrrd(path):
    data = path.read_bytes()
    end = data.index(b"\n\n") + 2
    fields = dict(re.findall(r"^([\w ]+): (.*)$", data[:end].decode("latin-1"), re.M))
    raw = gzip.decompress(data[end:]) if fields["encoding"].strip() in ("gzip", "gz") else data[end:]
    size = [int(n) for n in fields["sizes"].split()]
    return np.frombuffer(raw, np.uint8).reshape(size[::-1])


def read_ply(path):
    """Binary little-endian PLY as calvaria writes it: double x, y, z; lists of three indices."""
    data = path.read_bytes()
    end = data.index(b"end_header\n") + len(b"end_header\n")
    head = data[:end].decode("ascii")
    vertices, faces = (int(re.search(rf"element {kind} (\d+)", head)[1]) for kind in ("vertex", "face"))
    points = np.frombuffer(data, "<f8", 3 * vertices, end).reshape(-1, 3)
    lists = np.frombuffer(data, np.dtype([("n", "u1"), ("v", "<u4", 3)]), faces, end + 24 * vertices)
    assert (lists["n"] == 3).all()
    return points, lists["v"].astype(np.int64)


def stencil(points, triangles, size, spacing):
    cells = vtk.vtkCellArray()
    ids = np.column_stack([np.full(len(triangles), 3, np.int64), triangles]).ravel()
    cells.SetCells(len(triangles), numpy_to_vtkIdTypeArray(ids, deep=True))
    holder = vtk.vtkPoints()
    holder.SetDataTypeToDouble()
    holder.SetData(numpy_to_vtk(points, deep=True))
    surface = vtk.vtkPolyData()
    surface.SetPoints(holder)
    surface.SetPolys(cells)
    best = None
    for _ in range(3):
        to_stencil = vtk.vtkPolyDataToImageStencil()
        to_stencil.SetInputData(surface)
        to_stencil.SetOutputOrigin(0, 0, 0)
        to_stencil.SetOutputSpacing(spacing)
        to_stencil.SetOutputWholeExtent(0, size[0] - 1, 0, size[1] - 1, 0, size[2] - 1)
        start = time.perf_counter()
        to_stencil.Update()
        seconds = time.perf_counter() - start
        best = seconds if best is None else min(best, seconds)
    image = vtk.vtkImageStencilToImage()
    image.SetInputConnection(to_stencil.GetOutputPort())
    image.SetOutputScalarTypeToUnsignedChar()
    image.SetInsideValue(1)
    image.SetOutsideValue(0)
    image.Update()
    return best, vtk_to_numpy(image.GetOutput().GetPointData().GetScalars()).reshape(size[::-1])


def near_surface(label):
    """Voxels with a 26-neighbour of the other kind."""
    low, high = label.copy(), label.copy()
    for axis in range(3):
        for source, pick in ((low, np.minimum), (high, np.maximum)):
            ahead, behind = [slice(None)] * 3, [slice(None)] * 3
            ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
            before = source.copy()
            source[tuple(behind)] = pick(source[tuple(behind)], before[tuple(ahead)])
            source[tuple(ahead)] = pick(source[tuple(ahead)], before[tuple(behind)])
    return low != high


def winding(corners, p):
    a, b, c = (corner - p for corner in corners)
    la, lb, lc = (np.sqrt(np.einsum("ij,ij->i", v, v)) for v in (a, b, c))
    volume = np.einsum("ij,ij->i", a, np.cross(b, c))
    dot = lambda u, v: np.einsum("ij,ij->i", u, v)
    return np.arctan2(volume, la * lb * lc + dot(a, b) * lc + dot(b, c) * la + dot(c, a) * lb).sum() / (2 * np.pi)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--calvaria", required=True)
    parser.add_argument("--mesh", type=pathlib.Path, required=True)
    parser.add_argument("--like", required=True)
    parser.add_argument("--label", type=pathlib.Path, help="our label, already made, instead of running the command")
    parser.add_argument("--threads", default="1")
    parser.add_argument("--limit", type=int, default=2000, help="most differing voxels to adjudicate")
    parser.add_argument("--ours-seconds", type=float)
    args = parser.parse_args()
    info = json.loads(subprocess.check_output([args.calvaria, "info", args.like, "--json"]))
    size, spacing = info["size"], np.array(info["spacing_mm"])
    direction = np.array(info["direction"]).reshape(3, 3)
    if args.label:
        ours, report, command_seconds = read_nrrd(args.label), b"null", None
    else:
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "label.nrrd"
            start = time.perf_counter()
            command = [args.calvaria, "-j", args.threads, "voxelize", "--mesh", args.mesh, "--like", args.like, "-o", out]
            report = subprocess.check_output([str(word) for word in command] + ["--json"])
            command_seconds = time.perf_counter() - start
            ours = read_nrrd(out)
    points, triangles = read_ply(args.mesh)
    local = (points - np.array(info["origin_mm"])) @ direction
    vtk.vtkSMPTools.Initialize(int(args.threads))
    vtk_seconds, theirs = stencil(local, triangles, size, spacing)
    near = near_surface(ours) | near_surface(theirs)
    differ = np.argwhere(ours != theirs)
    corners = [local[triangles[:, k]] for k in range(3)]
    right = {"ours": 0, "vtk": 0, "on_surface": 0}
    for z, y, x in differ[: args.limit]:
        number = winding(corners, np.array([x, y, z]) * spacing)
        if abs(number - round(number)) > 1e-3:
            right["on_surface"] += 1
        else:
            right["ours" if round(number) % 2 == ours[z, y, x] else "vtk"] += 1
    ours_seconds = args.ours_seconds or command_seconds
    result = {
        "vtk_version": vtk.vtkVersion.GetVTKVersion(),
        "triangles": len(triangles),
        "size": size,
        "threads": int(args.threads),
        "vtk_seconds": vtk_seconds,
        "calvaria_seconds": ours_seconds,
        "calvaria_command_seconds": command_seconds,
        "ratio": vtk_seconds / ours_seconds if ours_seconds else None,
        "voxels_near_surface": int(near.sum()),
        "differ": len(differ),
        "differ_near_surface": int((ours != theirs)[near].sum()),
        "equal_share_near_surface": 1 - float((ours != theirs)[near].mean()),
        "adjudicated": min(len(differ), args.limit),
        "right": right,
        "report": json.loads(report),
    }
    json.dump(result, sys.stdout, indent=2)
    print()
    sys.exit(0 if result["equal_share_near_surface"] >= 0.999 and right["vtk"] == 0 else 1)


if __name__ == "__main__":
    main()
