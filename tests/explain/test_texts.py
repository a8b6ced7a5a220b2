"""The texts of the pages: all in English and Korean, and in Korean with the glossary's words."""

import json
import re
from pathlib import Path

import pytest

import minifcn.explain
from minifcn.explain import OPERATIONS

TEXTS = json.loads(
    (Path(minifcn.explain.__file__).parent / "page" / "texts.json").read_text(encoding="utf-8")
)
PRESETS = {
    f"{operation}: {preset['name']['en']}": preset["name"]
    for operation, about in OPERATIONS.items()
    for preset in about.presets
}
ALL = TEXTS | PRESETS

NO_HANGUL = {"and", "conv_transpose2d: output_padding 1", "interpolate: align_corners",
             "max_unpool2d: bed of nails"}  # fmt: skip
"""A comma, and names that stay English in Korean texts."""

TERMS = (
    "adjoint", "backward", "bed of nails", "bilinear", "channels", "confusion matrix",
    "convolution", "cross-entropy", "dilation", "finite difference", "forward", "gradient",
    "input", "kernel", "logits", "loss", "max pooling", "nearest", "padding", "prediction",
    "softmax", "stride", "switch", "transposed convolution", "truth", "unpooling",
    "upstream gradient", "weights", "window",
)  # fmt: skip
"""Terms of the glossary that have only one meaning in these texts."""

SETTINGS = {name for about in OPERATIONS.values() for name in about.settings}
"""Names of code, which a Korean text may leave English."""


def glossary():
    """The Korean words of each English term, without brackets; the first is the one to use."""
    page = Path(__file__).parents[2] / "tutorials" / "GLOSSARY.md"
    rows = re.findall(
        r"^\| ([^|]+) \| ([^|]+) \| [^|]+ \| [^|]+ \|$", page.read_text("utf-8"), re.M
    )
    return {
        english: [word.strip() for word in re.sub(r"\([^)]*\)", "", korean).split(",")]
        for english, korean in rows
    }


GLOSSARY = glossary()


def placeholders(text):
    return sorted(re.findall(r"\{(\w+)\}", text))


def has(text, term):
    """Whether an English text has this term, as a word or as several of them."""
    return re.search(rf"(?<![\w-]){re.escape(term)}(e?s)?(?![\w-])", text, re.IGNORECASE)


@pytest.mark.parametrize("key", ALL)
def test_a_text_has_both_languages_and_the_same_placeholders(key):
    assert set(ALL[key]) == {"en", "ko"}
    english, korean = ALL[key]["en"], ALL[key]["ko"]
    assert english.strip()
    assert korean.strip()
    assert placeholders(english) == placeholders(korean)


@pytest.mark.parametrize("key", ALL)
def test_a_korean_text_is_korean_and_an_english_one_is_not(key):
    hangul = re.compile("[가-힣]")
    assert bool(hangul.search(ALL[key]["ko"])) == (key not in NO_HANGUL)
    assert not hangul.search(ALL[key]["en"])


@pytest.mark.parametrize("key", ALL)
def test_no_particle_that_depends_on_the_last_sound_follows_a_placeholder(key):
    """을 or 를, 이 or 가: which is right depends on a value that is not known yet."""
    assert not re.search(r"\}(을|를|이|가|은|는|과|와|으로|로)", ALL[key]["ko"])


@pytest.mark.parametrize("term", TERMS)
def test_a_term_is_the_glossary_s(term):
    word = GLOSSARY[term][0]
    texts = {key: text["ko"] for key, text in ALL.items() if has(text["en"], term)}
    assert texts, f"no text has {term!r}: take it off the list"
    wrong = {
        key: korean
        for key, korean in texts.items()
        if word not in korean and not (term in SETTINGS and term in korean)
    }
    assert not wrong, f"{term} should be {word}"


def test_the_glossary_s_other_words_are_not_used():
    """One word for one thing: where the glossary has several, the pages use the first."""
    first = {words[0] for words in GLOSSARY.values()}
    others = {word for words in GLOSSARY.values() for word in words[1:]} - first
    assert {"창", "보폭", "컨볼루션"} <= others
    used = {(key, word) for key, text in ALL.items() for word in others if word in text["ko"]}
    assert not used


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_examples_of_an_operation_have_different_names(operation, language):
    names = [preset["name"][language] for preset in OPERATIONS[operation].presets]
    assert len(names) == len(set(names))
