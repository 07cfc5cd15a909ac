"""Every file of the reader torture suite, and every pair of formats, against SimpleITK, nibabel, pynrrd, pydicom, trimesh.

    python -m venv venv; venv/bin/pip install SimpleITK==2.5.7 pydicom==3.0.2 nibabel==5.4.2 pynrrd==1.1.3 trimesh==5.2.0 \
        numpy==2.4.6 pylibjpeg==2.1.0 pylibjpeg-libjpeg==2.5.0 pylibjpeg-openjpeg==2.6.0 meshio==5.3.5 \
        pillow charset-normalizer
    venv/bin/python benches/peers/readers.py torture CALVARIA DIR TABLE    DIR: the unpacked torture suite
    venv/bin/python benches/peers/readers.py pairs CALVARIA
    venv/bin/python benches/peers/readers.py dresses CALVARIA

`torture` writes TABLE, one line a file: what we say, what the peers say, and the verdict: `equal`, `refused` (by us, with our
words), or `DIFFERS` (and then it fails). The table of the last run is `src/io/torture.tsv`; a test holds the readers to it.
`pairs` converts what they write and has them read it. `dresses` makes one image in the dresses that no library writes by itself
(lists and patterns of files, numbers as text, bzip2): ours, SimpleITK's and pynrrd's readings have the same geometry and values.
Geometry is compared in LPS mm to 1e-3 of a voxel, sums of values to 1e-6 of the sum of their sizes.
"""

import bz2
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile
import zlib

import meshio
import nibabel
import nrrd
import numpy as np
import pydicom
import SimpleITK as sitk
import trimesh

PINS = {sitk: "2.5.7", pydicom: "3.0.2", nibabel: "5.4.2", nrrd: "1.1.3", trimesh: "5.2.0", np: "2.4.6", meshio: "5.3.5"}
MESHES = (".stl", ".ply", ".obj", ".vtk")
TO_LPS = np.diag([-1.0, -1.0, 1.0])


def ours(calvaria, path):
    """What `calvaria info` says, or its refusal: (facts, words)."""
    done = subprocess.run([calvaria, "info", str(path), "--json", "--any-modality"], capture_output=True, text=True)
    if done.returncode:
        return None, done.stderr.split("\n")[0].removeprefix("error: ")
    facts = json.loads(done.stdout)
    asked = [note for note in facts["notes"] if note.endswith("the numbers are those as it would be read all the same")]
    return facts, asked[0].rsplit("; the numbers", 1)[0] if asked else None


def image(size, columns, origin, values):
    """Facts of an image: columns are voxel steps in LPS mm."""
    columns, values = np.asarray(columns, float), np.asarray(values, float)
    return {"size": [int(n) for n in size], "columns": columns, "origin": np.asarray(origin, float),
            "sum": float(values.sum()), "sizes": float(np.abs(values).sum())}


def with_sitk(path):
    if path.is_dir():
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(path)))
        read = reader.Execute()
    else:
        read = sitk.ReadImage(str(path))
    if read.GetDimension() > 3 and read.GetSize()[3:] == (1,):
        read = read[:, :, :, 0]
    if read.GetDimension() == 2:
        read = sitk.JoinSeries(read)
    if read.GetDimension() != 3 or read.GetNumberOfComponentsPerPixel() != 1:
        raise ValueError("not one volume")
    direction = np.array(read.GetDirection()).reshape(3, 3)
    return image(read.GetSize(), direction @ np.diag(read.GetSpacing()), read.GetOrigin(), sitk.GetArrayViewFromImage(read))


def with_nibabel(path):
    read = nibabel.load(path)
    values = read.get_fdata()
    while values.ndim > 3 and values.shape[-1] == 1:
        values = values[..., 0]
    while values.ndim < 3:
        values = values[..., None]
    if values.ndim != 3:
        raise ValueError("not one volume")
    return image(values.shape, TO_LPS @ read.affine[:3, :3], TO_LPS @ read.affine[:3, 3], values)


def with_nrrd(path):
    values, header = nrrd.read(str(path))
    if values.ndim != 3:
        raise ValueError("not one volume")
    space = header.get("space", "left-posterior-superior")
    signs = {"left-posterior-superior": [1, 1, 1], "right-anterior-superior": [-1, -1, 1]}[space]
    steps = header.get("space directions")
    steps = np.diag(header["spacings"]) if steps is None else np.asarray(steps)
    origin = header.get("space origin", np.zeros(3))
    return image(values.shape, np.diag(signs) @ steps.T, np.diag(signs) @ origin, values)


def with_pydicom(path):
    """One file as one slice, or a folder as slices along the normal; values only where the places are odd."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    slices = [pydicom.dcmread(file, force=True) for file in files]
    row, column = np.array(slices[0].ImageOrientationPatient, float).reshape(2, 3)
    normal = np.cross(row, column)
    slices.sort(key=lambda one: float(normal @ np.array(one.ImagePositionPatient, float)))
    place = [np.array(one.ImagePositionPatient, float) for one in slices]
    step = (place[-1] - place[0]) / (len(place) - 1) if len(place) > 1 else normal * float(slices[0].SliceThickness)
    between = [float(v) for v in slices[0].PixelSpacing]
    values = np.stack([one.pixel_array * float(getattr(one, "RescaleSlope", 1)) + float(getattr(one, "RescaleIntercept", 0))
                       for one in slices])
    columns = np.stack([row * between[1], column * between[0], step], axis=1)
    return image(values.shape[::-1], columns, place[0], values)


def with_zlib(path):
    """A detached MetaImage by Python's zlib: ITK stops at CompressedDataSize, also where that is less than the stream."""
    fields = dict(line.split(" = ", 1) for line in path.read_text().splitlines() if " = " in line)
    if fields.get("CompressedData") != "True" or fields["ElementType"] != "MET_UCHAR":
        raise ValueError("not compressed bytes")
    samples = np.frombuffer(zlib.decompress(path.with_name(fields["ElementDataFile"]).read_bytes()), np.uint8)
    size = [int(n) for n in fields["DimSize"].split()]
    turn = np.array(fields["TransformMatrix"].split(), float).reshape(3, 3).T
    spacing = np.array(fields["ElementSpacing"].split(), float)
    return image(size, turn @ np.diag(spacing), np.array(fields["Offset"].split(), float), samples)


def with_trimesh(path):
    return facts_of(trimesh.load(path, process=False, force="mesh"))


def with_meshio(path):
    read = meshio.read(path)
    faces = np.concatenate([cells.data for cells in read.cells if cells.type == "triangle"])
    return facts_of(trimesh.Trimesh(read.points, faces, process=False))


def with_bytes(path):
    """A binary STL as its specification has it: some readers take any file that begins with `solid` for text."""
    data = path.read_bytes()
    count = int.from_bytes(data[80:84], "little")
    if len(data) < 84 + 50 * count:
        raise ValueError("not binary")
    corners = np.frombuffer(data, np.dtype([("n", "<f4", 3), ("p", "<f4", (3, 3)), ("a", "<u2")]), count, 84)["p"]
    return facts_of(trimesh.Trimesh(corners.reshape(-1, 3), np.arange(3 * count).reshape(-1, 3), process=False))


def facts_of(mesh):
    if not len(mesh.faces):
        raise ValueError("no triangles")
    return {"triangles": len(mesh.faces), "bounds": np.asarray(mesh.bounds, float), "area": float(mesh.area)}


def peers_of(path):
    name = path.name.lower()
    if name.endswith(MESHES):
        return [with_meshio] if name.endswith(".vtk") else [with_trimesh] + [with_bytes] * name.endswith(".stl")
    if path.is_dir() or name.endswith(".dcm"):
        return [with_sitk, with_pydicom]
    if name.endswith((".nii", ".nii.gz", ".hdr", ".hdr.gz", ".img", ".img.gz")):
        return [with_nibabel, with_sitk]
    return [with_nrrd, with_sitk] if name.endswith((".nrrd", ".nhdr")) else [with_sitk, with_zlib] if name.endswith(".mhd") else [with_sitk]


def image_of(facts):
    """Our own facts in the form of a peer's."""
    direction = np.array(facts["direction"]).reshape(3, 3)
    count = np.prod(facts["size"])
    return {"size": facts["size"], "columns": direction @ np.diag(facts["spacing_mm"]), "origin": np.array(facts["origin_mm"]),
            "sum": facts["mean"] * count}


def right_handed(facts):
    """The same world, walked from the other end where the axes are left-handed: a DICOM series always is right-handed."""
    if np.linalg.det(facts["columns"]) > 0:
        return facts
    columns = facts["columns"] * [1, 1, -1]
    return {**facts, "columns": columns, "origin": facts["origin"] - columns[:, 2] * (facts["size"][2] - 1)}


def differ(mine, theirs):
    """Why two facts are not equal; an empty list when they are."""
    if "bounds" in theirs:
        low, high = theirs["bounds"]
        scale = max(1e-6, float(np.abs(theirs["bounds"]).max()))
        lines = [] if mine["triangles"] == theirs["triangles"] else ["triangles"]
        lines += [] if np.allclose(mine["bounds_mm"], [low, high], rtol=0, atol=1e-5 * scale) else ["bounds"]
        return lines + ([] if abs(mine["area_mm2"] - theirs["area"]) <= 1e-4 * max(1, theirs["area"]) else ["area"])
    mine, theirs = right_handed(image_of(mine)), right_handed(theirs)
    if mine["size"] != theirs["size"]:
        return ["size"]
    far = 1e-3 * np.linalg.norm(theirs["columns"], axis=0).min()
    ends = np.array(theirs["size"]) - 1
    apart = np.abs((mine["columns"] - theirs["columns"]) * ends).max(initial=0)
    lines = [] if apart <= max(far, 1e-3) else ["axes"]
    lines += [] if np.abs(mine["origin"] - theirs["origin"]).max() <= max(far, 1e-3) else ["origin"]
    return lines + ([] if abs(mine["sum"] - theirs["sum"]) <= 1e-6 * max(1, theirs["sizes"]) else ["sum"])


def numbers(facts):
    """The columns of the table that a test compares."""
    if "bounds" in facts:
        return f"{facts['triangles']}\t" + " ".join(f"{v:.9g}" for v in facts["bounds"].ravel()) + f"\t{facts['area']:.9g}"
    columns = " ".join(f"{v:.9g}" for v in facts["columns"].T.ravel())
    return f"{' '.join(map(str, facts['size']))}\t{' '.join(f'{v:.9g}' for v in facts['origin'])} {columns}\t{facts['sum']:.12g}"


def entries(root):
    """Files, and the folders that are series."""
    skip = (".md", ".png", ".raw", ".zraw")
    for folder in sorted({file.parent for file in root.glob("dicom-series-d2n/**/*") if file.is_file()}):
        yield folder
    for file in sorted(root.rglob("*")):
        if file.is_file() and "dicom-series-d2n" not in file.parts and file.suffix.lower() not in skip:
            yield file


def words_of(refused, root):
    """A peer's words on one line, without the folder of this machine."""
    return (str(refused).strip().split("\n")[-1].replace(str(root), "DIR").replace("\t", " ") or "fails")[:60]


def torture(calvaria, root, table):
    lines, failed = [], 0
    for path in entries(root):
        lonely = None
        if path.suffix == ".dcm":
            # Each encoding is one series of its own; a file stands for all slices beside it.
            lonely = tempfile.TemporaryDirectory()
            (pathlib.Path(lonely.name) / path.name).symlink_to(path)
        facts, words = ours(calvaria, lonely.name if lonely else path)
        theirs = {}
        for peer in peers_of(path):
            try:
                theirs[peer.__name__.removeprefix("with_")] = peer(path)
            except Exception as refused:  # noqa: BLE001 a peer may fail in any way it likes
                theirs[peer.__name__.removeprefix("with_")] = words_of(refused, root)
        read = {name: fact for name, fact in theirs.items() if isinstance(fact, dict)}
        agree = [name for name, fact in read.items() if facts and not differ(facts, fact)]
        others = [f"{name}: {'|'.join(differ(facts, fact))}" for name, fact in read.items() if facts and name not in agree]
        others += [f"{name}: {fact}" for name, fact in theirs.items() if name not in read]
        name = path.relative_to(root).as_posix()
        if words or not facts:
            lines.append(f"{name}\trefused\t{words}\t\t\t{'; '.join(sorted(read)) or 'refused by all'}")
        elif agree:
            lines.append(f"{name}\tequal\t{numbers(read[agree[0]])}\t{' '.join(agree)}{'; not ' if others else ''}{'; '.join(others)}")
        else:
            failed += 1
            lines.append(f"{name}\tDIFFERS\t\t\t\t{'; '.join(others)}")
        print(lines[-1])
    head = "# Written by benches/peers/readers.py. file, verdict, then size, place and sum by the peer that agrees (of a mesh:\n" \
           "# triangles, bounds, area), or our words; last: who agrees, and who does not read the file or reads it otherwise.\n"
    table.write_text(head + "\n".join(line.replace("\r", " ") for line in lines) + "\n")
    print(f"{len(lines)} files, {failed} differ")
    return failed


def example(kind):
    """An oblique, anisotropic, left-handed image."""
    rng = np.random.default_rng(7)
    made = sitk.GetImageFromArray(rng.integers(-1000, 3000, (5, 6, 7)).astype(kind))
    turn = np.array([[0.6, -0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, -1.0]])
    made.SetDirection(turn.ravel().tolist())
    made.SetSpacing((0.5, 0.75, 2.25))
    made.SetOrigin((-12.5, 30.125, -7.0))
    return made


def pairs(calvaria):
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        made = example(np.int16)
        for theirs in ("a.nii", "a.nii.gz", "a.nrrd", "a.nhdr", "a.mha", "a.mhd", "a.hdr"):
            source = folder / theirs
            sitk.WriteImage(made, str(source), theirs.endswith(("nrrd", "mha")))
            for mine in ("b.nii", "b.nii.gz", "b.nrrd", "b.mha", "series"):
                target = folder / f"{theirs.replace('.', '-')}-{mine}"
                subprocess.run([calvaria, "convert", str(source), str(target)], check=True, capture_output=True)
                facts, words = ours(calvaria, target)
                for peer in peers_of(target):
                    wrong = differ(facts, peer(target)) + differ(facts, with_sitk(source)) + ([words] if words else [])
                    failed += bool(wrong)
                    print(f"{theirs} -> {mine}, {peer.__name__}: {', '.join(wrong) or 'equal'}")
        shape = trimesh.creation.icosphere(2, 40.0)
        shape.apply_translation((10.5, -20.25, 3.0))
        for theirs in ("m.stl", "m.ply", "m.obj"):
            source = folder / theirs
            shape.export(source)
            for mine in ("n.stl", "n.ply", "n.obj", "n.glb"):
                target = folder / f"{theirs.replace('.', '-')}-{mine}"
                subprocess.run([calvaria, "convert", str(source), str(target)], check=True, capture_output=True)
                if mine.endswith(".glb"):
                    # Metres, y up: back to LPS millimetres.
                    read = trimesh.load(target, force="mesh", process=False)
                    x, y, z = np.asarray(read.bounds).T * 1000
                    wrong = [] if len(read.faces) == len(shape.faces) else ["triangles"]
                    extents = sorted([np.ptp(x), np.ptp(y), np.ptp(z)])
                    wrong += [] if np.allclose(extents, sorted(shape.extents), atol=1e-2) else ["extent"]
                else:
                    wrong = differ(ours(calvaria, target)[0], with_trimesh(target)) + differ(ours(calvaria, target)[0], with_trimesh(source))
                failed += bool(wrong)
                print(f"{theirs} -> {mine}, trimesh: {', '.join(wrong) or 'equal'}")
    print(f"{failed} differ")
    return failed


def dressed(folder, made):
    """Writes one image in many dresses; yields the files to read."""
    values = sitk.GetArrayFromImage(made)
    size, spacing, origin = made.GetSize(), made.GetSpacing(), made.GetOrigin()
    turn = np.array(made.GetDirection()).reshape(3, 3)
    steps = " ".join("(" + ",".join(repr(float(v)) for v in turn[:, axis] * spacing[axis]) + ")" for axis in range(3))
    place = ",".join(repr(float(v)) for v in origin)
    for number, layer in enumerate(values):
        (folder / f"z{number:03}.raw").write_bytes(layer.tobytes())
        (folder / f"z{number:03}.raw.bz2").write_bytes(bz2.compress(layer.tobytes()))
        (folder / f"z{number:03}.raw.gz").write_bytes(gzip.compress(layer.tobytes()))
    (folder / "whole.bz2").write_bytes(bz2.compress(values.tobytes()))
    text = " ".join(str(v) for v in values.ravel())
    (folder / "numbers.txt").write_text(text + "\n")
    names = [f"z{number:03}.raw" for number in range(size[2])]
    nrrd_head = (f"NRRD0005\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: {size[0]} {size[1]} {size[2]}\n"
                 f"space directions: {steps}\nkinds: domain domain domain\nendian: little\nspace origin: ({place})\n")
    for name, lines in {
        "bz2.nhdr": "encoding: bzip2\ndata file: whole.bz2\n",
        "list.nhdr": "encoding: raw\ndata file: LIST\n" + "\n".join(names) + "\n",
        "list-gzip.nhdr": "encoding: gzip\ndata file: LIST 2\n" + "\n".join(f"{n}.gz" for n in names) + "\n",
        "list-bz2.nhdr": "encoding: bzip2\ndata file: LIST\n" + "\n".join(f"{n}.bz2" for n in names) + "\n",
        "pattern.nhdr": f"encoding: raw\ndata file: z%03d.raw 0 {size[2] - 1} 1\n",
        "slabs.nhdr": "encoding: raw\ndata file: LIST 3\n" + "\n".join(names) + "\n",
    }.items():
        (folder / name).write_text(nrrd_head + lines)
        yield folder / name
    (folder / "bz2.nrrd").write_bytes((nrrd_head + "encoding: bzip2\n\n").encode() + bz2.compress(values.tobytes()))
    yield folder / "bz2.nrrd"
    # MetaImage states the matrix axis by axis.
    matrix = " ".join(repr(float(v)) for v in turn.T.ravel())
    meta = (f"ObjectType = Image\nNDims = 3\nBinaryData = %s\nBinaryDataByteOrderMSB = False\nCompressedData = False\n"
            f"TransformMatrix = {matrix}\nOffset = {place.replace(',', ' ')}\nCenterOfRotation = 0 0 0\n"
            f"ElementSpacing = {' '.join(repr(float(v)) for v in spacing)}\nDimSize = {size[0]} {size[1]} {size[2]}\n"
            f"ElementType = MET_SHORT\nElementDataFile = ")
    for name, binary, lines in [
        ("ascii.mha", False, "LOCAL\n" + text + "\n"),
        ("ascii.mhd", False, "numbers.txt\n"),
        ("list.mhd", True, "LIST\n" + "\n".join(names) + "\n"),
        ("list-2d.mhd", True, "LIST 2\n" + "\n".join(names) + "\n"),
        ("pattern.mhd", True, f"z%03d.raw 0 {size[2] - 1} 1\n"),
    ]:
        (folder / name).write_text(meta % binary + lines)
        yield folder / name


def dresses(calvaria):
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        made = example(np.int16)
        truth = image(made.GetSize(), np.array(made.GetDirection()).reshape(3, 3) @ np.diag(made.GetSpacing()),
                      made.GetOrigin(), sitk.GetArrayViewFromImage(made))
        for source in dressed(folder, made):
            facts, words = ours(calvaria, source)
            wrong, read = [words] if words or not facts else [], []
            if facts:
                wrong += differ(facts, truth)
                target = folder / "converted.nrrd"
                subprocess.run([calvaria, "convert", str(source), str(target)], check=True, capture_output=True)
                same = np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(target))), sitk.GetArrayFromImage(made))
                wrong += [] if same else ["values"]
            for peer in peers_of(source):
                try:
                    wrong += [f"{peer.__name__}: {word}" for word in differ(facts, peer(source))] if facts else []
                    read.append(peer.__name__)
                except Exception as refused:  # noqa: BLE001 a peer may fail in any way it likes
                    print(f"{source.name}: {peer.__name__} does not read it: {words_of(refused, folder)}")
            failed += bool(wrong)
            print(f"{source.name}, {' '.join(read) or 'read by no peer'}: {', '.join(wrong) or 'equal'}")
    print(f"{failed} differ")
    return failed


def main():
    for module, pinned in PINS.items():
        found = getattr(module, "__version__", None)
        if found != pinned:
            print(f"note: {module.__name__} {found} instead of {pinned}", file=sys.stderr)
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    match sys.argv[1:]:
        case ["torture", calvaria, root, table]:
            return torture(calvaria, pathlib.Path(root).resolve(), pathlib.Path(table))
        case ["pairs", calvaria]:
            return pairs(calvaria)
        case ["dresses", calvaria]:
            return dresses(calvaria)
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(bool(main()))
