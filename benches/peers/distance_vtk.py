"""Times VTK's distance between two surfaces, both ways: what `calvaria compare` is measured against.

    pip install vtk==9.7.2 numpy==2.4.6
    python distance_vtk.py pred.ply gold.ply
    time calvaria compare --pred-mesh pred.ply --gold-mesh gold.ply --json

vtkDistancePolyDataFilter measures at vertices and at the middles of triangles; the mean over the middles, weighted by
area, is a one-point rule for the area mean that `compare` integrates.
"""

import sys
import time

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy


def read(path):
    """Reads a mesh; VTK's PLY reader does not take double coordinates, so those of our own files are read here."""
    if not path.endswith(".ply"):
        reader = vtk.vtkOBJReader() if path.endswith(".obj") else vtk.vtkSTLReader()
        reader.SetFileName(path)
        reader.Update()
        return reader.GetOutput()
    data = open(path, "rb").read()
    end = data.index(b"end_header\n") + 11
    lines = data[:end].decode().splitlines()
    count = {w[1]: int(w[2]) for w in map(str.split, lines) if w and w[0] == "element"}
    assert lines[-2] == "property list uchar uint vertex_indices" and sum("double" in line for line in lines) == 3
    points = np.frombuffer(data, "<f8", 3 * count["vertex"], end).reshape(-1, 3)
    faces = np.frombuffer(data, np.dtype([("n", "u1"), ("v", "<u4", 3)]), count["face"], end + points.nbytes)["v"]
    mesh = vtk.vtkPolyData()
    vertices = vtk.vtkPoints()
    vertices.SetData(numpy_to_vtk(np.ascontiguousarray(points), deep=True))
    mesh.SetPoints(vertices)
    cells = vtk.vtkCellArray()
    cells.SetData(3, numpy_to_vtkIdTypeArray(np.ascontiguousarray(faces, dtype=np.int64).ravel(), deep=True))
    mesh.SetPolys(cells)
    return mesh


def areas(mesh):
    """Areas of the triangles."""
    points = vtk_to_numpy(mesh.GetPoints().GetData()).astype(float)
    faces = vtk_to_numpy(mesh.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    a, b, c = points[faces].transpose(1, 0, 2)
    return 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)


def distances(first, second):
    """Distances at the middles of the triangles, from the first surface and from the second, and the seconds it took."""
    start = time.perf_counter()
    measure = vtk.vtkDistancePolyDataFilter()
    measure.SetInputData(0, first)
    measure.SetInputData(1, second)
    measure.SignedDistanceOn()
    measure.ComputeCellCenterDistanceOn()
    measure.ComputeSecondDistanceOn()
    measure.Update()
    seconds = time.perf_counter() - start
    of = [measure.GetOutput(), measure.GetSecondDistanceOutput()]
    return [vtk_to_numpy(out.GetCellData().GetArray("Distance")) for out in of] + [seconds]


def main():
    pred, gold = read(sys.argv[1]), read(sys.argv[2])
    from_pred, from_gold, seconds = distances(pred, gold)
    print(f"{pred.GetNumberOfCells()} and {gold.GetNumberOfCells()} triangles, VTK {vtk.vtkVersion().GetVTKVersion()}: {seconds:.2f} s")
    for name, found, mesh in [("mad_pred_to_gold_mm", from_pred, pred), ("mad_gold_to_pred_mm", from_gold, gold)]:
        print(f"{name} {np.average(np.abs(found), weights=areas(mesh)):.9f}")
    print(f"signed_pred_to_gold_mm {np.average(from_pred, weights=areas(pred)):.9f}")


if __name__ == "__main__":
    main()
