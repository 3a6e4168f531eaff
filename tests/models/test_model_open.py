import json
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError
from tiny_models import classifier, clip, open_clip_model, siglip

from linnet.errors import LinnetError
from linnet.models import files
from linnet.models.open import open_scorer, split


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    classifier(root / "classifier", ["a", "b"])
    clip(root / "clip")
    siglip(root / "siglip")
    open_clip_model(root / "open_clip")
    return root


@pytest.mark.parametrize(
    ("name", "kind"),
    [("classifier", "classifier"), ("clip", "dual"), ("siglip", "dual"), ("open_clip", "dual")],
)
def test_the_kind_is_read_from_the_files(folders: Path, name: str, kind: str) -> None:
    about = open_scorer(str(folders / name), device="cpu").describe()
    assert (about["kind"], about["model"], about["dtype"]) == (kind, name, "float32")
    assert json.loads(json.dumps(about)) == about
    assert open_scorer(f"{kind}:{folders / name}", device="cpu").describe() == about


def test_prefixes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert split("dual:imageomics/bioclip") == ("dual", "imageomics/bioclip")
    assert split("dual:hf-hub:imageomics/bioclip") == ("dual", "hf-hub:imageomics/bioclip")
    assert split("hf-hub:imageomics/bioclip") == (None, "hf-hub:imageomics/bioclip")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dual:here").mkdir()
    assert split("dual:here") == (None, "dual:here")
    with pytest.raises(LinnetError, match=r"unknown model kind 'duel' in 'duel:x'.*Did you mean 'dual'"):
        split("duel:x")


def test_unknown_options_are_named(folders: Path) -> None:
    with pytest.raises(LinnetError, match=r"unknown option 'lables' in model kind 'classifier'.*'labels'\?"):
        open_scorer(str(folders / "classifier"), lables="x.csv")
    with pytest.raises(LinnetError, match="unknown dtype 'int8' in the model's options"):
        open_scorer(str(folders / "clip"), dtype="int8")
    with pytest.raises(LinnetError, match="device 'warp' cannot be used"):
        open_scorer(str(folders / "clip"), device="warp")
    with pytest.raises(LinnetError, match="unknown value 'kep' in option 'unmapped'"):
        open_scorer(str(folders / "classifier"), unmapped="kep")
    with pytest.raises(LinnetError, match=r"label table none\.csv does not exist"):
        open_scorer(str(folders / "classifier"), labels="none.csv")


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(
        LinnetError, match=r"is no model of a known kind .*looked for config.json.*found: photo.jpg"
    ):
        open_scorer(str(tmp_path))
    (tmp_path / "config.json").write_text('{"architectures": ["T5Model"]}')
    with pytest.raises(LinnetError, match=r"found: architectures \['T5Model'\]"):
        open_scorer(str(tmp_path))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(LinnetError, match=r"config.json is not valid JSON"):
        open_scorer(str(tmp_path))


def test_pickled_weights_are_refused(folders: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text((folders / "clip" / "config.json").read_text())
    (tmp_path / "pytorch_model.bin").touch()
    with pytest.raises(LinnetError, match=r"has no \*\.safetensors file .*pytorch_model\.bin.*never read"):
        open_scorer(str(tmp_path))


def test_names_that_are_neither_folder_nor_hub_id() -> None:
    with pytest.raises(LinnetError, match="'models/a/b' is neither a folder here nor a hub id"):
        open_scorer("models/a/b")


def test_a_hub_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*args: object, **kwargs: object) -> str:
        raise LocalEntryNotFoundError("no network\nand more")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(
        LinnetError, match=r"at revision 'v2' \(LocalEntryNotFoundError: no network\)"
    ) as error:
        open_scorer("dual:owner/name", revision="v2")
    assert "hf download owner/name" in str(error.value)


def test_a_hub_snapshot_is_named_by_its_commit(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def snapshot(model: str, **options: object) -> str:
        asked.update(options, model=model)
        return str(folders / "clip")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    about = open_scorer("hf-hub:owner/name", revision="v2").describe()
    assert (about["kind"], about["model"], about["revision"]) == ("dual", "owner/name", "clip")
    assert (asked["model"], asked["revision"]) == ("owner/name", "v2")
    assert not any(pattern.endswith((".bin", ".py")) for pattern in asked["allow_patterns"])
    open_scorer("owner/name", trust_remote_code=True)
    assert "*.py" in asked["allow_patterns"]


def test_the_revision_of_a_local_folder_follows_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text("{}")
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(bytes(64))
    (tmp_path / "README.md").write_text("one")
    for whole in (files.WHOLE, 0):
        monkeypatch.setattr(files, "WHOLE", whole)
        monkeypatch.setattr(files, "ENDS", 16)
        weights.write_bytes(bytes(64))
        before = files.resolve(str(tmp_path)).revision
        (tmp_path / "README.md").write_text("two")
        assert files.resolve(str(tmp_path)).revision == before
        weights.write_bytes(bytes(63) + b"\1")
        assert files.resolve(str(tmp_path)).revision != before
    before = [files.resolve(str(tmp_path), code=code).revision for code in (False, True)]
    (tmp_path / "modeling.py").write_text("code")
    after = [files.resolve(str(tmp_path), code=code).revision for code in (False, True)]
    assert (before[0], before[1]) == (after[0], before[0])
    assert after[1] != before[1]
    with pytest.raises(LinnetError, match="is a local folder and has no revision 'main'"):
        files.resolve(str(tmp_path), "main")
