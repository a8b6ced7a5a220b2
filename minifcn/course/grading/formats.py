"""Results of one submission as autograders want them: Gradescope and classroom50."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from minifcn.course.grading.grade import Record

_INSTALL = re.compile(r"[\w.,\[\]+:/@=<>~!#-]+", re.ASCII)

_SETUP = """\
#!/usr/bin/env bash
set -e
apt-get update -q
apt-get install -y -q python3-pip python3-venv
python3 -m venv /autograder/environment
/autograder/environment/bin/pip install "{install}"
"""

_RUN = """\
#!/usr/bin/env bash
# A result without points first: whatever happens then, there is one.
echo '{{"score": 0, "output": "The grading did not end."}}' > /autograder/results/results.json
/autograder/environment/bin/minifcn course check /autograder/submission {exercises} \\
    --gradescope /autograder/results/results.json > /dev/null
"""


def gradescope_results(records: Sequence[Record]) -> dict[str, Any]:
    """The content of Gradescope's results.json: a test for each part of each function."""
    tests = [
        {
            "name": f"{record['exercise']}: {part['id']}",
            "score": part["points"],
            "max_score": part["max_points"],
            "status": "passed" if part["status"] == "pass" else "failed",
            "output": part["message"],
            "output_format": "text",
            "tags": part["mistakes"],
            "visibility": "visible",
        }
        for record in records
        for part in record["parts"]
    ]
    seconds = sum(record["seconds"] for record in records)
    return {
        "tests": tests,
        "execution_time": round(seconds),
        "stdout_visibility": "hidden",
        "extra_data": {"minifcn": list(records)},
    }


def gradescope_zip(install: str, exercises: Sequence[str]) -> bytes:
    """The zip that Gradescope takes as an autograder: setup.sh and run_autograder.

    Raises:
        ValueError: install is nothing that pip installs.
    """
    if not _INSTALL.fullmatch(install) or install.startswith("-"):
        raise ValueError(f"install must be what pip installs, as git+https://...; got {install!r}")
    files = {
        "setup.sh": _SETUP.format(install=install),
        "run_autograder": _RUN.format(exercises=" ".join(exercises)),
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, text)
    return content.getvalue()


def classroom50_result(
    records: Sequence[Record], environment: Mapping[str, str], now: datetime | None = None
) -> dict[str, Any]:
    """The content of classroom50's result.json; its scores are whole numbers.

    environment: of the runner, which says classroom, assignment and submission.
    """
    tests = [
        {
            "test-name": f"{record['exercise']}: {part['id']}",
            "passed": part["status"] == "pass",
            "score": round(part["points"]),
            "max-score": round(part["max_points"]),
            "mistakes": part["mistakes"],
        }
        for record in records
        for part in record["parts"]
    ]
    names = {
        "classroom": "CLASSROOM",
        "assignment": "ASSIGNMENT",
        "assignment_type": "ASSIGNMENT_TYPE",
        "submission": "SUBMISSION_TAG",
        "commit": "COMMIT_URL",
        "release": "RELEASE_URL",
        "review": "REVIEW_URL",
    }
    return {
        "schema": "classroom50/result/v1",
        **{name: environment.get(variable, "") for name, variable in names.items()},
        "datetime": (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "score": sum(test["score"] for test in tests),
        "max-score": sum(test["max-score"] for test in tests),
        "tests": tests,
    }


def as_json(value: Any) -> bytes:
    """The bytes of a JSON file."""
    return (json.dumps(value, indent=2) + "\n").encode()
