"""Question texts are the published ones word for word, and every template fits every bank."""

from dataclasses import replace

import numpy as np
import pytest
from bank_cases import photos, skewed
from hypothesis import given
from hypothesis import strategies as st
from strategies import taxonomies

from linnet.bank import Bank, prompts
from linnet.bank.make import make
from linnet.errors import LinnetError
from linnet.taxonomy import build, path_table
from linnet.taxonomy.names import LINNAEAN


def bank_of(paths: list[str], ranks=None, name: str = "demo") -> Bank:
    taxonomy = build(path_table([path.split("/") for path in paths], ranks), name=name)[0]
    return make(photos(taxonomy, taxonomy.leaves, name), "random")


ANIMALS = ["Animalia/P/C/O/F/G/s one", "Animalia/P/C/O/F/G/s two"]
PLANTS = [path.replace("Animalia", "Plantae") for path in ANIMALS]
BIRDS = ["O/F/G/Black-footed Albatross", "O/F/H/Laysan Albatross"]
RANKS4 = ("order", "family", "genus", "species")
DOMAINS = {
    "inat-animal": bank_of(ANIMALS),
    "inat-plant": bank_of(PLANTS, LINNAEAN),
    "cub": bank_of(BIRDS, RANKS4, "CUB200_with_similar_choice"),
    "imagenet-animal": bank_of(["animal/dog", "animal/cat"]),
    "imagenet-artifact": bank_of(["artifact/cup", "artifact/car"]),
    "food": bank_of(["food/soup", "food/salad"]),
    "ranks": bank_of(BIRDS, RANKS4),
    "depths": bank_of(["x/a", "x/b", "y/c"]),
}

STEMS = {
    "inat-animal": [
        "Based on taxonomy, where does the animal in the image fall in terms of species?",
        "Given the animal in the image, what is its taxonomic classification at the species level?",
        "What could the animal in the image be classified as?",
        "How can the animal in the image be taxonomically categorized?",
        "What is the systematic position of the animal in the image in the biological classification "
        "hierarchy?",
    ],
    "cub": [
        "Based on taxonomy, what is the species of the bird in this image?",
        "Based on the image, what is the taxonomic classification at the species level?",
        "What is the taxonomic classification of the bird in this image?",
        "How can the bird in this image be categorized taxonomically?",
        "What is the systematic position of the bird shown in the image?",
    ],
    "food": [
        "What is the taxonomic category of the food item in this image?",
        "How can the food item in this image be categorized in taxonomy?",
        "Based on classification, what type of food is this?",
        "What is the hierarchical class of the food shown here?",
        "Where does this food item belong in the taxonomic hierarchy?",
    ],
}
QWEN = (
    "You are an expert in hierarchical image classification. Given an image, classify it at its current "
    "hierarchy level by selecting the most appropriate option from the provided choices (labeled with "
    "letters). Respond with only the corresponding letter."
)
TEXT_STEMS = {
    "cub": [
        "Based on taxonomy, where does Black-footed Albatross fall in terms of species?",
        "Given the Black-footed Albatross, what is its taxonomic classification at the species level?",
        "What could Black-footed Albatross be classified as?",
        "How can Black-footed Albatross be taxonomically categorized?",
        "What is the systematic position of Black-footed Albatross in the biological classification "
        "hierarchy?",
    ],
    "imagenet-artifact": [
        "Given the cup, what is its taxonomic classification?",
        "Based on taxonomy, where does cup fall?",
        "What could cup be classified as?",
        "How can cup be taxonomically categorized?",
        "What is the categorical classification of cup in the artifact taxonomy?",
    ],
}


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_domain_is_read_off_the_taxonomy(domain):
    assert prompts.domain(DOMAINS[domain]) == domain


def test_the_manifest_may_name_the_domain():
    assert prompts.domain(replace(DOMAINS["ranks"], manifest={"domain": "cub"})) == "cub"


@pytest.mark.parametrize("domain", STEMS)
def test_image_stems_are_the_published_ones(domain):
    bank = DOMAINS[domain]
    asked = [prompts.template(f"paper-{k}", bank).stem_text(bank, 0, bank.n_levels - 1) for k in range(5)]
    assert asked == STEMS[domain]


@pytest.mark.parametrize("domain", TEXT_STEMS)
def test_text_stems_are_the_published_ones(domain):
    bank = DOMAINS[domain]
    leaf = bank.n_levels - 1
    asked = [prompts.template(f"paper-{k}", bank, "text").stem_text(bank, 0, leaf) for k in range(5)]
    assert asked == TEXT_STEMS[domain]


def test_a_question_is_stem_options_and_last_line():
    bank = DOMAINS["cub"]
    template = prompts.template("paper-0", bank)
    names = bank.option_names(0, 3)
    assert template.question(bank, 0, 3) == (
        "Based on taxonomy, what is the species of the bird in this image?\n"
        f"A. {names[0]}\nB. {names[1]}\n"
        "Answer with the option's letter from the given choices directly."
    )
    turned = template.question(bank, 0, 3, np.array([1, 0]))
    assert f"A. {names[1]}\nB. {names[0]}\n" in turned


def test_options_are_shown_in_the_case_of_the_bank():
    bank = replace(DOMAINS["cub"], option_case="lower")
    assert "albatross" in prompts.template("paper-0", bank).question(bank, 0, 3)
    assert "Albatross" not in prompts.template("paper-0", bank).question(bank, 0, 3)


def test_step_by_step_changes_the_last_line_and_the_apostrophe_by_family():
    bank = DOMAINS["cub"]
    end = " think step by step. Answer with the option's letter from the given choices directly."
    assert prompts.template("paper-cot", bank).last_line == f"Let's{end}"
    assert prompts.template("paper-cot", bank, family="qwen2.5-vl").last_line == f"Let’s{end}"


def test_the_taxonomy_stands_in_the_system_prompt_or_before_the_image():
    bank = DOMAINS["cub"]
    told = (
        "Here is a taxonomy: {'Black-footed Albatross': ['O', 'F', 'G', 'Black-footed Albatross'], "
        "'Laysan Albatross': ['O', 'F', 'H', 'Laysan Albatross']}"
    )
    qwen = prompts.template("paper-taxonomy", bank, family="qwen2.5-vl")
    assert qwen.system.endswith(told)
    assert qwen.before_image == ""
    names = bank.option_names(0, 3)
    assert qwen.question(bank, 0, 3).endswith(
        f"B. {names[1]}Answer with the option's letter from the given choices directly."
    )
    llava = prompts.template("paper-taxonomy", bank, family="llava-onevision")
    assert llava.before_image == f"{told}\n"
    assert told not in llava.system


def test_the_walk_up_the_tree_is_told_for_animals_and_plants_only():
    assert "Caenurgina crassiuscula" in prompts.template("paper-biocot", DOMAINS["inat-animal"]).system
    plant = prompts.template("paper-biocot", DOMAINS["inat-plant"])
    assert "D. tracheophyta\n" in plant.system
    assert plant.system.endswith("The answer is D.")
    assert plant.stem_text(DOMAINS["inat-plant"], 0, 1).endswith("classification at the phylum level?")
    assert "paper-biocot" not in prompts.templates(DOMAINS["cub"])


def test_yes_or_no_makes_one_statement_per_option():
    bank = DOMAINS["cub"]
    template = prompts.template("binary", bank)
    names = bank.option_names(0, 3)
    assert template.statements(bank, 0, 3) == [
        f"The bird in the image belongs to the species {name}.\n"
        "Is this statement correct? Please answer Yes or No."
        for name in names
    ]
    with pytest.raises(LinnetError, match="template 'binary' has no lettered question"):
        template.question(bank, 0, 3)
    with pytest.raises(LinnetError, match="template 'paper-0' asks lettered questions"):
        prompts.template("paper-0", bank).statements(bank, 0, 3)


def test_the_fast_template_says_the_rules_once():
    bank = DOMAINS["ranks"]
    template = prompts.template("fast", bank, subject="bird")
    assert template.prefix_text(bank, 0).startswith("Name the bird in this image at one level")
    names = bank.option_names(0, 3)
    assert template.question(bank, 0, 3) == f"Which species?\nA. {names[0]}\nB. {names[1]}"
    text = prompts.template("fast", bank, "text")
    assert text.prefix_text(bank, 1).startswith("Name Laysan Albatross at one level")
    depths = DOMAINS["depths"]
    assert prompts.template("fast", depths).stem_text(depths, 0, 1) == "Level 2 of 2:"


@pytest.mark.parametrize(
    ("family", "image", "text"),
    [
        ("Qwen2.5-VL-7B", QWEN, "You are a helpful assistant."),
        ("InternVL3-8B", None, None),
        ("gpt-4o", "You are a helpful assistant.", "You are a helpful assistant."),
        ("another", None, None),
        (None, None, None),
    ],
)
def test_system_prompts_by_family(family, image, text):
    assert prompts.system_prompt(family) == image
    assert prompts.system_prompt(family, "text") == text
    assert prompts.template("paper-0", DOMAINS["cub"], family=family).system == image
    assert prompts.image_first(family) is not (family == "gpt-4o")


def test_an_unknown_template_is_named_with_those_there_are():
    bank = make(skewed(5))
    with pytest.raises(LinnetError) as raised:
        prompts.template("paper-7", bank)
    assert str(raised.value).startswith(
        "unknown template 'paper-7' in bank 'skewed-random' (image); templates: paper-0,"
    )
    assert "binary" not in prompts.templates(bank, "text")


@given(taxonomy=taxonomies(gaps=True), named=st.booleans(), modality=st.sampled_from(["image", "text"]))
def test_every_template_words_every_question(taxonomy, named, modality):
    if named:
        taxonomy = replace(taxonomy, ranks=tuple(f"rank{k}" for k in range(taxonomy.n_levels)))
    try:
        bank = make(photos(taxonomy, taxonomy.leaves))
    except LinnetError:
        return
    row, level = np.argwhere(bank.asked)[-1].tolist()
    for name in prompts.templates(bank, modality):
        template = prompts.template(name, bank, modality)
        texts = (
            template.statements(bank, row, level)
            if template.statement
            else [template.question(bank, row, level)]
        )
        joined = "\n".join(texts)
        assert all(option in joined for option in bank.option_names(row, level))
        assert "{" not in joined.replace(str(bank.label[row]), "")
