"""The findings of the experiment `transfer`: sentences that its numbers say."""

from __future__ import annotations

from minifcn.experiments.transfer.tables import Curves, Photos, counts_of, mean_ius
from minifcn.experiments.transfer.training import FINE_TUNED, FROM_SCRATCH, FROZEN, SMALL


def conclude(curves: Curves, photos: Photos) -> list[str]:
    """Return all findings, in the order of the tables."""
    return [
        worth(curves),
        as_good_as(curves),
        frozen(curves),
        small(curves),
        on_photos(photos),
    ]


def worth(curves: Curves) -> str:
    """Say what pretraining adds with the fewest and with the most images."""
    counts = counts_of(curves)
    texts = []
    for count in dict.fromkeys((counts[0], counts[-1])):
        tuned, scratch = (mean_ius(curves, s, count).mean() for s in (FINE_TUNED, FROM_SCRATCH))
        texts.append(f"{tuned - scratch:+.3f} with {count} images ({scratch:.3f} to {tuned:.3f})")
    return f"Pretraining, fine-tuned, is worth {', '.join(texts)} mean IU of the same network."


def as_good_as(curves: Curves) -> str:
    """Say how many images the fine-tuned network needs to reach the best one from scratch."""
    counts = counts_of(curves)
    best = max(mean_ius(curves, s, n).mean() for s in (FROM_SCRATCH, SMALL) for n in counts)
    enough = [n for n in counts if mean_ius(curves, FINE_TUNED, n).mean() >= best]
    if not enough:
        return f"From scratch, up to {best:.3f} is reached; fine-tuned stays below that."
    return (
        f"From scratch, with up to {counts[-1]} images and either network, up to {best:.3f} is"
        f" reached; fine-tuned reaches that with {enough[0]} images."
    )


def frozen(curves: Curves) -> str:
    """Say how much of the fine-tuned network's score the frozen one has, in which time."""
    counts = counts_of(curves)
    shares = [
        mean_ius(curves, FROZEN, n).mean() / mean_ius(curves, FINE_TUNED, n).mean() for n in counts
    ]
    times = [
        sum(run.seconds for runs in curves for (name, _), run in runs.items() if name == start)
        for start in (FROZEN, FINE_TUNED)
    ]
    texts = [f"{share:.0%} with {n}" for n, share in zip(counts, shares, strict=True)]
    return (
        f"Frozen, the network has of the fine-tuned one's mean IU {', '.join(texts)} images, after"
        f" {times[0] / times[1]:.0%} of the time."
    )


def small(curves: Curves) -> str:
    """Compare with the small network that knows nothing."""
    counts = counts_of(curves)
    texts = []
    for count in counts:
        own, tuned = (mean_ius(curves, s, count).mean() for s in (SMALL, FINE_TUNED))
        texts.append(f"{own - tuned:+.3f} with {count}")
    return f"The small network, from scratch, beside the fine-tuned one: {', '.join(texts)} images."


def on_photos(photos: Photos) -> str:
    """Say how the networks end on the held-out photos, the best one first."""
    ranked = sorted(photos.items(), key=lambda pair: -pair[1].matrix.mean_iu)
    texts = [f"{name} {run.matrix.mean_iu:.3f} ({run.seconds:.0f} s)" for name, run in ranked]
    seconds = sum(run.seconds for run in photos.values())
    return f"Twenty photos: mean IU {', '.join(texts)}; {seconds:.0f} s of training in all."
