"""One encoder, one budget, eight decoders: what upsampling costs, and what it paints."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.data import Batches, Shapes
from minifcn.data.transforms import denormalise
from minifcn.experiments.experiment import Experiment, Result, Settings, Table
from minifcn.experiments.fitting import fit
from minifcn.experiments.upsampling import measures
from minifcn.experiments.upsampling.findings import conclude
from minifcn.experiments.upsampling.measures import HeldOut, Outcome, mean
from minifcn.experiments.upsampling.pictures import (
    Row,
    plot_checkerboards,
    plot_decoders,
    plot_unpooling,
)
from minifcn.models.decoders import DECODERS
from minifcn.models.segnet import EncoderDecoder

SIZE = (64, 64)
"""Of the scenes; a stroke is 3 to 5 pixels wide, less than the stride of 8."""
SCENES = 200
"""Held out, to measure on."""
ITERATIONS, BATCH_SIZE, LR = 400, 8, 1e-2
WIDTHS, DEPTHS = (24, 24, 24), (1, 2, 3)
"""Equal widths, so that a transposed convolution can start bilinear."""

LABELS = {
    "bilinear": "fixed bilinear",
    "transposed_k4_bilinear": "transposed k4 s2, bilinear start",
    "transposed_k4": "transposed k4 s2, random start",
    "transposed_k3": "transposed k3 s2, random start",
    "nearest_convolution": "nearest + convolution",
    "bilinear_convolution": "bilinear + convolution",
    "unpooling": "unpooling + convolution (SegNet)",
    "bed_of_nails": "bed of nails + convolution",
}


@dataclass(frozen=True)
class Shown:
    """What the pictures show of one network: its logits (6, H, W) on a scene, before and after."""

    model: EncoderDecoder
    before: np.ndarray
    after: np.ndarray


def run(settings: Settings) -> Result:
    """Train every decoder with every seed; measure boundaries and checkerboards."""
    held_out = HeldOut.draw(Shapes("val", SCENES, SIZE))
    outcomes: dict[str, list[Outcome]] = {decoder: [] for decoder in DECODERS}
    shown: dict[str, Shown] = {}
    for seed in settings.seeds:
        for decoder in DECODERS:
            outcome, model_shown = train_and_measure(decoder, seed, held_out, settings)
            outcomes[decoder].append(outcome)
            shown.setdefault(decoder, model_shown)
            settings.say(
                f"seed {seed}, {LABELS[decoder]}: mean IU {outcome.mean_iu:.3f}"
                f" after {outcome.seconds:.0f} s"
            )
    return Result(
        tables(outcomes, held_out),
        conclude(outcomes, held_out, LABELS),
        draw(settings.out, outcomes, shown, held_out),
    )


def train_and_measure(
    decoder: str, seed: int, held_out: HeldOut, settings: Settings
) -> tuple[Outcome, Shown]:
    """Train a network with one decoder; the seed fixes the encoder's start and the batches."""
    model = make_model(decoder, seed)
    measures.set_equal(model)
    equal = measures.logits(model, held_out.images)
    model = make_model(decoder, seed)
    before = measures.logits(model, held_out.images)
    batches = Batches(Shapes("train", size=SIZE), BATCH_SIZE, flip=True, seed=seed)
    began = time.perf_counter()
    fit(model, batches.batch, settings.iterations(ITERATIONS), LR)
    seconds = time.perf_counter() - began
    after = measures.logits(model, held_out.images)
    outcome = measures.outcome(model, held_out, equal, before, after, seconds)
    scene = held_out.most_varied()
    return outcome, Shown(model, before[scene], after[scene])


def make_model(decoder: str, seed: int) -> EncoderDecoder:
    """Build the network that this experiment compares decoders in, untrained."""
    generator = np.random.default_rng(seed)
    model = EncoderDecoder(
        len(Shapes.classes), decoder, widths=WIDTHS, depths=DEPTHS, generator=generator
    )
    model.eval()
    return model


# -- Tables --------------------------------------------------------------------------------------


def tables(outcomes: dict[str, list[Outcome]], held_out: HeldOut) -> dict[str, Table]:
    """Means over the seeds: the decoders, their checkerboards, and SegNet's switches."""
    return {
        "decoders": decoder_table(outcomes, held_out),
        "checkerboards": checkerboard_table(outcomes, held_out),
        "switches": switch_table(outcomes),
    }


def decoder_table(outcomes: dict[str, list[Outcome]], held_out: HeldOut) -> Table:
    """How well each decoder segments, and what it costs."""
    rows = [
        {
            "decoder": LABELS[decoder],
            "mean IU": mean(own, "mean_iu"),
            "lowest": min(outcome.mean_iu for outcome in own),
            "highest": max(outcome.mean_iu for outcome in own),
            "band IU": mean(own, "band_iu"),
            "boundary IU": mean(own, "boundary_iu"),
            "Q trained": mean(own, "trained_8"),
            "U trained": mean(own, "trained_u8"),
            "parameters": own[0].parameters,
            "seconds": mean(own, "seconds"),
        }
        for decoder, own in outcomes.items()
    ]
    note = (
        f"Means over the seeds ({len(outcomes['bilinear'])}); lowest and highest: their mean IU."
        f" Background everywhere has mean IU {held_out.baseline():.3f}.\n"
        f"Band IU: mean IU of the pixels within {measures.RADIUS} of a true boundary. Boundary IU:"
        f" of rims {measures.RADIUS} pixels wide.\n"
        "Q trained: the phase means' share of the logits' variance, period 8; U: that of their"
        " means and spreads. Parameters: of the decoder."
    )
    return Table("One encoder, eight decoders", rows, {"seconds": ".1f"}, note)


def checkerboard_table(outcomes: dict[str, list[Outcome]], held_out: HeldOut) -> Table:
    """Q with all weights equal, at the start and after training; and for a grey image."""
    rows = [
        {
            "decoder": LABELS[decoder],
            **{
                f"{state} Q{period}": mean(own, f"{state}_{period}")
                for state in ("equal", "start", "trained")
                for period in (2, 8)
            },
            **{f"{state} U8": mean(own, f"{state}_u8") for state in ("equal", "start", "trained")},
            "trained E8": mean(own, "trained_e8"),
            "grey": mean(own, "grey"),
        }
        for decoder, own in outcomes.items()
    ]
    rows.append(dict.fromkeys(rows[0]) | truth_row(held_out))
    note = (
        "Q: the variance of the phase means over the variance of the logits, by scene and class;"
        " Q2: of a\nperiod of 2 pixels (the last stage), Q8: of 8 (all three). U8: the same with"
        " the variance of the phases'\nstandard deviations added to that of their means. E8: such a"
        " share of what differs from the means of\n8 x 8 pixels, resized bilinearly. Equal: the"
        " decoder's weights are all alike, so that what shows is\nhow windows overlap; start: as"
        " drawn; trained. Grey: how much the trained network's logits vary inside\nan image of one"
        " colour, where all variation is the decoder's, over how much they do on scenes; both\nthe"
        " root of the mean, over scenes and classes, of the variance within a plane."
    )
    formats = {name: ".4f" for name in rows[0] if name != "decoder"}
    return Table("Checkerboards in the logits", rows, formats, note)


def truth_row(held_out: HeldOut) -> dict[str, Any]:
    """What the scenes themselves have, as logits of 0 and 1: where a trained network aims."""
    truth = held_out.one_hot()
    return {
        "decoder": "the truth itself (content only)",
        "trained Q2": measures.checkerboard(truth, 2),
        "trained Q8": measures.checkerboard(truth, 8),
        "trained U8": measures.unevenness(truth, 8),
        "trained E8": measures.error(truth, 8),
    }


def switch_table(outcomes: dict[str, list[Outcome]]) -> Table:
    """What the stored switches are worth to a network, and whether one can learn without."""
    with_switches, without = outcomes["unpooling"], outcomes["bed_of_nails"]
    rows = [
        {
            "unpooling": "trained and run with switches",
            "mean IU": mean(with_switches, "mean_iu"),
            "boundary IU": mean(with_switches, "boundary_iu"),
        },
        {
            "unpooling": "the same networks, switches thrown away",
            "mean IU": mean(with_switches, "iu_without_switches"),
            "boundary IU": mean(with_switches, "boundary_iu_without_switches"),
        },
        {
            "unpooling": "trained and run without",
            "mean IU": mean(without, "mean_iu"),
            "boundary IU": mean(without, "boundary_iu"),
        },
    ]
    return Table("What the switches are worth", rows)


# -- Pictures ------------------------------------------------------------------------------------


def draw(
    folder: Path, outcomes: dict[str, list[Outcome]], shown: dict[str, Shown], held_out: HeldOut
) -> list[Path]:
    """Draw the held-out scene with most classes, the first of those, as the first seed sees it."""
    names = ("decoders", "checkerboards", "unevenness", "unpool")
    paths = [folder / f"upsampling-{name}.png" for name in names]
    scene = held_out.most_varied()
    image, truth = denormalise(held_out.images[scene]), held_out.truths[scene]
    drawn = [
        Row(LABELS[decoder], numbers(outcomes[decoder][0]), own.before, own.after)
        for decoder, own in shown.items()
    ]
    plot_decoders(paths[0], image, truth, drawn, Shapes.classes, Shapes.palette)
    scores = by_decoder(outcomes, "mean_iu")
    floor = truth_row(held_out)
    plot_checkerboards(paths[1], by_state(outcomes, "8"), scores, floor["trained Q8"])
    uneven = by_state(outcomes, "u8")
    plot_checkerboards(paths[2], uneven, scores, floor["trained U8"], "unevenness U")
    maps = measures.unpooled(shown["unpooling"].model, held_out.images[scene])
    plot_unpooling(paths[3], image, *maps)
    return paths


def by_state(outcomes: dict[str, list[Outcome]], measure: str) -> dict[str, dict[str, list[float]]]:
    """Return a measure of each seed, by state and by the decoder's label."""
    states = ("equal", "start", "trained")
    return {state: by_decoder(outcomes, f"{state}_{measure}") for state in states}


def by_decoder(outcomes: dict[str, list[Outcome]], name: str) -> dict[str, list[float]]:
    """Return one number of each seed, by the decoder's label."""
    return {LABELS[d]: [getattr(o, name) for o in own] for d, own in outcomes.items()}


def numbers(outcome: Outcome) -> str:
    """Write the numbers that stand beside a decoder's pictures."""
    checkerboards = f"Q {outcome.start_8:.3f}, then {outcome.trained_8:.3f}"
    unevenness = f"U {outcome.start_u8:.3f}, then {outcome.trained_u8:.3f}"
    return f"mean IU {outcome.mean_iu:.3f}\n{checkerboards}\n{unevenness}"


EXPERIMENT = Experiment(
    "eight ways to upsample behind one encoder: scores, boundaries, checkerboards",
    run,
    seeds=2,
    minutes=7,
)
