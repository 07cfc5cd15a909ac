"""The MSDnet in PyTorch, as a peer of `calvaria bench msdnet`.

Two variants, both the same network as ours (dilations 1..10 repeated, symmetric border, ReLU, 1 x 1 output over all maps):

concatenating   each layer pads and concatenates all earlier maps; gradients by autograd. What one writes first.
in-place        one buffer holds all maps; each layer pads what it reads; forward and backward written by hand, one buffer
                for the gradients.

    python msdnet_torch.py                                   all rows, one JSON object a line
    python msdnet_torch.py --row step --size 512 --rounds 2  one row
    --serve                                                  obeys `calvaria bench --peer` (src/cli/bench/process.rs)
"""

import argparse
import json
import resource
import statistics
import sys
import time

import torch
import torch.nn.functional as F


def dilation(layer):
    return layer % 10 + 1


def reflected(n, margin, device):
    """Returns the pixels that stand for -margin .. n + margin, the edge pixel repeated."""
    p = torch.arange(-margin, n + margin, device=device)
    p = torch.maximum(p, -1 - p)
    return torch.minimum(p, 2 * n - 1 - p)


def padded(maps, margin):
    rows = reflected(maps.shape[-2], margin, maps.device)
    columns = reflected(maps.shape[-1], margin, maps.device)
    return maps.index_select(-2, rows).index_select(-1, columns)


def unpadded(gradient, margin):
    """The adjoint of `padded`: gradients of reflected pixels go to the pixels that they show."""
    n, c, h, w = gradient.shape
    columns = reflected(w - 2 * margin, margin, gradient.device)
    rows = reflected(h - 2 * margin, margin, gradient.device)
    folded = gradient.new_zeros(n, c, h, w - 2 * margin).index_add_(3, columns, gradient)
    return gradient.new_zeros(n, c, h - 2 * margin, w - 2 * margin).index_add_(2, rows, folded)


def weights(depth, classes=2, seed=1, channels=1, device="cpu"):
    """Returns the layers' weights and biases and the output's, as calvaria draws them: normal, output not zero."""
    generator = torch.Generator().manual_seed(seed)
    deviation = (2 / (9 * (channels + depth - 1) + classes)) ** 0.5
    layers = [deviation * torch.randn(1, channels + i, 3, 3, generator=generator) for i in range(depth)]
    rest = [0.05 * torch.randn(*s, generator=generator) for s in [(depth,), (classes, channels + depth, 1, 1), (classes,)]]
    return [w.to(device) for w in layers + rest]


def forward_concatenating(image, parameters):
    *layers, biases, output, output_bias = parameters
    maps = image
    for i, weight in enumerate(layers):
        d = dilation(i)
        new = F.relu(F.conv2d(padded(maps, d), weight, biases[i : i + 1], dilation=d))
        maps = torch.cat([maps, new], 1)
    return F.conv2d(maps, output, output_bias)


def forward_in_place(image, parameters, maps):
    """Fills the buffer `maps` [1, channels + depth, y, x]."""
    *layers, biases, output, output_bias = parameters
    channels = image.shape[1]
    maps[:, :channels] = image
    for i, weight in enumerate(layers):
        d, c = dilation(i), channels + i
        new = maps[:, c : c + 1]
        torch.clamp_min(F.conv2d(padded(maps[:, :c], d), weight, biases[i : i + 1], dilation=d), 0, out=new)
    return F.conv2d(maps, output, output_bias)


def backward_in_place(maps, logit_gradient, parameters, gradients):
    """Returns the gradients of all parameters; `gradients` is a buffer like `maps`."""
    *layers, _, output, _ = parameters
    classes = output.shape[0]
    pixels = maps.shape[2] * maps.shape[3]
    flat = logit_gradient.view(classes, pixels)
    output_gradient = (flat @ maps.view(-1, pixels).T).view_as(output)
    torch.mm(output.view(classes, -1).T, flat, out=gradients.view(-1, pixels))
    found, bias_gradient = [None] * len(layers), torch.empty(len(layers), device=maps.device)
    for i in reversed(range(len(layers))):
        d, c = dilation(i), maps.shape[1] - len(layers) + i
        delta = gradients[:, c : c + 1] * (maps[:, c : c + 1] > 0)
        seen = padded(maps[:, :c], d)
        bias_gradient[i] = delta.sum()
        found[i] = torch.nn.grad.conv2d_weight(seen, layers[i].shape, delta, dilation=d)
        gradients[:, :c] += unpadded(F.conv_transpose2d(delta, layers[i], dilation=d), d)
    return found + [bias_gradient, output_gradient, flat.sum(1)]


class Work:
    """One row: prepared once, run again and again."""

    def __init__(self, row, variant, size, depth, device):
        self.row, self.variant, self.device = row, variant, device
        self.shape = f"{size} x {size}, depth {depth}"
        self.image = torch.randn(1, 1, size, size, generator=torch.Generator().manual_seed(3)).to(device)
        self.target = (self.image[:, 0] > 0.5).long()
        self.parameters = weights(depth, device=device)
        self.flop = 2.0 * sum(p.numel() for p in self.parameters[:-3] + [self.parameters[-2]]) * size * size
        if row == "step":
            self.flop *= 3
            self.parameters = [p.requires_grad_(variant == "concatenating") for p in self.parameters]
            self.adam = torch.optim.Adam(self.parameters, lr=1e-3)
        if variant == "in-place":
            self.maps = torch.zeros(1, 1 + depth, size, size, device=device)
            self.gradients = torch.zeros_like(self.maps) if row == "step" else None

    def run(self):
        if self.row == "forward":
            with torch.no_grad():
                return self.forward()
        if self.variant == "concatenating":
            self.adam.zero_grad()
            F.cross_entropy(self.forward(), self.target).backward()
        else:
            with torch.no_grad():
                logits = self.forward()
            logits.requires_grad_()
            (upstream,) = torch.autograd.grad(F.cross_entropy(logits, self.target), logits)
            with torch.no_grad():
                found = backward_in_place(self.maps, upstream, self.parameters, self.gradients)
            for parameter, gradient in zip(self.parameters, found):
                parameter.grad = gradient
        self.adam.step()

    def forward(self):
        if self.variant == "concatenating":
            return forward_concatenating(self.image, self.parameters)
        return forward_in_place(self.image, self.parameters, self.maps)

    def seconds(self):
        start = time.perf_counter()
        self.run()
        if self.device != "cpu":
            torch.cuda.synchronize()
        return time.perf_counter() - start


def repetitions(seconds):
    """What takes less than a tenth of a second is repeated until it takes as much, as calvaria does."""
    return int(min(max(0.1 / seconds, 1), 1000))


def peak_rss_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def name(variant, device):
    where = "" if device == "cpu" else f" on {torch.cuda.get_device_name()}"
    return f"pytorch {torch.__version__.split('+')[0]} {variant}{where}"


def say(**facts):
    print(json.dumps(facts), flush=True)


def serve(arguments):
    work = Work(arguments.row[0], arguments.variant[0], arguments.size[0], arguments.depth, arguments.device)
    # A large training step takes too long to be thrown away.
    repeats = repetitions(work.seconds()) if arguments.row[0] == "forward" or arguments.size[0] < 200 else 1
    say(shape=work.shape, flop=work.flop, peer=name(arguments.variant[0], arguments.device))
    for line in sys.stdin:
        if line.strip() != "run":
            break
        say(seconds=statistics.fmean(work.seconds() for _ in range(repeats)), peak_gflops=None, forward_seconds=None)
    say(peak_rss_mb=peak_rss_mb())


def rows(arguments):
    for size in arguments.size:
        for row in arguments.row:
            for variant in arguments.variant:
                work = Work(row, variant, size, arguments.depth, arguments.device)
                work.run()
                seconds = statistics.median(work.seconds() for _ in range(arguments.rounds))
                say(
                    name=f"msdnet.{row}",
                    shape=work.shape,
                    threads=torch.get_num_threads(),
                    seconds=seconds,
                    gflops=work.flop / seconds * 1e-9,
                    peak_share=None,
                    peak_rss_mb=peak_rss_mb(),
                    peer=name(variant, arguments.device),
                )


def check_gradients():
    """Both variants give the same logits and gradients (double precision)."""
    torch.set_default_dtype(torch.float64)
    work = {v: Work("step", v, 24, 12, "cpu") for v in ["concatenating", "in-place"]}
    logits = [w.forward() for w in work.values()]
    assert torch.allclose(logits[0], logits[1], rtol=1e-12, atol=1e-12), "logits differ"
    for w in work.values():
        w.run()
    pairs = list(zip(*(w.parameters for w in work.values())))
    worst = max((a.grad - b.grad).abs().max() / a.grad.abs().max() for a, b in pairs)
    assert worst < 1e-10, f"gradients differ: {worst}"
    print(f"variants agree: largest relative difference of a gradient {worst:.1e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--check", action="store_true", help="compare the two variants with each other")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--row", nargs="+", default=["forward", "step"], choices=["forward", "step"])
    parser.add_argument("--variant", nargs="+", default=["concatenating", "in-place"])
    parser.add_argument("--size", nargs="+", type=int, default=[128, 256, 512])
    parser.add_argument("--depth", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if arguments.check:
        check_gradients()
    elif arguments.serve:
        serve(arguments)
    else:
        rows(arguments)


if __name__ == "__main__":
    main()
