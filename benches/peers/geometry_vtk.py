"""The geometry rows by VTK, as a peer of `calvaria bench geometry`.

Works on the files that `calvaria bench` prepares in a folder (label.nrrd, pred.ply, gold.ply), or on such files of your own.
Reading is not measured.

surface    vtkFlyingEdges3D or vtkMarchingCubes on the label at 0.5
voxelize   vtkPolyDataToImageStencil and vtkImageStencil of the mesh on the label's grid
compare    vtkDistancePolyData of the two meshes, both ways, unsigned

    python geometry_vtk.py --files FOLDER                 all rows, one JSON object a line, with results to compare
    python geometry_vtk.py --files FOLDER --keep OUT      also writes mask.npy (z, y, x; uint8), surface.ply
    --serve                                               obeys `calvaria bench --peer` (src/cli/bench/process.rs)
"""

import argparse
import gzip
import json
import os
import resource
import statistics
import sys
import time

import numpy
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy


def read_label(path):
    """Reads an attached NRRD of 8-bit labels (raw or gzip) with axes along the world's as an image."""
    with open(path, "rb") as file:
        header, data = file.read().split(b"\n\n", 1)
    fields = dict(line.split(": ", 1) for line in header.decode().splitlines() if ": " in line and line[0] != "#")
    assert fields["type"] in ("uint8", "uchar", "unsigned char"), fields["type"]
    data = gzip.decompress(data) if fields["encoding"] in ("gzip", "gz") else data
    size = [int(n) for n in fields["sizes"].split()]
    vectors = [[float(n) for n in v.strip("()").split(",")] for v in fields["space directions"].split()]
    origin = [float(n) for n in fields["space origin"].strip("()").split(",")]
    matrix = numpy.array(vectors)
    spacing = numpy.diag(matrix)
    assert numpy.allclose(matrix, numpy.diag(spacing)), "axes must lie along the world's"
    image = vtk.vtkImageData()
    image.SetDimensions(size)
    image.SetOrigin(origin)
    image.SetSpacing(spacing)
    values = numpy.frombuffer(data, numpy.uint8, count=size[0] * size[1] * size[2])
    image.GetPointData().SetScalars(numpy_to_vtk(values, deep=True, array_type=vtk.VTK_UNSIGNED_CHAR))
    return image


def read_mesh(path):
    reader = vtk.vtkPLYReader()
    reader.SetFileName(path)
    reader.Update()
    return reader.GetOutput()


class Surface:
    def __init__(self, files, variant):
        self.filter = vtk.vtkMarchingCubes() if variant == "marching-cubes" else vtk.vtkFlyingEdges3D()
        self.image = read_label(os.path.join(files, "label.nrrd"))
        self.filter.SetInputData(self.image)
        self.filter.ComputeNormalsOff()
        self.filter.ComputeScalarsOff()
        self.filter.SetValue(0, 0.5)
        size = " x ".join(str(n) for n in self.image.GetDimensions())
        self.shape = f"{size}"

    def run(self):
        self.filter.Modified()
        self.filter.Update()

    def results(self, keep):
        found = self.filter.GetOutput()
        if keep:
            writer = vtk.vtkPLYWriter()
            writer.SetFileName(os.path.join(keep, "surface.ply"))
            writer.SetInputData(found)
            writer.Write()
        return {"triangles": found.GetNumberOfPolys(), "vertices": found.GetNumberOfPoints()}


class Voxelize:
    def __init__(self, files, variant):
        mesh, image = read_mesh(os.path.join(files, "gold.ply")), read_label(os.path.join(files, "label.nrrd"))
        self.stencil = vtk.vtkPolyDataToImageStencil()
        self.stencil.SetInputData(mesh)
        self.stencil.SetOutputOrigin(image.GetOrigin())
        self.stencil.SetOutputSpacing(image.GetSpacing())
        self.stencil.SetOutputWholeExtent(image.GetExtent())
        ones = vtk.vtkImageData()
        ones.CopyStructure(image)
        ones.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
        vtk_to_numpy(ones.GetPointData().GetScalars())[:] = 1
        self.mask = vtk.vtkImageStencil()
        self.mask.SetInputData(ones)
        self.mask.SetStencilConnection(self.stencil.GetOutputPort())
        self.mask.SetBackgroundValue(0)
        size = image.GetDimensions()
        self.shape = f"{mesh.GetNumberOfPolys()} triangles to {' x '.join(str(n) for n in size)}"

    def run(self):
        self.stencil.Modified()
        self.mask.Update()

    def results(self, keep):
        found = self.mask.GetOutput()
        values = vtk_to_numpy(found.GetPointData().GetScalars()).reshape(found.GetDimensions()[::-1])
        if keep:
            numpy.save(os.path.join(keep, "mask.npy"), values)
        return {"voxels": int(values.sum())}


class Compare:
    def __init__(self, files, variant):
        pred, gold = (read_mesh(os.path.join(files, name)) for name in ["pred.ply", "gold.ply"])
        self.filters = [self.directed(pred, gold), self.directed(gold, pred)]
        self.shape = f"{pred.GetNumberOfPolys()} triangles to {gold.GetNumberOfPolys()} triangles, both ways"

    @staticmethod
    def directed(source, target):
        found = vtk.vtkDistancePolyDataFilter()
        found.SetInputData(0, source)
        found.SetInputData(1, target)
        found.SignedDistanceOff()
        found.ComputeSecondDistanceOff()
        return found

    def run(self):
        for found in self.filters:
            found.Modified()
            found.Update()

    def results(self, keep):
        means = [float(vtk_to_numpy(f.GetOutput().GetPointData().GetArray("Distance")).mean()) for f in self.filters]
        return {"mean_at_vertices_mm": means}


ROWS = {"surface": Surface, "voxelize": Voxelize, "compare": Compare}
VARIANTS = {"surface": ["flying-edges", "marching-cubes"], "voxelize": ["plain"], "compare": ["plain"]}


def peer(variant):
    return f"vtk {vtk.vtkVersion.GetVTKVersion()}" + ("" if variant == "plain" else f" {variant}")


def repetitions(once):
    """What takes less than a tenth of a second is repeated until it takes as much, as calvaria does."""
    return int(min(max(0.1 / once, 1), 1000))


def peak_rss_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def seconds(work):
    start = time.perf_counter()
    work.run()
    return time.perf_counter() - start


def say(**facts):
    print(json.dumps(facts), flush=True)


def serve(arguments):
    variant = arguments.variant or VARIANTS[arguments.row[0]][0]
    work = ROWS[arguments.row[0]](arguments.files, variant)
    repeats = repetitions(seconds(work))
    say(shape=work.shape, flop=None, peer=peer(variant))
    for line in sys.stdin:
        if line.strip() != "run":
            break
        say(seconds=statistics.fmean(seconds(work) for _ in range(repeats)), peak_gflops=None, forward_seconds=None)
    say(peak_rss_mb=peak_rss_mb())


def rows(arguments):
    for row in arguments.row:
        for variant in [arguments.variant] if arguments.variant else VARIANTS[row]:
            work = ROWS[row](arguments.files, variant)
            work.run()
            median = statistics.median(seconds(work) for _ in range(arguments.rounds))
            say(
                name=f"geometry.{row}",
                shape=work.shape,
                threads=arguments.threads or os.cpu_count(),
                seconds=median,
                peak_rss_mb=peak_rss_mb(),
                peer=peer(variant),
                results=work.results(arguments.keep),
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--files", required=True, metavar="FOLDER")
    parser.add_argument("--row", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--variant")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", metavar="FOLDER")
    arguments = parser.parse_args()
    if arguments.threads:
        vtk.vtkSMPTools.Initialize(arguments.threads)
    if arguments.serve:
        serve(arguments)
    else:
        rows(arguments)


if __name__ == "__main__":
    main()
