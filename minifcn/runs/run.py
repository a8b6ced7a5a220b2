"""A training run in its folder: it can be stopped anywhere, and goes on bit for bit.

A batch is a function of the seed and the iteration (data/batches.py), and the rest of a run's
state, weights, optimiser, running statistics, generator, best score, is in last.safetensors. So
going on from a checkpoint computes exactly what the run would have computed without the stop.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import numpy as np

from minifcn import nn, optim
from minifcn.backend import choose_device
from minifcn.data import Ahead, Batches, Track
from minifcn.metrics import ConfusionMatrix
from minifcn.runs.checkpoint import (
    check_finite,
    generator_state,
    load_model,
    renamed,
    restore_generator,
    with_prefix,
)
from minifcn.runs.config import Config
from minifcn.runs.data import RECORD, RunData, open_new, open_recorded
from minifcn.runs.folders import (
    STARTED,
    Lock,
    check_unused,
    make_folder,
    remove_empty,
    remove_files,
    stamp,
)
from minifcn.runs.interrupt import Interrupted, TrainingDivergedError, stop_requests
from minifcn.runs.log import LOG_COLUMNS, format_log, format_row, read_log, read_row
from minifcn.runs.parts import (
    by_heart,
    check_batch,
    check_statistics,
    class_weights_of,
    parameter_groups,
    prepare,
)
from minifcn.runs.steps import evaluate_at, loss_of, train_step
from minifcn.system.files import load_arrays, save_arrays, write_atomically

OWN_SIZE = "masks at their own size"
"""How the best score was counted; in checkpoints from before it was at the size of the run."""


class Run:
    """A training run in a folder: config.json, log.csv, last.safetensors, best.safetensors.

    Args:
        config: what to train.
        folder: where; it must hold config.json (see `start`).
        data: on what.
        device: where to compute, if not where the config says.

    Attributes:
        device: 'cpu' or 'cuda', where it computes.
        notes: what a user should be told about the data.
        iteration: how many iterations are done.
        compute_loss: what is made small, a scalar of scores and labels (see steps.cross_entropy).
        log: a row for each iteration, with the names of LOG_COLUMNS.
    """

    def __init__(
        self, config: Config, folder: Path, data: RunData, device: str | None = None
    ) -> None:
        self.device = choose_device(device or config.device)
        self.train_data, self.val_data, self.notes = data.train, data.val, data.notes
        if config.by_heart:
            self.train_data = self.val_data = by_heart(data.train, config.by_heart)
        self.folder = folder
        config = replace(config.with_classes_of(self.train_data), device=self.device)
        if config.class_weights == "balanced":
            config = replace(config, class_weights=class_weights_of(self.train_data))
        check_batch(config)
        self.config = config
        self.generator = np.random.default_rng(config.seed)
        self.model = config.build_model(self.generator)
        check_statistics(self.model, config)
        self.model.to(self.device)
        groups = parameter_groups(self.model, config)
        self.optimizer = optim.Adam(groups, config.lr, weight_decay=config.weight_decay)
        self.batches = Batches(
            self.train_data,
            config.batch_size,
            crop=config.crop,
            flip=config.flip,
            scale=config.scale,
            jitter=config.jitter,
            seed=config.seed,
            normalise=config.normalisation,
        )
        self.iteration, self.best_mean_iu = 0, -1.0
        weights = config.class_weights
        assert not isinstance(weights, str)  # they have been counted
        self.compute_loss = loss_of(weights, config.label_smoothing, self.device)
        self.log: list[dict[str, float | None]] = []
        self._undo = ExitStack()  # takes away what a start made
        self._known: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def start(cls, config: Config, folder: Path, version: str, track: Track = iter) -> Run:
        """Begin a run in a new folder, or an empty one, or where a start came to nothing.

        First every file of its data is read; `track` shows the progress of that. What fails before
        the first step is done, in `train` too, leaves nothing behind, so that the next try can have
        the same folder.

        Raises:
            ValueError: the folder holds something already, or another process uses it.
            OSError: it cannot be written.
        """
        if folder.exists() and not folder.is_dir():
            check_unused(folder)
        with ExitStack() as undo:
            undo.callback(remove_empty, make_folder(folder))
            with Lock(folder):
                check_unused(folder)
                data = open_new(config, track)
                run = cls(config, folder, data)
                config.load_pretrained(run.model)
                run.batches.batch(0)  # data that cannot be read should not leave a folder behind
                undo.callback(remove_files, folder, STARTED)
                write_atomically(folder / "config.json", run.config.to_json(version).encode())
                if data.record is not None:
                    write_atomically(folder / RECORD, data.record.to_json().encode())
                run._known = run._stamps()
            run._undo = undo.pop_all()
        return run

    @classmethod
    def resume(
        cls,
        folder: Path,
        device: str | None = None,
        data: str | None = None,
        root: str | None = None,
        track: Track = iter,
    ) -> Run:
        """Take a run up where its last checkpoint left it; from the start if there is none yet.

        `data` and `root` are where its data is now, if that was moved. On another `device` than
        before it goes on just as well, but not with the same bits.

        Raises:
            ValueError: no run is in the folder, its files are damaged or do not fit together,
                another process trains there, or its device cannot be used.
        """
        config = Config.load(folder / "config.json").moved(data, root)
        with Lock(folder):
            run = cls(config, folder, open_recorded(config, folder, track), device)
            run._known = run._stamps()
            if (folder / "last.safetensors").exists():
                run._restore(folder / "last.safetensors")
            else:
                config.load_pretrained(run.model)
        return run

    def train(self, report: Callable[[dict[str, float | None]], None] = lambda row: None) -> None:
        """Train until the configured number of iterations is done; meanwhile nobody else can.

        report: called after each iteration with its row of the log; a score that it hears of is
            that of weights that are on the disk.

        Raises:
            Interrupted: Ctrl-C was pressed; the run was saved after the current iteration.
            TrainingDivergedError: the loss or a weight is not finite any more.
            ValueError: another process trains in the folder, or has since this run was there.
        """
        with Lock(self.folder) as lock:
            if self._stamps() != self._known:
                raise ValueError(f"{self.folder} was trained on elsewhere since; take it up anew")
            try:
                self._train(report)
            except BaseException:
                if self.iteration == 0:
                    lock.release()
                    self._undo.close()
                raise

    def keep(self, started: bool) -> None:
        """Let what the start made stay, as there is other work beside it; or take it away."""
        if started:
            self._undo.pop_all()
        else:
            self._undo.close()

    def _stamps(self) -> tuple[tuple[int, ...], ...]:
        """What is another once somebody else starts, or trains, in the folder."""
        return tuple(stamp(self.folder / name) for name in ("config.json", "last.safetensors"))

    def _train(self, report: Callable[[dict[str, float | None]], None]) -> None:
        write_atomically(self.folder / "log.csv", format_log(self.log).encode())
        with (
            open(self.folder / "log.csv", "a", newline="") as file,
            Ahead(self.batches) as ahead,
            stop_requests() as requested,
        ):
            while self.iteration < self.config.iterations:
                self._iterate(ahead, file, requested, report)

    def _iterate(
        self,
        ahead: Ahead,
        file: TextIO,
        stop_requested: Callable[[], bool],
        report: Callable[[dict[str, float | None]], None],
    ) -> None:
        """One iteration, and what becomes of it: scores, a checkpoint, a row of the log.

        The checkpoint comes first and has the row with it: a score in the log without its weights
        would be of no use, and a row that is missing in the log is found in the checkpoint.
        """
        row = self._step(*ahead.batch(self.iteration))
        self.iteration += 1
        done = self.iteration == self.config.iterations
        validate = done or self.iteration % self.config.evaluate_every == 0
        if validate:
            self._validate(row)
        self.log.append(row)
        stop = stop_requested()
        if validate or stop or self.iteration % self.config.checkpoint_every == 0:
            os.fsync(file.fileno())  # a checkpoint is of no use without the rows before
            self.save()
        file.write(format_row(row))
        file.flush()
        report(row)
        if stop and not done:
            raise Interrupted(f"stopped after iteration {self.iteration}")

    def _step(self, images: np.ndarray, labels: np.ndarray) -> dict[str, float | None]:
        """One iteration: forward, loss, backward, update."""
        prepare(self.model, self.config)
        factor = optim.cosine(self.iteration, self.config.iterations, self.config.warmup)
        self.optimizer.lr = self.config.lr * factor
        try:
            value = train_step(self.model, self.optimizer, images, labels, self.compute_loss)
        except FloatingPointError as error:
            raise self._diverged(str(error), self.iteration + 1) from error
        row = dict.fromkeys(LOG_COLUMNS)
        return row | {"iteration": self.iteration + 1, "loss": value, "lr": self.optimizer.lr}

    def _validate(self, row: dict[str, float | None]) -> None:
        """Add validation scores to the row, and keep the weights if they are the best so far."""
        weights = self._good_weights()
        try:
            matrix = self._evaluate(self.model)
        except FloatingPointError as error:
            raise self._diverged(str(error)) from error
        row["mean_iu"], row["pixel_accuracy"] = matrix.mean_iu, matrix.pixel_accuracy
        score = _score(matrix)
        if score > self.best_mean_iu:
            self.best_mean_iu = score
            metadata = {"iteration": str(self.iteration), "mean_iu": repr(score)}
            save_arrays(self.folder / "best.safetensors", weights, metadata)

    def _evaluate(self, model: nn.Module) -> ConfusionMatrix:
        """Score a network on the validation masks, at their own size."""
        return evaluate_at(model, self.val_data, self.config.size, self.config.normalisation).matrix

    def save(self) -> None:
        """Write last.safetensors: everything that the next iteration depends on.

        Raises:
            TrainingDivergedError: a weight is not finite; the last good checkpoint stays.
        """
        model, optimizer = self._good_weights(), self.optimizer.state_dict()
        arrays = {f"model.{name}": array for name, array in model.items()}
        arrays |= {f"optimizer.{name}": array for name, array in optimizer.items()}
        metadata = {
            "iteration": str(self.iteration),
            "best_mean_iu": repr(self.best_mean_iu),
            "generator": generator_state(self.generator),
            "row": "".join(map(format_row, self.log[-1:])),
            "scored": OWN_SIZE,
        }
        save_arrays(self.folder / "last.safetensors", arrays, metadata)
        self._known = self._stamps()

    def _restore(self, path: Path) -> None:
        arrays, metadata = load_arrays(path)
        try:
            self.model.load_state_dict(renamed(with_prefix(arrays, "model.")))
            self.optimizer.load_state_dict(with_prefix(arrays, "optimizer."))
            check_finite(self.model.state_dict())
            restore_generator(self.generator, metadata["generator"])
            self.iteration = int(metadata["iteration"])
            self.best_mean_iu = float(metadata["best_mean_iu"])
            self._check_progress()
        except KeyError as error:
            raise ValueError(f"{path}: not the checkpoint of a run; {error} is missing") from error
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        self._restore_log(metadata.get("row", ""))
        if metadata.get("scored") != OWN_SIZE and self.best_mean_iu >= 0:
            _, best = load_model(self.folder, device=self.device)
            self.best_mean_iu = _score(self._evaluate(best))

    def _restore_log(self, last: str) -> None:
        """Read the rows up to the checkpoint; the last may be missing, but is in the checkpoint."""
        path = self.folder / "log.csv"
        self.log = read_log(path)[: self.iteration]
        if last and len(self.log) == self.iteration - 1:
            self.log += filter(None, [read_row(last, self.folder / "last.safetensors")])
        if len(self.log) < self.iteration:
            raise ValueError(f"{path}: rows before {self.iteration} are missing")

    def _check_progress(self) -> None:
        if not 0 <= self.iteration <= self.config.iterations:
            raise ValueError(
                f"iteration must be from 0 to {self.config.iterations}; got {self.iteration}"
            )
        if not -1 <= self.best_mean_iu <= 1:
            raise ValueError(f"best_mean_iu must be from -1 to 1; got {self.best_mean_iu}")

    def _good_weights(self) -> dict[str, np.ndarray]:
        """The network's state, to be saved; raise TrainingDivergedError if it is not finite."""
        weights = self.model.state_dict()
        try:
            check_finite(weights)
        except ValueError as error:
            raise self._diverged(str(error)) from error
        return weights

    def _diverged(self, what: str, iteration: int | None = None) -> TrainingDivergedError:
        good = self.folder / "last.safetensors"
        kept = f"the last good checkpoint is {good}" if good.exists() else "no checkpoint yet"
        return TrainingDivergedError(
            f"{what} at iteration {iteration or self.iteration}; {kept}; try a smaller lr than"
            f" {self.config.lr}"
        )


def _score(matrix: ConfusionMatrix) -> float:
    """The mean IU; 0 where all is void: no score, but the weights are kept."""
    return float(np.nan_to_num(matrix.mean_iu))
