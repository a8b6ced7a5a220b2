"""What the experiment on upsampling found, in sentences made from its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from minifcn.experiments.upsampling.measures import (
    HeldOut,
    Outcome,
    checkerboard,
    mean,
    unevenness,
)

Outcomes = Mapping[str, Sequence[Outcome]]

STATES = {
    "equal": "with equal weights in the decoder",
    "start": "before training",
    "trained": "after training",
}
RIVALS = (
    "transposed_k4",
    "transposed_k4_bilinear",
    "nearest_convolution",
    "bilinear_convolution",
)
"""Whose checkerboards the theory expects to be weaker than those of k3 s2."""
TWINS = ("transposed_k3", "bed_of_nails")
"""One function, written in two ways: only chance can tell them apart."""


def conclude(outcomes: Outcomes, held_out: HeldOut, labels: Mapping[str, str]) -> list[str]:
    """Say which decoder scored best, which paints checkerboards, what the switches are worth."""
    return [
        ranking(outcomes, labels),
        boundaries(outcomes, labels),
        *(overlap(outcomes, state, labels) for state in STATES),
        content(outcomes, held_out, labels),
        spreads(outcomes, held_out, labels),
        twins(outcomes),
        switches(outcomes),
    ]


def ranking(outcomes: Outcomes, labels: Mapping[str, str]) -> str:
    """List the decoders by mean IU."""
    means = {decoder: mean(outcomes[decoder], "mean_iu") for decoder in outcomes}
    best_first = sorted(means, key=lambda decoder: -means[decoder])
    listed = "; ".join(f"{labels[decoder]} {means[decoder]:.3f}" for decoder in best_first)
    return f"Mean IU, best first: {listed}."


def boundaries(outcomes: Outcomes, labels: Mapping[str, str]) -> str:
    """Compare the order at the boundaries with the order over all pixels."""
    best = {
        name: max(outcomes, key=lambda decoder: mean(outcomes[decoder], name))
        for name in ("mean_iu", "band_iu", "boundary_iu")
    }
    if len(set(best.values())) == 1:
        return f"{_capital(labels[best['mean_iu']])} is best at the boundaries, too."
    return (
        f"Best over all pixels is {labels[best['mean_iu']]}, within the band around the boundaries"
        f" {labels[best['band_iu']]}, by boundary IU {labels[best['boundary_iu']]}."
    )


def overlap(outcomes: Outcomes, state: str, labels: Mapping[str, str]) -> str:
    """Compare the checkerboard of k3 s2 with those that should be weaker, seed by seed."""
    name = f"{state}_8"
    own = [getattr(outcome, name) for outcome in outcomes["transposed_k3"]]
    parts = []
    for rival in RIVALS:
        others = [getattr(outcome, name) for outcome in outcomes[rival]]
        wins = sum(a > b for a, b in zip(own, others, strict=True))
        parts.append(f"{labels[rival]} ({np.mean(others):.3f}) in {wins} of {len(own)}")
    return (
        f"{_capital(STATES[state])}, Q of transposed k3 s2 is {np.mean(own):.3f}. Seeds in which it"
        f" is larger than that of another: {'; '.join(parts)}."
    )


def content(outcomes: Outcomes, held_out: HeldOut, labels: Mapping[str, str]) -> str:
    """Say which decoders' Q is larger than what the scenes themselves have."""
    floor = checkerboard(held_out.one_hot(), 8)
    means = {decoder: mean(outcomes[decoder], "trained_8") for decoder in outcomes}
    above = [f"{labels[decoder]} ({q:.3f})" for decoder, q in means.items() if q > floor]
    return (
        f"The truth itself, as logits of 0 and 1, has Q {floor:.3f}: content alone. Trained"
        f" decoders above it: {'; '.join(above) or 'none'}."
    )


def spreads(outcomes: Outcomes, held_out: HeldOut, labels: Mapping[str, str]) -> str:
    """Say which decoders' U, of means and spreads, is larger than the scenes' own; and E of all."""
    floor = unevenness(held_out.one_hot(), 8)
    means = {decoder: mean(outcomes[decoder], "trained_u8") for decoder in outcomes}
    above = [f"{labels[decoder]} ({u:.3f})" for decoder, u in means.items() if u > floor]
    errors = {decoder: mean(outcomes[decoder], "trained_e8") for decoder in outcomes}
    least, most = min(errors, key=errors.__getitem__), max(errors, key=errors.__getitem__)
    return (
        f"With the phases' spreads (U), the truth itself has {floor:.3f}; trained decoders above"
        f" it: {'; '.join(above) or 'none'}. Of what bilinear resizing does not explain (E),"
        f" {labels[least]} has least ({errors[least]:.4f}), {labels[most]} most"
        f" ({errors[most]:.4f})."
    )


def twins(outcomes: Outcomes) -> str:
    """Measure chance: two of the decoders are one function, drawn twice."""
    first, second = (mean(outcomes[decoder], "mean_iu") for decoder in TWINS)
    return (
        "Transposed k3 s2 and bed of nails with a 3x3 convolution compute the same function, from"
        f" other random weights: their mean IU is {first:.3f} and {second:.3f}, and"
        f" {chance(outcomes):.3f} apart at most in a seed. Smaller differences between decoders say"
        " little."
    )


def chance(outcomes: Outcomes) -> float:
    """Return how far apart in mean IU the twins are, in the seed where that is most."""
    first, second = ([o.mean_iu for o in outcomes[decoder]] for decoder in TWINS)
    return float(np.abs(np.subtract(first, second)).max())


def switches(outcomes: Outcomes) -> str:
    """Compare unpooling with switches, without, and with switches thrown away after training."""
    pairs = list(zip(outcomes["unpooling"], outcomes["bed_of_nails"], strict=True))
    wins = sum(with_switches.mean_iu > without.mean_iu for with_switches, without in pairs)
    own, without = (mean(outcomes[d], "mean_iu") for d in ("unpooling", "bed_of_nails"))
    blind = mean(outcomes["unpooling"], "iu_without_switches")
    ties = mean(outcomes["unpooling"], "ties")
    verb = "gains" if own > without else "loses"
    more = "more" if abs(own - without) > chance(outcomes) else "no more"
    return (
        f"Unpooling {verb} {abs(own - without):.3f} mean IU by its stored switches over a bed of"
        f" nails ({own:.3f} and {without:.3f}; ahead in {wins} of {len(pairs)} seeds), {more} than"
        f" the {chance(outcomes):.3f} that chance made between two networks that compute the"
        " same function. A network that was trained with switches and gets a bed of nails instead"
        f" has {blind:.3f}. {ties:.0%} of the first pooling's windows are all 0 behind the relu:"
        " there a switch is the upper left pixel, and tells nothing."
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
