"""A template turns one question of a bank into text; the wordings are data in prompts.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import yaml

from linnet.bank.bank import Bank
from linnet.errors import LinnetError, unknown
from linnet.taxonomy.names import LINNAEAN, normalise

PAPER_STEMS = tuple(f"paper-{k}" for k in range(5))
ROOTS = {"animal": "imagenet-animal", "artifact": "imagenet-artifact", "food": "food"}


@dataclass(frozen=True)
class Template:
    """The wording of the questions of one bank.

    stem: format string with subject, kind, rank, level, n_levels and label. last_line: what follows the
    options, joined by `joint`. system: system prompt, None for the model's own default. before_image and
    prefix: text of the user turn before the image, and after it but before the question; both are the
    same for all questions of a sample. ranks: level names as written, None where levels are plain depths.
    statement: form of one yes/no statement, None for lettered templates.
    """

    name: str
    domain: str
    modality: str
    stem: str
    last_line: str
    subject: str
    kind: str
    ranks: tuple[str, ...] | None = None
    system: str | None = None
    before_image: str = ""
    prefix: str = ""
    joint: str = "\n"
    statement: str | None = None

    def stem_text(self, bank: Bank, row: int, level: int) -> str:
        """The sentence that asks for one level of one sample."""
        return self._fill(self.stem, bank, row, level)

    def prefix_text(self, bank: Bank, row: int) -> str:
        """Text that all questions of a sample share, '' for templates without a prefix."""
        return self._fill(self.prefix, bank, row, 0)

    def after_image(self, bank: Bank, row: int, question: str) -> str:
        """The user turn after the image: what all questions of the sample share, then one of them."""
        return "\n".join(filter(None, (self.prefix_text(bank, row), question)))

    def question(self, bank: Bank, row: int, level: int, order: np.ndarray | None = None) -> str:
        """Stem, one line 'A. name' per option, last line.

        order: positions of the options in the order to show them, all of them; None keeps the bank's.
        Raises LinnetError for a yes/no template, whose text is `statements`.
        """
        if self.statement is not None:
            raise LinnetError(f"template '{self.name}' has no lettered question; it asks `statements`")
        return self.ask(self.stem_text(bank, row, level), _shown(bank, row, level, order))

    def ask(self, stem: str, options: list[str]) -> str:
        """A stem and its lettered options as one text."""
        lines = [stem, *(f"{chr(65 + k)}. {name}" for k, name in enumerate(options))]
        return "\n".join(lines) + (self.joint + self.last_line if self.last_line else "")

    def statements(self, bank: Bank, row: int, level: int, order: np.ndarray | None = None) -> list[str]:
        """One yes/no statement per option, for templates with a `statement`."""
        if self.statement is None:
            raise LinnetError(f"template '{self.name}' asks lettered questions; use `question`")
        names = _shown(bank, row, level, order)
        form = f"{self.statement}{self.joint}{self.last_line}"
        return [self._fill(form, bank, row, level, option=name) for name in names]

    def _fill(self, form: str, bank: Bank, row: int, level: int, **more: str) -> str:
        rank = self.ranks[level] if self.ranks else f"level {level + 1}"
        return form.format(
            subject=self.subject,
            kind=self.kind,
            rank=rank,
            level=level + 1,
            n_levels=bank.n_levels,
            label=bank.label[row],
            **more,
        )


def _shown(bank: Bank, row: int, level: int, order: np.ndarray | None) -> list[str]:
    names = bank.option_names(row, level)
    return names if order is None else [names[k] for k in order]


@cache
def _wording() -> dict[str, Any]:
    return yaml.safe_load(files("linnet.bank").joinpath("prompts.yaml").read_text("utf-8"))


def domain(bank: Bank) -> str:
    """Which wordings fit a bank: its manifest's `domain`, or what its taxonomy shows.

    One of inat-animal, inat-plant, cub, imagenet-animal, imagenet-artifact, food, or `ranks` and
    `depths` for every other taxonomy with and without named ranks.
    """
    if "domain" in bank.manifest:
        return str(bank.manifest["domain"])
    taxonomy = bank.taxonomy
    top = [normalise(str(name)) for name in taxonomy.names[taxonomy.at_level(0)]]
    if len(top) == 1 and top[0] in ("animalia", "plantae") and taxonomy.n_levels == len(LINNAEAN):
        return "inat-animal" if top[0] == "animalia" else "inat-plant"
    if taxonomy.n_levels == 4 and any("cub" in name.lower() for name in (bank.name, taxonomy.name)):
        return "cub"
    if len(top) == 1 and top[0] in ROOTS and taxonomy.ranks is None:
        return ROOTS[top[0]]
    return "ranks" if taxonomy.ranks else "depths"


def templates(bank_or_domain: Bank | str, modality: str = "image") -> list[str]:
    """Names of the templates that a bank (or a domain) can be asked with; modality image or text."""
    name = bank_or_domain if isinstance(bank_or_domain, str) else domain(bank_or_domain)
    names = [*PAPER_STEMS, "paper-cot", "paper-biocot", "paper-taxonomy", "binary", "plain", "fast"]
    if "chain" not in _wording()["domains"][name]:
        names.remove("paper-biocot")
    image_only = ("paper-cot", "paper-biocot", "paper-taxonomy", "binary")
    return names if modality == "image" else [name for name in names if name not in image_only]


def family_wording(family: str | None) -> dict[str, Any]:
    """What prompts.yaml says of a model family: image, text, image_first, apostrophe, taxonomy_in."""
    key = (family or "").lower()
    found = [words for name, words in _wording()["families"].items() if key.startswith(name)]
    return found[0] if found else {}


def system_prompt(family: str | None, modality: str = "image") -> str | None:
    """System prompt the papers use for a model family ('qwen2.5-vl', 'llava-onevision', 'internvl',
    'gpt-4o', …); None for the model's own default, as for families they did not run."""
    return family_wording(family).get(modality)


def image_first(family: str | None) -> bool:
    """Whether the image stands before the text in the user turn (all families but GPT)."""
    return bool(family_wording(family).get("image_first", True))


def template(
    name: str, bank: Bank, modality: str = "image", subject: str | None = None, family: str | None = None
) -> Template:
    """The template called `name` for a bank; raises LinnetError naming the ones there are.

    modality: 'image', or 'text' where the leaf is named in the question. subject: what the images show
    ('bird'). family: model family whose system prompt and small differences the paper templates take.
    """
    place = domain(bank)
    known = templates(place, modality)
    if name not in known:
        raise LinnetError(unknown("template", name, f"bank '{bank.name}' ({modality})", known))
    about = _wording()["domains"][place]
    plain = Template(
        name,
        place,
        modality,
        stem="",
        last_line="",
        subject=subject or about["subject"],
        kind=subject or about["kind"],
        ranks=_ranks(bank, about),
    )
    if name.startswith("paper-"):
        return _paper(plain, bank, family)
    return {"binary": _binary, "plain": _plain, "fast": _fast}[name](plain)


def lines(ranks: Sequence[str], unknown_name: str = "Unknown") -> Template:
    """The template that asks for all ranks at once, one line each."""
    words = _wording()["lines"]
    form = "\n".join(words["line"].format(rank=rank.capitalize(), unknown=unknown_name) for rank in ranks)
    system = words["system"].format(form=form, unknown=unknown_name, count=len(ranks))
    return Template("lines", "ranks", "image", words["question"], "", "insect", "insect", system=system)


def _ranks(bank: Bank, about: dict[str, Any]) -> tuple[str, ...] | None:
    if bank.taxonomy.ranks or "ranks" not in about:
        return bank.taxonomy.ranks
    return LINNAEAN if about["ranks"] == "linnaean" else tuple(about["ranks"])


def _paper(base: Template, bank: Bank, family: str | None) -> Template:
    words, about = _wording(), _wording()["domains"][base.domain]
    stems = words["stems"][base.modality][about[base.modality]]
    variant = base.name.removeprefix("paper-")
    number = {"cot": 0, "taxonomy": 0, "biocot": 1}.get(variant)
    stem = stems[int(variant) if number is None else number]
    system = system_prompt(family, base.modality)
    made = replace(base, stem=stem, system=system, last_line=words["last_line"])
    if variant == "cot":
        apostrophe = family_wording(family).get("apostrophe", "'")
        return replace(made, last_line=words["cot_last_line"].format(apostrophe=apostrophe))
    if variant == "biocot":
        return replace(made, system=_biocot_system(made, about["chain"]))
    return _with_taxonomy(made, bank, family) if variant == "taxonomy" else made


def _biocot_system(made: Template, chain_name: str) -> str:
    chain = _wording()["chains"][chain_name]
    stem = made.stem.format(
        subject=made.subject, kind=made.kind, rank="phylum", level=2, n_levels=7, label=""
    )
    question = made.ask(stem, chain["options"])
    return _wording()["biocot_system"].format(path=chain["path"], question=question, answer=chain["answer"])


def _with_taxonomy(made: Template, bank: Bank, family: str | None) -> Template:
    tree = bank.taxonomy
    listed = {str(tree.names[leaf]): tree.path(leaf) for leaf in tree.leaves.tolist()}
    told = f"{_wording()['taxonomy_lead']}{listed}"
    words = family_wording(family)
    if words.get("taxonomy_in") == "system":
        system = f"{made.system}\n{told}" if made.system else told
        return replace(made, system=system, joint=words["taxonomy_joint"])
    return replace(made, before_image=f"{told}\n")


def _form(base: Template) -> str:
    return "ranks" if base.ranks else "depths"


def _binary(base: Template) -> Template:
    words = _wording()["binary"]
    statement, last = words[_form(base)], words["last_line"]
    return replace(base, statement=statement, last_line=last, system=words["system"])


def _plain(base: Template) -> Template:
    words = _wording()["plain"]
    return replace(base, stem=words[base.modality][_form(base)], last_line=words["last_line"])


def _fast(base: Template) -> Template:
    words = _wording()["fast"]
    stem, prefix = words[_form(base)], words["prefix"][base.modality]
    return replace(base, stem=stem, prefix=prefix, last_line=words["last_line"])
