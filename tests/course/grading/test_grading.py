"""A class is graded: a broken submission costs its own points only, and nothing is done twice."""

import csv
import io
import json
import re
import zipfile
from html.parser import HTMLParser

import pytest

from minifcn.course.exercises import NAMES, find_exercise
from minifcn.course.exercises import folder as stubs
from minifcn.course.grading import grade, submissions
from minifcn.course.grading.formats import (
    classroom50_result,
    gradescope_results,
    gradescope_zip,
)
from minifcn.course.grading.page import class_page
from minifcn.course.grading.points import as_toml, default_points, read_points
from minifcn.course.grading.tables import fill_canvas, moodle_csv, results_csv

ANSWER = (stubs._HERE / "answers" / "convolution.py").read_text(encoding="utf-8")
FLIPPED = ANSWER.replace("weight[:, :, i, j]", "weight[:, :, kh - 1 - i, kw - 1 - j]")
POINTS = {"convolution": 4.0}


@pytest.fixture
def handed_in(tmp_path):
    """Five submissions: right, wrong, a zip, nothing, and a broken zip."""
    folder = tmp_path / "submissions"
    for student, source in (("ada", ANSWER), ("bob", FLIPPED), ("=cmd", "import os; os._exit(0)")):
        (folder / student).mkdir(parents=True)
        (folder / student / "convolution.py").write_text(source)
    with zipfile.ZipFile(folder / "chen 陈.zip", "w") as archive:
        archive.writestr("work/convolution.py", ANSWER)
        archive.writestr("../../evil.py", "nothing")
        archive.writestr("__MACOSX/convolution.py", "nothing")
    (folder / "dora").mkdir()
    (folder / "eve.zip").write_bytes(b"PK no zip")
    return folder


@pytest.fixture
def results(handed_in, tmp_path):
    return grade.grade_class(handed_in, tmp_path / "out", POINTS, jobs=2)


def points_of(results):
    return {result.student: result.points for result in results}


def test_each_gets_their_own_points_whatever_the_others_hand_in(results, tmp_path):
    assert points_of(results) == {
        "=cmd": 0, "ada": 4, "bob": 0, "chen 陈": 4, "dora": 0, "eve": 0,
    }  # fmt: skip
    by_name = {result.student: result for result in results}
    assert by_name["bob"].records[0]["parts"][0]["mistakes"] == ["conv.flip"]
    assert by_name["dora"].records[0]["status"] == "not-written"
    assert "zip" in by_name["eve"].problems[0]
    assert not list(tmp_path.rglob("evil.py"))
    text = (tmp_path / "out" / "students" / "bob.txt").read_text(encoding="utf-8")
    assert text.startswith("bob: 0 of 4 points")
    assert "the kernel is flipped" in text


def test_what_is_done_is_not_done_again_but_a_new_submission_is(
    handed_in, results, tmp_path, monkeypatch
):
    seen = []
    own = grade.check
    monkeypatch.setattr(grade, "check", lambda e, s, n: seen.append(s) or own(e, s, n))
    again = grade.grade_class(handed_in, tmp_path / "out", POINTS)
    assert points_of(again) == points_of(results)
    assert not seen
    (handed_in / "bob" / "convolution.py").write_text(ANSWER)
    (tmp_path / "out" / "students" / "ada.jsonl").write_text("{half a li")
    assert points_of(grade.grade_class(handed_in, tmp_path / "out", POINTS))["bob"] == 4
    assert len(seen) == 2
    grade.grade_class(handed_in, tmp_path / "out", {"convolution": 5.0})
    assert len(seen) == 8


def test_a_table_in_csv_has_no_formulas(results):
    rows = list(csv.reader(io.StringIO(results_csv(results))))
    assert rows[0] == ["student", "convolution", "total"]
    assert rows[1] == ["'=cmd", "0", "0"]
    assert ["ada", "4", "4"] in rows


def test_moodles_table_has_points_and_feedback(results):
    rows = list(csv.DictReader(io.StringIO(moodle_csv(results))))
    assert set(rows[0]) == {"username", "convolution", "convolution feedback"}
    bob = next(row for row in rows if row["username"] == "bob")
    assert bob["convolution"] == "0.00"
    assert "flipped" in bob["convolution feedback"]


EXPORT = """\
Student,ID,SIS User ID,SIS Login ID,Section,Kernels (4711),Other (1)
    Points Possible,,,,,10,5
"Lovelace, Ada",17,S1,ada,A,,3
"Builder, Bob",18,bob,b2,A,EX,
"Who, Else",19,S3,who,A,1.00,2
"""


def test_canvas_gets_one_column_filled_and_nothing_else(results, tmp_path):
    path = tmp_path / "export.csv"
    path.write_text(EXPORT)
    text, missing = fill_canvas(path, "Kernels (4711)", results)
    before, after = (list(csv.reader(io.StringIO(t))) for t in (EXPORT, text))
    assert [row[5] for row in after] == ["Kernels (4711)", "10", "4.00", "0.00", "1.00"]
    assert [row[:5] + row[6:] for row in after] == [row[:5] + row[6:] for row in before]
    assert missing == ["=cmd", "chen 陈", "dora", "eve"]
    semicolons = "\ufeff" + EXPORT.replace(",", ";")
    path.write_text(semicolons, encoding="utf-8")
    assert ";4.00;" in fill_canvas(path, "Kernels (4711)", results)[0]
    with pytest.raises(ValueError, match="must have one column 'Kernels'; it has 0"):
        fill_canvas(path, "Kernels", results)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="as Canvas exports"):
        fill_canvas(path, "b", results)


# -- Autograders ---------------------------------------------------------------------------------


def test_gradescopes_results_follow_its_schema(results):
    """gradescope-autograders.readthedocs.io, specs."""
    wrong = next(result for result in results if result.student == "bob")
    content = gradescope_results(wrong.records)
    assert set(content) <= {"score", "execution_time", "output", "output_format", "visibility",
                            "test_output_format", "test_name_format", "stdout_visibility",
                            "extra_data", "tests", "leaderboard"}  # fmt: skip
    (test,) = content["tests"]
    assert set(test) <= {"score", "max_score", "status", "name", "name_format", "number", "output",
                         "output_format", "tags", "visibility", "extra_data"}  # fmt: skip
    assert (test["score"], test["max_score"], test["status"]) == (0.0, 4.0, "failed")
    assert test["tags"] == ["conv.flip"]
    assert test["output_format"] in ("text", "html", "simple_format", "md", "ansi")
    assert json.loads(json.dumps(content)) == content


def test_gradescopes_zip_has_both_scripts_at_its_root_and_they_are_scripts():
    content = zipfile.ZipFile(io.BytesIO(gradescope_zip("minifcn==0.1.0", ["convolution"])))
    assert sorted(content.namelist()) == ["run_autograder", "setup.sh"]
    for entry in content.infolist():
        assert entry.external_attr >> 16 & 0o111
        text = content.read(entry).decode()
        assert text.startswith("#!/usr/bin/env bash\n")
    run = content.read("run_autograder").decode()
    assert "/autograder/submission convolution" in run
    before, _, after = run.partition("minifcn course check")
    assert json.loads(re.search(r"echo '(.*)'", before)[1])["score"] == 0
    assert "/autograder/results/results.json" in after
    with pytest.raises(ValueError, match="install must be what pip installs"):
        gradescope_zip("a; rm -rf /", [])


def test_classroom50s_result_has_whole_scores(results):
    wrong = next(result for result in results if result.student == "ada")
    content = classroom50_result(wrong.records, {"CLASSROOM": "c", "COMMIT_URL": "https://x/y"})
    assert content["schema"] == "classroom50/result/v1"
    assert (content["classroom"], content["commit"]) == ("c", "https://x/y")
    assert (content["score"], content["max-score"]) == (4, 4)
    assert all(type(test["score"]) is int for test in content["tests"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", content["datetime"])


# -- The page ------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """Collects what stands in a page, and whether its tags are closed."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.tags = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_shows_all_students_and_the_commonest_mistake(results):
    results[0].student = "<script>alert(1)</script>"
    page = class_page(results, "A & B")
    reader = Reader()
    reader.feed(page)
    assert not reader.open
    assert "script" not in reader.tags
    assert "http" not in page
    text = " ".join(reader.text)
    assert all(result.student in text for result in results)
    assert "convolution: conv.flip" in text
    assert find_exercise("convolution").hints[1] in text


# -- Points and files ----------------------------------------------------------------------------


def test_points_are_read_as_they_are_written(tmp_path):
    path = tmp_path / "points.toml"
    path.write_text(as_toml(default_points()))
    assert read_points(path) == default_points()
    path.write_text("[points]\nloss = 2.5\nskips = 0\n")
    assert read_points(path) == {"loss": 2.5}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("points = 3", "must hold one table"),
        ("[points]\nwaves = 1", "exercise must be one of"),
        ("[points]\nloss = -1", "loss must be a number from 0"),
        ("[points]\nloss = true", "loss must be a number from 0"),
        ("[points]\nloss = 0", "no exercise has points"),
        ("[points", "not TOML"),
    ],
)
def test_wrong_points_are_refused(tmp_path, text, said):
    (tmp_path / "points.toml").write_text(text)
    with pytest.raises(ValueError, match=re.escape(said)):
        read_points(tmp_path / "points.toml")


def test_a_file_that_is_too_large_or_no_text_is_said(tmp_path):
    folder = tmp_path / "ada"
    folder.mkdir()
    (folder / "loss.py").write_bytes(b"#" * (submissions.LARGEST + 1))
    assert "larger than" in submissions.read_submission(folder).problems[0]
    (folder / "loss.py").write_bytes(b"\xff")
    assert "no text" in submissions.read_submission(folder).problems[0]
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("loss.py", "#" * (50 * submissions.LARGEST))
    assert "larger than" in submissions.read_submission(tmp_path / "bomb.zip").problems[0]


def test_two_submissions_of_one_name_are_refused(tmp_path):
    (tmp_path / "ada").mkdir()
    zipfile.ZipFile(tmp_path / "Ada.zip", "w").close()
    with pytest.raises(ValueError, match="would be one student"):
        submissions.find_submissions(tmp_path)


def test_the_command_grades_and_writes_everything(cli, refused, handed_in, tmp_path):
    points = tmp_path / "mine.toml"
    points.write_text("[points]\nconvolution = 4\n")
    export = tmp_path / "export.csv"
    export.write_text(EXPORT)
    out = tmp_path / "graded"
    asked = ("course", "grade", handed_in, "--out", out, "--points", points, "--jobs", "2")
    result = cli(*asked, "--canvas", export, "--column", "Kernels (4711)")
    assert result.code == 0
    assert "eve: not read" in result.err
    names = {path.name for path in out.iterdir()}
    tables = {"results.csv", "moodle.csv", "canvas.csv"}
    assert names == {"students", "class.html", "points.toml", "seed.json", *tables}
    assert "go together" in refused(*asked, "--canvas", export)
    assert "jobs must be" in refused(*asked[:-1], "0")
    assert "has no submissions" in refused("course", "grade", out / "students", "--out", tmp_path)


def test_check_writes_results_for_autograders(cli, handed_in, tmp_path):
    scope, fifty = tmp_path / "results.json", tmp_path / "result.json"
    asked = ("course", "check", handed_in / "bob", "convolution")
    assert cli(*asked, "--gradescope", scope, "--classroom50", fifty).code == 1
    assert json.loads(scope.read_text())["tests"][0]["score"] == 0
    assert json.loads(fifty.read_text())["score"] == 0
    result = cli("course", "gradescope", tmp_path / "auto", "--install", "minifcn")
    assert zipfile.is_zipfile(result.out.strip())
    assert all(name in zipfile.ZipFile(result.out.strip()).read("run_autograder").decode()
               for name in NAMES)  # fmt: skip


def test_the_page_rounds_points_and_keeps_dark_letters_on_every_colour():
    def record(points):
        return {"exercise": "engine", "points": points, "max_points": 10, "status": "fail",
                "parts": [], "seconds": 0}  # fmt: skip

    given = [grade.Result(f"s{n}", [record(n / 3)], []) for n in range(31)]
    text = class_page(given, "class")
    assert ">6.67<" in text
    assert "6.666" not in text
    colours = re.findall(r"hsl\(205 70% (\d+)%\)", text)
    assert min(map(int, colours)) >= 60  # #222 on it has a contrast of more than 4.5
    assert "color:#fff" not in text
