"""Holds our network against PyTorch and onnxruntime with the same weights: logits within 1e-5 of their maximum.

    python check_logits.py CALVARIA [--depth 30] [--size 64]

Writes random checkpoints as msd_pytorch would (both file formats of torch.save), imports them with `calvaria model import`,
lets `calvaria infer --probability` segment a random scan, and compares; exports the import again as .pt (opened with
weights_only=True) and as .onnx and compares their logits too. Everything is temporary.
"""

import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile

import torch

from msdnet_torch import padded

TOLERANCE = 1e-5


def dilation(layer, preset):
    return layer % 10 + 1 if preset == "public" else (layer + 1) % 10 + 1


def checkpoint(depth, width, channels, classes, mean, std, seed):
    """Returns a state dict with the names and shapes of msd_pytorch's segmentation model."""
    g = torch.Generator().manual_seed(seed)
    deviation = (2 / (9 * (channels + width * (depth - 1)) + classes)) ** 0.5
    state = collections.OrderedDict()
    state["0.weight"] = torch.eye(channels).view(channels, channels, 1, 1) / std
    state["0.bias"] = torch.full((channels,), -mean / std)
    state["1.0.msd_block.bias"] = 0.1 * torch.randn(depth * width, generator=g)
    for i in range(depth):
        state[f"1.0.msd_block.weight{i}"] = deviation * torch.randn(width, channels + width * i, 3, 3, generator=g)
    state["1.0.final_layer.linear.weight"] = 0.1 * torch.randn(classes, channels + width * depth, 1, generator=g)
    state["1.0.final_layer.linear.bias"] = 0.1 * torch.randn(classes, generator=g)
    return state


def logits(state, hu, preset, dtype=torch.float32):
    """The network in PyTorch, from Hounsfield units."""
    state = {name: value.to(dtype) for name, value in state.items()}
    maps = torch.nn.functional.conv2d(hu.to(dtype), state["0.weight"], state["0.bias"])
    width = state["1.0.msd_block.weight0"].shape[0]
    depth = sum(name.startswith("1.0.msd_block.weight") for name in state)
    for i in range(depth):
        d = dilation(i, preset)
        bias = state["1.0.msd_block.bias"][i * width : (i + 1) * width]
        new = torch.nn.functional.conv2d(padded(maps, d), state[f"1.0.msd_block.weight{i}"], bias, dilation=d)
        maps = torch.cat([maps, torch.relu(new)], 1)
    weight = state["1.0.final_layer.linear.weight"].unsqueeze(3)
    return torch.nn.functional.conv2d(maps, weight, state["1.0.final_layer.linear.bias"])


def write_nrrd(path, hu):
    """Writes slices [z, y, x] as a NRRD on the plain LPS grid."""
    z, y, x = hu.shape
    header = (
        "NRRD0004\ntype: float\ndimension: 3\nspace: left-posterior-superior\n"
        f"sizes: {x} {y} {z}\nspace directions: (1,0,0) (0,1,0) (0,0,1)\nkinds: domain domain domain\n"
        "endian: little\nencoding: raw\nspace origin: (0,0,0)\n\n"
    )
    with open(path, "wb") as file:
        file.write(header.encode() + hu.contiguous().numpy().tobytes())


def read_nrrd(path, shape):
    with open(path, "rb") as file:
        header, data = file.read().split(b"\n\n", 1)
    assert b"type: float" in header and b"encoding: raw" in header, header
    return torch.frombuffer(bytearray(data), dtype=torch.float32).view(shape)


def run(*command):
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def difference(a, b):
    return ((a - b).abs().max() / b.abs().max()).item()


def onnx_logits(path, hu):
    try:
        import onnx
        import onnxruntime
    except ImportError:
        return None
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(["logits"], {"hu": hu.numpy()})[0])


def case(calvaria, folder, options):
    preset, channels, classes = options["preset"], options["channels"], options["classes"]
    state = checkpoint(
        options["depth"], options["width"], channels, classes, mean=-371.25, std=512.75, seed=options["seed"]
    )
    size, slices = options["size"], channels + 1
    generator = torch.Generator().manual_seed(7)
    scan = (2500 * torch.rand(slices, size, size + 5, generator=generator) - 1000).float()
    # Slabs of neighbouring slices, mirrored at the ends with the end repeated.
    n, half = slices, channels // 2
    neighbours = [[min(max(z + k, -1 - z - k), 2 * n - 1 - z - k) for k in range(-half, half + 1)] for z in range(n)]
    slabs = torch.stack([scan[near] for near in neighbours])
    wanted = logits(state, slabs, preset)
    exact = logits(state, slabs, preset, torch.float64)
    parts = {}
    for name, legacy in [("zip", False), ("legacy", True)]:
        source, model = f"{folder}/{name}.pt", f"{folder}/{name}.safetensors"
        contents = {"epoch": 10, "state_dict": state, "optimizer": {}}
        torch.save(contents, source, _use_new_zipfile_serialization=not legacy)
        run(calvaria, "--quiet", "model", "import", source, "-o", model, "--preset", preset)
    same = [open(f"{folder}/{name}.safetensors", "rb").read() for name in ["zip", "legacy"]]
    assert same[0] == same[1], "the two file formats give different models"
    write_nrrd(f"{folder}/scan.nrrd", scan)
    run(calvaria, "--quiet", "infer", "--device", "cpu", "--model", f"{folder}/zip.safetensors", "--ct", f"{folder}/scan.nrrd",
        "-o", f"{folder}/label.nrrd", "--probability", f"{folder}/probability.nrrd")
    found = read_nrrd(f"{folder}/probability.nrrd", scan.shape)
    probability = 1 - torch.softmax(exact, 1)[:, 0]
    parts["probability (absolute)"] = (found - probability).abs().max().item()
    if classes == 2:
        # Two classes: the difference of the logits is the log-odds of the probability, where that is not saturated.
        inner = (found > 1e-3) & (found < 1 - 1e-3)
        odds = torch.logit(found.double())
        margin = (exact[:, 1] - exact[:, 0])
        parts["difference of logits"] = ((odds - margin)[inner].abs().max() / exact.abs().max()).item()
    run(calvaria, "--quiet", "model", "export", f"{folder}/zip.safetensors", "-o", f"{folder}/out.pt")
    back = torch.load(f"{folder}/out.pt", weights_only=True)
    for name, value in state.items():
        there = back["state_dict"][name]
        assert there.shape == value.shape, name
        if not name.startswith("0."):
            assert torch.equal(there, value), name
    torch.optim.Adam([torch.zeros(1, requires_grad=True) for _ in range(len(state) - 2)]).load_state_dict(back["optimizer"])
    parts["exported .pt"] = difference(logits(back["state_dict"], slabs, preset), wanted)
    run(calvaria, "--quiet", "model", "export", f"{folder}/zip.safetensors", "-o", f"{folder}/out.onnx")
    found = onnx_logits(f"{folder}/out.onnx", slabs)
    if found is not None:
        parts["onnxruntime"] = difference(found.double(), exact)
    parts["pytorch f32 against f64"] = difference(wanted.double(), exact)
    return parts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("calvaria", help="the program")
    parser.add_argument("--depth", type=int, default=30)
    parser.add_argument("--size", type=int, default=64)
    arguments = parser.parse_args()
    calvaria = os.path.abspath(arguments.calvaria)
    worst = 0.0
    for seed, (preset, width, channels, classes) in enumerate(
        [("public", 1, 1, 2), ("v0.5", 1, 1, 2), ("public", 2, 3, 2), ("v0.5", 1, 5, 4)]
    ):
        options = dict(preset=preset, width=width, channels=channels, classes=classes, depth=arguments.depth)
        options |= dict(size=arguments.size, seed=seed)
        with tempfile.TemporaryDirectory() as folder:
            parts = case(calvaria, folder, options)
        print(json.dumps(options | parts), flush=True)
        worst = max(worst, *parts.values())
    print(f"largest difference {worst:.1e}, allowed {TOLERANCE:.0e}")
    sys.exit(worst > TOLERANCE)


if __name__ == "__main__":
    main()
