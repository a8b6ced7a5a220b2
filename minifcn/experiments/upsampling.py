"""Placeholder: replaced by the experiment."""

from minifcn.experiments.experiment import Experiment, Result, Settings


def run(settings: Settings) -> Result:
    """Do nothing yet."""
    raise NotImplementedError


EXPERIMENT = Experiment("to be written", run)
