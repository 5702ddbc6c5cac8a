"""The head of the direct prediction: a spectrum for each planet out of the readings of its visits."""

from __future__ import annotations

import pytest
import torch

from spectramind_kit.detector.instrument import N_BINS
from spectramind_kit.errors import ConfigError
from spectramind_kit.models import DirectHead
from spectramind_kit.models.direct_head import LinearExperts

WIDTH, READINGS, ROWS = 16, 4, 5
WAVELENGTH = torch.cat([torch.tensor([0.7]), torch.linspace(1.95, 3.895, N_BINS - 1)])


def make_head(**settings) -> DirectHead:
    """As it is after some training: no layer is zero; in float64, so that differences are not rounding."""
    torch.manual_seed(0)
    head = DirectHead(width=WIDTH, readings=READINGS, **settings).eval().double()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return head


def visits(planets=(0, 1, 2, 1, 3), *, seed: int = 0) -> dict[str, torch.Tensor]:
    """What a head is given of visits, the second and fourth of one planet unless told otherwise."""
    rng, rows = torch.Generator().manual_seed(seed), len(planets)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(rows, *shape, generator=rng, dtype=torch.float64)

    depth = 0.0147 * torch.exp(0.3 * normal(1)).expand(-1, N_BINS)
    return {
        "fused": normal(N_BINS, WIDTH),
        "readings": normal(N_BINS, READINGS),
        "visit_of": torch.tensor(planets),
        "reference_depth": depth,
        "reference_err": depth / 30.0,
    }


def said(head: DirectHead, given: dict[str, torch.Tensor]):
    with torch.no_grad():
        return head(**given, wavelength_um=WAVELENGTH)


def of_rows(given: dict[str, torch.Tensor], rows: list[int]) -> dict[str, torch.Tensor]:
    return {name: value[rows] for name, value in given.items()}


def same(found, wanted, rows=slice(None)):
    torch.testing.assert_close(found.depth_mean, wanted.depth_mean[rows], rtol=1e-9, atol=0)
    torch.testing.assert_close(found.depth_sigma, wanted.depth_sigma[rows], rtol=1e-9, atol=0)


def test_the_visits_of_a_planet_give_one_spectrum():
    """Guards against a planet with two answers, and against a mean over planets that have nothing to do with
    each other."""
    output = said(make_head(), visits())
    assert torch.equal(output.depth_mean[1], output.depth_mean[3])
    assert torch.equal(output.depth_sigma[1], output.depth_sigma[3])
    assert len({float(depth) for depth in output.depth_mean[:, 9]}) == 4
    assert (output.depth_sigma > 0).all() and output.depth_mean.dtype == torch.float64


def test_the_order_and_the_company_of_visits_do_not_matter():
    """Guards against visits that are told apart by their place, and planets that see their neighbours."""
    head, given, order = make_head(), visits(), [3, 2, 4, 0, 1]
    wanted = said(head, given)
    same(said(head, of_rows(given, order)), wanted, order)
    same(said(head, of_rows(given, [1, 3])), wanted, [1, 3])
    numbered = given | {"visit_of": torch.tensor([90, 7, 20, 7, 3])}
    same(said(head, numbered), wanted)


def test_a_second_visit_counts():
    """Guards against a planet of two visits that is told by one, and against an error that does not know of
    how many visits it is."""
    head, given = make_head(), visits()
    wanted = said(head, given)
    changed = given["readings"].clone()
    changed[3] += 0.5
    moved = said(head, given | {"readings": changed}).depth_mean - wanted.depth_mean
    assert (moved.abs().amax(1) > 0).tolist() == [False, True, False, True, False]
    once, twice = (of_rows(given, rows) for rows in ([1], [1, 1]))
    log_scale = [said(head, rows).log_scale[0] for rows in (once, twice)]
    assert not torch.allclose(*log_scale), "the same visit seen twice is better known"


def test_delta_is_linear_in_the_readings_of_all_bins_where_no_layer_bends_them():
    """Guards against readings whose digits are lost on the way: beside the corrections of layers that see
    them clamped, delta is a linear map."""
    head, given = make_head(graph_depth=0), visits()
    with torch.no_grad():
        head.embed.weight.zero_()

    def delta(readings: torch.Tensor) -> torch.Tensor:
        return said(head, given | {"readings": readings}).delta

    one, zero = given["readings"], torch.zeros_like(given["readings"])
    twice = delta(2.0 * one) - delta(zero)
    torch.testing.assert_close(twice, 2.0 * (delta(one) - delta(zero)), rtol=1e-9, atol=1e-12)
    far = zero.clone()
    far[:, 200] = 1.0
    assert ((delta(far) - delta(zero)).abs() > 1e-9)[:, [0, 10, 200, 282]].all(), "experts mix wavelengths"


@pytest.mark.parametrize("settings", [{"experts": 0}, {"graph_depth": 0}, {"experts": 0, "graph_depth": 0}])
def test_parts_can_be_left_out(settings):
    """Guards against a head that needs its experts or its graph."""
    head = make_head(**settings)
    output = said(head, visits())
    assert output.depth_mean.isfinite().all() and (head.experts is None) == ("experts" in settings)


def test_without_experts_and_graph_bins_move_together_or_alone():
    """Guards against a way from one wavelength to another that is not said: the planet's level is the only
    one left."""
    head, given = make_head(experts=0, graph_depth=0), visits()
    changed = given["readings"].clone()
    changed[:, 50] += 1.0
    moved = said(head, given | {"readings": changed}).delta - said(head, given).delta
    others = moved[:, torch.arange(N_BINS) != 50]
    torch.testing.assert_close(others, others[:, :1].expand_as(others), rtol=1e-6, atol=1e-12)
    assert ((moved[:, 50] - others[:, 0]).abs() > 1e-3).all()


def test_the_unit_of_the_correction_is_the_reference_error():
    """Guards against depths that depend on the unit that they are written in."""
    head, given = make_head(), visits()
    wanted = said(head, given)
    scaled = {name: 3.0 * given[name] for name in ("reference_depth", "reference_err")}
    found = said(head, given | scaled)
    torch.testing.assert_close(found.depth_mean, 3.0 * wanted.depth_mean, rtol=1e-9, atol=0)
    torch.testing.assert_close(found.depth_sigma, 3.0 * wanted.depth_sigma, rtol=1e-9, atol=0)


def test_errors_stay_within_their_bound():
    """Guards against an error that runs away over one wild visit."""
    head, given = make_head(log_scale_bound=1.5), visits((0, 1, 2))
    with torch.no_grad():
        head.level.weight.mul_(1e4)
    output = said(head, given | {"fused": 1e4 * given["fused"]})
    log_ratio = (output.depth_sigma / given["reference_err"]).log().abs()
    assert 1.4 < log_ratio.max() <= 1.5001


def test_the_graph_follows_the_wavelengths():
    """Guards against messages along the order in memory, or along the graph of an earlier grid."""
    head, given = make_head(experts=0), visits()
    order = torch.cat([torch.tensor([0]), 1 + torch.randperm(N_BINS - 1)])
    wanted = said(head, given)
    turned = {n: v if n == "visit_of" else v[:, order] for n, v in given.items()}
    with torch.no_grad():
        found = head(**turned, wavelength_um=WAVELENGTH[order])
    torch.testing.assert_close(found.depth_mean, wanted.depth_mean[:, order], rtol=1e-9, atol=0)


def test_a_gate_decides_among_the_experts():
    """Guards against experts that all say the same: one whose share is 1 says all there is."""
    torch.manual_seed(0)
    experts = LinearExperts(readings=READINGS, experts=3, rank=2, context=WIDTH)
    readings, context = torch.randn(2, N_BINS, READINGS), torch.zeros(2, WIDTH)
    alone = []
    for chosen in range(3):
        with torch.no_grad():
            experts.gate.bias.copy_(torch.full((3,), -1e3)).index_fill_(0, torch.tensor(chosen), 0.0)
            alone.append(experts(readings, context))
    assert not torch.allclose(alone[0], alone[1]) and not torch.allclose(alone[1], alone[2])
    with torch.no_grad():
        experts.gate.bias.zero_()
        torch.testing.assert_close(experts(readings, context), sum(alone) / 3, rtol=1e-4, atol=1e-6)


def test_without_readings_there_is_nothing_to_predict_from():
    """Guards against model.size.readings=0, which would leave the direct prediction without light curves."""
    with pytest.raises(ConfigError, match="needs readings"):
        DirectHead(width=WIDTH, readings=0)
