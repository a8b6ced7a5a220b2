"""A page of the class: who has what, which mistakes are the commonest, and what addresses each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape

from minifcn.course.exercises import find_exercise
from minifcn.course.exercises.exercise import Exercise, Switch
from minifcn.course.grading.grade import Record, Result

_STYLE = """\
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 78em }
body { padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 }
th, td { border: 1px solid #fff; padding: .25em .5em; text-align: right }
th { font-weight: 600 } th.student, td.text { text-align: left }
thead th { vertical-align: bottom }
thead th span { writing-mode: vertical-rl; transform: rotate(180deg) }
.wide { overflow-x: auto } .none { color: #777 }
"""

_MOST = 12
"""Mistakes that are listed."""


def class_page(results: Sequence[Result], title: str) -> str:
    """The text of an HTML page that stands alone: a heat map and the commonest mistakes."""
    names = [record["exercise"] for record in results[0].records]
    passed = sum(_share(record) == 1 for result in results for record in result.records)
    body = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{len(results)} students, {len(names)} exercises, {passed} passed in all.</p>",
        '<div class="wide"><table><caption>Points, the darker the more; – is not written</caption>',
        _head(names),
        "<tbody>",
        *(_row(result) for result in results),
        "</tbody></table></div>",
        "<h2>The commonest mistakes</h2>",
        _mistakes(results),
    ]
    return (
        "<!doctype html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _head(names: Sequence[str]) -> str:
    cells = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in names)
    return (
        f'<thead><tr><th class="student" scope="col">student</th>{cells}'
        '<th scope="col">total</th></tr></thead>'
    )


def _row(result: Result) -> str:
    cells = "".join(map(_cell, result.records))
    name = f'<th class="student" scope="row">{escape(result.student)}</th>'
    return f"<tr>{name}{cells}<td>{_rounded(result.points)}</td></tr>"


def _cell(record: Record) -> str:
    """A cell: its points, its colour, and as a title what is wrong."""
    share = _share(record)
    colour = f"hsl(205 70% {96 - 36 * share:.0f}%)"  # light enough for dark letters
    mistakes = [one for part in record["parts"] for one in part["mistakes"]]
    said = ", ".join(dict.fromkeys(mistakes)) or record["status"]
    return (
        f'<td style="background:{colour}" title="{escape(said)}">'
        f"{'–' if record['status'] == 'not-written' else _rounded(record['points'])}</td>"
    )


def _rounded(points: float) -> str:
    """Points with two decimals at most: 6.67, 10."""
    return f"{round(points, 2):g}"


def _share(record: Record) -> float:
    return record["points"] / record["max_points"] if record["max_points"] else 0.0


def _mistakes(results: Sequence[Result]) -> str:
    """A table of the commonest mistakes: how many have it, what it is, and what addresses it."""
    counts: Counter[tuple[str, str]] = Counter()
    for result in results:
        own = {
            (record["exercise"], mistake)
            for record in result.records
            for part in record["parts"]
            for mistake in part["mistakes"]
        }
        counts.update(own)
    if not counts:
        return '<p class="none">No mistake was named.</p>'
    rows = [_mistake_row(*key, count) for key, count in counts.most_common(_MOST)]
    titles = ("students", "mistake", "what was done", "where to read", "a question")
    head = "".join(f'<th class="student" scope="col">{title}</th>' for title in titles)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _mistake_row(name: str, mistake: str, count: int) -> str:
    exercise = find_exercise(name)
    switch = _switch(exercise, mistake)
    texts = (f"{name}: {mistake}", switch.words, exercise.hints[1], switch.question)
    cells = "".join(f'<td class="text">{escape(text)}</td>' for text in texts)
    return f"<tr><td>{count}</td>{cells}</tr>"


def _switch(exercise: Exercise, mistake: str) -> Switch:
    found = [s for f in exercise.functions for s in f.switches if s.mistake == mistake]
    return found[0] if found else Switch(mistake, "", "")
