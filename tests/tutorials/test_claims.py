"""What a tutorial says of causes and of all cases is carried: by a check, a source, or a sum.

Each sentence with "because", "so", "cannot", "always", "never" or "only" stands in the tutorial's
file in claims/, and below it what carries it:

    shown: NAME                  what the tutorial measures, claims or compares under that name
    shown in NN: NAME            the same in another tutorial, by its number
    source: AUTHOR YEAR          a paper of SOURCES
    given: WHY                   follows from a definition or a formula, which is named
    plain: WHY                   says nothing of causes or of all cases: an instruction, an order

Several carriers are several lines. NAME is the first argument of `measured`, `claim` or `equal`,
the whole of it; of an f-string, what comes before its first brace, which has to be eight characters
or more: `k=` would carry anything.
"""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from reading import TUTORIALS, cells_of

EACH = pytest.mark.parametrize("name", TUTORIALS)
FOLDER = Path(__file__).parent / "claims"
WORD = re.compile(r"\b(?:because|so|cannot|always|never|only)\b", re.IGNORECASE)
CARRIER = re.compile(r"(shown|shown in \d\d|source|given|plain): (.{3,})")

SOURCES = {
    "Dumoulin and Visin 2016": "A guide to convolution arithmetic for deep learning",
    "Glorot and Bengio 2010": "Understanding the difficulty of training deep networks",
    "Ioffe and Szegedy 2015": "Batch normalization",
    "Kingma and Ba 2015": "Adam: a method for stochastic optimization",
    "Lin and others 2014": "Network in network",
    "Long and others 2015": "Fully convolutional networks for semantic segmentation, CVPR",
    "Luo and others 2016": "Understanding the effective receptive field",
    "Noh and others 2015": "Learning deconvolution network for semantic segmentation",
    "Odena and others 2016": "Deconvolution and checkerboard artifacts",
    "Ronneberger and others 2015": "U-Net",
    "Badrinarayanan and others 2017": "SegNet",
    "Simonyan and Zisserman 2015": "Very deep convolutional networks (VGG)",
    "Zeiler and Fergus 2014": "Visualizing and understanding convolutional networks",
    "Zhou and others 2016": "Learning deep features for discriminative localization",
}


def sentences_of(name):
    """The sentences of a tutorial's text that need a carrier, each in one line."""
    text = "\n\n".join(cell.source for cell in cells_of(name) if cell.is_markdown)
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    blocks = re.split(r"\n\s*\n|\n(?=#|\d\. |- )", text)
    lines = (" ".join(block.split()) for block in blocks)
    parts = (part for line in lines for part in re.split(r"(?<=[.?!])\)?\s+(?=[A-Z\"`*(])", line))
    return [part for part in parts if WORD.search(re.sub(r"`[^`]*`", "", part))]


@cache
def claims_of(name):
    """Each sentence of the file of claims, with its carriers."""
    path, claims, sentence = FOLDER / f"{name}.txt", {}, ""
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        if line.startswith("    "):
            claims[sentence].append(line.strip())
        elif line:
            sentence = line
            assert sentence not in claims, f"twice: {sentence}"
            claims[sentence] = []
    return claims


ENOUGH = 8
"""How many characters of an f-string before its first brace tell which check it is."""


@cache
def checked_in(number):
    """The first arguments of all checks of a tutorial, as `name_of` gives them."""
    (name,) = (name for name in TUTORIALS if name.startswith(number))
    names = []
    for cell in cells_of(name):
        for node in ast.walk(ast.parse("" if cell.is_markdown else cell.source)):
            if getattr(getattr(node, "func", None), "id", "") in ("measured", "claim", "equal"):
                names.append(name_of(node.args[0]))
    return names


def name_of(node):
    """A string of the code; of an f-string its beginning, or nothing if that is too short."""
    if isinstance(node, ast.JoinedStr):
        first = node.values[0]
        text = first.value.strip() if isinstance(first, ast.Constant) else ""
        return text if len(text) >= ENOUGH else ""
    return node.value if isinstance(node, ast.Constant) else ""


@EACH
def test_each_sentence_is_carried(name):
    missing = [line for line in sentences_of(name) if not claims_of(name).get(line)]
    listed = "\n\n".join(f"{line}\n    shown: " for line in missing)
    assert not missing, f"these need a carrier in claims/{name}.txt:\n\n{listed}"


@EACH
def test_no_claim_is_of_a_sentence_that_is_gone(name):
    assert not set(claims_of(name)) - set(sentences_of(name))


@EACH
def test_what_carries_a_claim_exists(name):
    for sentence, carriers in claims_of(name).items():
        for carrier in carriers:
            found = CARRIER.fullmatch(carrier)
            assert found, f"{sentence}\n    {carrier}"
            kind, what = found.groups()
            if kind == "source":
                assert what in SOURCES, what
            elif kind.startswith("shown"):
                number = kind[-2:] if kind != "shown" else name[:2]
                assert what in checked_in(number), what


def test_a_new_claim_would_be_noticed(monkeypatch):
    name = next(iter(TUTORIALS))
    monkeypatch.setitem(globals(), "sentences_of", lambda name: ["It is so because it is so."])
    with pytest.raises(AssertionError, match="need a carrier"):
        test_each_sentence_is_carried(name)


def test_a_carrier_that_does_not_exist_would_be_noticed(monkeypatch):
    name = next(iter(TUTORIALS))
    wrong = {"A.": ["shown: nothing of this name"]}
    monkeypatch.setitem(globals(), "claims_of", lambda name: wrong)
    with pytest.raises(AssertionError, match="nothing of this name"):
        test_what_carries_a_claim_exists(name)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("'k=3, s=2'", "k=3, s=2"),
        ("f'k={k}'", ""),
        ("f'{k} stamps on each pixel'", ""),
        ("f'phase sums of k={k}'", "phase sums of k="),
        ("f'the best eps of {name}'", "the best eps of"),
        ("name", ""),
    ],
)
def test_a_few_letters_carry_nothing(code, name):
    assert name_of(ast.parse(code, mode="eval").body) == name
