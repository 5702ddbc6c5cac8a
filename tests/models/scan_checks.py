"""What a fast scan must do, whichever recurrence it is: equal the step-by-step loop of `scan_reference`."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import pytest
import torch

LENGTHS = (1, 3, 32, 33, 64, 187, 256, 300)


def output_and_gradients(scan, inputs, *, weight, **settings):
    inputs = [t.clone().requires_grad_() for t in inputs]
    y = scan(*inputs, **settings)
    (y.double() * weight).sum().backward()
    return [y.detach(), *(t.grad for t in inputs)]


def worst(found, wanted) -> float:
    """Largest error, relative to the largest value, over the output and all gradients."""
    return max(
        float((f.double() - w).abs().max() / w.abs().max().clamp(min=1e-30)) for f, w in zip(found, wanted)
    )


class ScanChecks:
    """Tests of one fast scan. A subclass names it, the reference, and what makes inputs of a length."""

    fast: Callable[..., torch.Tensor]
    reference: Callable[..., torch.Tensor]
    inputs: Callable[..., tuple[torch.Tensor, ...]]
    smallest: ClassVar[dict[str, int]]  # sizes for finite differences

    @pytest.mark.parametrize("length", LENGTHS)
    def test_fast_equals_sequential(self, length):
        """Guards against a fast path that is wrong at a chunk's edge, at the end of a series, or in one
        gradient."""
        make, reference, fast = self.inputs, self.reference, self.fast
        inputs = make(length)
        weight = torch.randn(inputs[0].shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        wanted = output_and_gradients(reference, inputs, weight=weight)
        assert worst(output_and_gradients(fast, inputs, weight=weight), wanted) < 1e-12
        single = output_and_gradients(fast, [t.float() for t in inputs], weight=weight)
        assert single[0].dtype == torch.float32
        assert worst(single, wanted) < 1e-5

    @pytest.mark.parametrize("chunk", (1, 7, 50, 1000))
    def test_the_chunk_changes_nothing(self, chunk):
        """Guards against a result that depends on how the series is cut."""
        make, reference, fast = self.inputs, self.reference, self.fast
        inputs = make(150)
        weight = torch.ones_like(inputs[0])
        assert (
            worst(
                output_and_gradients(fast, inputs, weight=weight, chunk=chunk),
                output_and_gradients(reference, inputs, weight=weight),
            )
            < 1e-12
        )

    def test_gradcheck(self):
        """Guards against an error that both forms share: the gradient against finite differences."""
        make, fast = self.inputs, self.fast
        inputs = tuple(t.requires_grad_() for t in make(7, batch=1, **self.smallest))
        assert torch.autograd.gradcheck(lambda *t: fast(*t, chunk=3), inputs)

    @pytest.mark.parametrize("half", (torch.float16, torch.bfloat16))
    def test_half_precision_inputs_stay_close(self, half):
        """Guards against NaN or lost digits of state-space layers in half precision: the scan itself runs in
        fp32."""
        make, reference, fast = self.inputs, self.reference, self.fast
        inputs = make(187)
        weight = torch.ones_like(inputs[0])
        wanted = output_and_gradients(reference, inputs, weight=weight)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = output_and_gradients(fast, [t.to(half) for t in inputs], weight=weight)
        assert found[0].dtype == torch.float32 and all(t.isfinite().all() for t in found)
        assert float((found[0] - wanted[0]).norm() / wanted[0].norm()) < 2e-2

    @pytest.mark.parametrize("big", (0.0, 1e-8, 50.0, 1e4))
    def test_extreme_steps(self, big):
        """Guards against overflow of exp or NaN gradients: a step so long that all is forgotten, or none at
        all."""
        make, reference, fast = self.inputs, self.reference, self.fast
        x, dt, *rest = make(70)
        inputs = (x, torch.full_like(dt, big), *rest)
        weight = torch.ones_like(x)
        wanted = output_and_gradients(reference, inputs, weight=weight)
        found = output_and_gradients(fast, [t.float() for t in inputs], weight=weight)
        assert all(t.isfinite().all() for t in found)
        assert float((found[0].double() - wanted[0]).abs().max() / wanted[0].abs().max()) < 1e-5

    def test_strided_inputs_and_gradients(self):
        """Guards against a custom backward that assumes contiguous memory."""
        make, reference, fast = self.inputs, self.reference, self.fast
        inputs = make(40)
        x = inputs[0].transpose(0, 1).contiguous().transpose(0, 1)
        assert not x.is_contiguous()
        weight = torch.randn_like(x).flip(1)
        assert (
            worst(
                output_and_gradients(fast, (x, *inputs[1:]), weight=weight),
                output_and_gradients(reference, inputs, weight=weight),
            )
            < 1e-12
        )

    def test_expanded_gradient_of_a_plain_sum(self):
        """Guards against a stride-0 gradient (``y.sum()``) breaking in-place arithmetic."""
        make, reference, fast = self.inputs, self.reference, self.fast
        grads = []
        for scan in (reference, fast):
            inputs = [t.clone().requires_grad_() for t in make(20)]
            scan(*inputs).sum().backward()
            grads.append([t.grad for t in inputs])
        assert worst(grads[1], grads[0]) < 1e-12
