"""Speed and memory of the model: scans against plain loops, graph backends, a training step per size.

Times are CPU seconds (other processes do not count) of the best of several interleaved rounds, forward +
backward, one thread. On a CUDA device also wall times there, against mamba_ssm's kernels where they import.
"""

from __future__ import annotations

import time
from functools import partial

import torch
import torch.nn.functional as F
from _memory import growth_mb
from torch import Tensor

SCAN_SHAPE = {"batch": 8, "length": 1125, "width": 128, "states": 16}
HEAD_CHANNELS = 64


# ---------------------------------------------------------------- plain loops, several ways to write them


def mamba1_loop_precomputed(x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, skip: Tensor) -> Tensor:
    """Decays and inputs of all steps at once, then one multiply-add per step."""
    decay, driven = torch.exp(dt[..., None] * a), (dt * x)[..., None] * b[:, :, None, :]
    state, states = torch.zeros_like(decay[:, 0]), []
    for keep, gain in zip(decay.unbind(1), driven.unbind(1)):
        state = torch.addcmul(gain, keep, state)
        states.append(state)
    return (torch.stack(states, 1) * c[:, :, None, :]).sum(-1) + skip * x


def mamba1_loop_matvec(x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, skip: Tensor) -> Tensor:
    """State (N, D), a multiply-add and a matrix-vector product per step."""
    rate, state, outputs = a.t(), x.new_zeros(x.shape[0], a.shape[1], x.shape[2]), []
    for x_t, dt_t, b_t, c_t in zip((dt * x).unbind(1), dt.unbind(1), b.unbind(1), c.unbind(1)):
        state = torch.addcmul(x_t[:, None] * b_t[..., None], torch.exp(dt_t[:, None] * rate), state)
        outputs.append((c_t[:, None] @ state)[:, 0])
    return torch.stack(outputs, 1) + skip * x


def mamba2_loop_matvec(x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, skip: Tensor) -> Tensor:
    """The same for Mamba-2, where a head has one decay."""
    repeat = x.shape[2] // b.shape[2]
    decay, driven = torch.exp(dt * a)[..., None, None], (x * dt[..., None])[..., None, :]
    b, c = b.repeat_interleave(repeat, 2)[..., None], c.repeat_interleave(repeat, 2)[..., None, :]
    state, outputs = x.new_zeros(x.shape[0], x.shape[2], b.shape[3], x.shape[3]), []
    for x_t, keep, b_t, c_t in zip(driven.unbind(1), decay.unbind(1), b.unbind(1), c.unbind(1)):
        state = torch.addcmul(b_t * x_t, keep, state)
        outputs.append((c_t @ state)[..., 0, :])
    return torch.stack(outputs, 1) + skip[:, None] * x


def scans() -> dict:
    from spectramind_kit.models.scan_reference import selective_scan_sequential, ssd_sequential
    from spectramind_kit.models.selective_scan import selective_scan_chunked
    from spectramind_kit.models.ssd import ssd_chunked

    return {
        "mamba1_loop": selective_scan_sequential,
        "mamba1_loop_precomputed": mamba1_loop_precomputed,
        "mamba1_loop_matvec": mamba1_loop_matvec,
        "mamba2_loop": ssd_sequential,
        "mamba2_loop_matvec": mamba2_loop_matvec,
        "mamba1": selective_scan_chunked,
        "ssd": ssd_chunked,
    }


def scan_inputs(
    name: str, *, batch: int, length: int, width: int, states: int, device: str = "cpu"
) -> list[Tensor]:
    """Random inputs of a scan; d_inner = ``width``, Mamba-2 in heads of 64 channels."""
    torch.manual_seed(0)
    if name.startswith("mamba1"):
        inputs = [
            torch.randn(batch, length, width),
            F.softplus(torch.randn(batch, length, width) - 3),
            -torch.exp(torch.randn(width, states)),
            torch.randn(batch, length, states),
            torch.randn(batch, length, states),
            torch.randn(width),
        ]
    else:
        heads = max(1, width // HEAD_CHANNELS)
        inputs = [
            torch.randn(batch, length, heads, width // heads),
            F.softplus(torch.randn(batch, length, heads) - 3),
            -torch.exp(torch.randn(heads)),
            torch.randn(batch, length, 1, states),
            torch.randn(batch, length, 1, states),
            torch.randn(heads),
        ]
    return [t.to(device).requires_grad_() for t in inputs]


def forward_backward(scan, inputs: list[Tensor]) -> None:
    for t in inputs:
        t.grad = None
    scan(*inputs).sum().backward()


# ---------------------------------------------------------------- on the CPU


def cpu_seconds(work) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def best_of(works: dict, *, rounds: int) -> dict[str, float]:
    """Best CPU seconds of each; the rounds are interleaved, so that a busy machine hits all alike."""
    best: dict[str, float] = {}
    for k in range(rounds + 1):
        for name, work in works.items():
            spent = cpu_seconds(work)
            if k:  # the first round warms up
                best[name] = min(best.get(name, spent), spent)
    return best


def scan_figures(*, rounds: int) -> dict:
    """Seconds of every form and the two ratios.

    ``ssd_speedup`` and ``mamba1_speedup`` are over the fastest plain loop of the selective scan with these
    d_inner and N (Mamba-1's); ``ssd_speedup_same_recurrence`` is over the fastest loop of Mamba-2's own,
    cheaper recurrence.
    """
    works = {}
    for name, scan in scans().items():
        inputs = scan_inputs(name, **SCAN_SHAPE)
        works[name] = lambda scan=scan, inputs=inputs: forward_backward(scan, inputs)
    seconds = best_of(works, rounds=rounds)
    loop1 = min(v for k, v in seconds.items() if k.startswith("mamba1_loop"))
    loop2 = min(v for k, v in seconds.items() if k.startswith("mamba2_loop"))
    return {
        "ssd_speedup": loop1 / seconds["ssd"],
        "mamba1_speedup": loop1 / seconds["mamba1"],
        "ssd_speedup_same_recurrence": loop2 / seconds["ssd"],
        "scan_cpu_s": seconds,
    }


def scan_work(name: str):
    """One forward and backward pass of a scan, warmed up on a short input."""
    inputs, scan = scan_inputs(name, **SCAN_SHAPE), scans()[name]
    forward_backward(scan, scan_inputs(name, **{**SCAN_SHAPE, "length": 4}))
    return partial(forward_backward, scan, inputs)


def graph_figures(*, rounds: int) -> dict:
    """CPU seconds of a graph layer by backend, B 16, 282 nodes, D 64."""
    from spectramind_kit.errors import DataError
    from spectramind_kit.models.graph_layers import GRAPH_LAYERS
    from spectramind_kit.models.wavelength_graph import build_wavelength_graph

    graph = build_wavelength_graph(torch.linspace(1.95, 3.9, 282))
    works = {}
    for layer_name, kind in GRAPH_LAYERS.items():
        for backend in ("dense", "fixed_k", "index_add", "torch_scatter"):
            try:
                layer = kind(64, heads=4, backend=backend)
            except DataError:  # torch_scatter is not installed
                continue
            h = torch.randn(16, 282, 64, requires_grad=True)
            works[f"{layer_name}_{backend}"] = lambda layer=layer, h=h: layer(h, graph).sum().backward()
    return best_of(works, rounds=rounds)


def training_step(size: str, *, batch: int, time_steps: int = 187, device: str = "cpu"):
    """(step, model) for one training step of a size: forward, composite loss, backward, AdamW."""
    from spectramind_kit.configs import load_config
    from spectramind_kit.configs.target import instantiate, to_plain
    from spectramind_kit.models import build_model, example_batch

    config = load_config(overrides=[f"model/size={size}"])
    model = build_model(config.model).to(device).train()
    loss = instantiate(to_plain(config.loss), where="loss")
    data = {k: v.to(device) for k, v in example_batch(batch, time_steps=time_steps).items()}
    optimiser = torch.optim.AdamW(model.parameters(), 1e-4)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(device, dtype=torch.float16, enabled=device == "cuda"):
            output = model(data)
        loss(output, data, epoch=9).total.backward()
        optimiser.step()

    return step, model


def gflop_of(step) -> float:
    """Matrix products and convolutions of one call, 1e9 multiplications and additions."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops() / 1e9


def step_work(size: str, batch: str):
    """One training step, warmed up on a short input."""
    training_step(size, batch=1, time_steps=8)[0]()
    return training_step(size, batch=int(batch))[0]


def step_figures(sizes: tuple[str, ...], *, batch: int, rounds: int) -> dict:
    """Parameters, GFLOP, memory and CPU seconds of a training step, T 187."""
    found = {}
    for size in sizes:
        step, model = training_step(size, batch=batch)
        found[size] = {
            "parameters": model.n_parameters()["total"],
            "step_gflop": gflop_of(step),
            "step_cpu_s": best_of({"step": step}, rounds=rounds)["step"],
            "step_peak_mb": growth_mb(__file__, "step_work", size, str(batch)),
        }
    return found


# ---------------------------------------------------------------- on a GPU


def gpu_seconds(work, *, rounds: int = 20) -> float:
    for _ in range(3):
        work()
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(rounds):
        work()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / rounds


def gpu_figures() -> dict:
    """Our scans against mamba_ssm's kernels; the share of the measured matmul rate that `base` reaches."""
    from spectramind_kit.models.scan import resolve_scan_backend, run_scan

    found: dict = {"device": torch.cuda.get_device_name()}
    for name, form, chunk in (("mamba1", "mamba1", 16), ("ssd", "mamba2", 64)):
        inputs = scan_inputs(name, **SCAN_SHAPE, device="cuda")
        backends = {"torch", resolve_scan_backend("auto", form=form, device=torch.device("cuda"))}
        for backend in sorted(backends):
            found[f"{name}_{backend}_s"] = gpu_seconds(
                partial(forward_backward, partial(run_scan, form, backend=backend, chunk=chunk), inputs)
            )
    step, _ = training_step("base", batch=16, device="cuda")
    square = torch.randn(4096, 4096, device="cuda", dtype=torch.float16)
    peak = 2 * 4096**3 / gpu_seconds(lambda: square @ square)
    found["base_step_s"] = gpu_seconds(step)
    found["fraction_of_peak"] = gflop_of(step) * 1e9 / found["base_step_s"] / peak
    found["base_peak_memory_mb"] = torch.cuda.max_memory_allocated() / 1e6
    return found


def run(*, quick: bool = False) -> dict:
    """All figures of this benchmark; ``quick`` takes fewer rounds and leaves `large` out."""
    torch.set_num_threads(1)
    rounds = 3 if quick else 7
    figures = scan_figures(rounds=rounds)
    figures["scan_peak_mb"] = {
        name: growth_mb(__file__, "scan_work", name)
        for name in ("mamba1_loop", "mamba1", "mamba2_loop", "ssd")
    }
    figures["graph_cpu_s"] = graph_figures(rounds=rounds)
    sizes = ("small", "base") if quick else ("small", "base", "large")
    figures["batch_16"] = step_figures(sizes, batch=16, rounds=1 if quick else 3)
    figures["base_step_cpu_s"] = figures["batch_16"]["base"]["step_cpu_s"]
    if torch.cuda.is_available():
        figures["gpu"] = gpu_figures()
    return figures
