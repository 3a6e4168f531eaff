"""Files, folders, globs, tables and detector files become photos; what is not there is said."""

import json
from pathlib import Path

import pytest
from PIL import Image
from predict_fakes import colour, draw, png_head

from linnet.errors import LinnetError
from linnet.evaluate.images import UnreadableError
from linnet.predict.photos import SUFFIXES, Photo, gather


@pytest.fixture
def folder(tmp_path):
    draw(tmp_path / "photos" / "a", 2)
    draw(tmp_path / "photos" / "b", 1)
    (tmp_path / "photos" / "notes.txt").write_text("no photo")
    return tmp_path / "photos"


def refusal(given, tmp_path, **options):
    with pytest.raises(LinnetError) as refused:
        gather([str(one) for one in given], **options)
    return str(refused.value).replace(str(tmp_path), "DIR")


def test_folders_are_walked_and_photos_listed_once(folder):
    photos = gather([str(folder), str(folder / "a" / "photo0.png"), f"{folder}/**/photo1.png"])
    assert [photo.name for photo in photos] == [
        str(folder / name) for name in ("a/photo0.png", "a/photo1.png", "b/photo0.png")
    ]


def test_what_is_not_there(tmp_path):
    assert refusal([tmp_path / "x.jpg"], tmp_path) == "there is no file or folder 'DIR/x.jpg'; check the path"
    assert refusal([tmp_path / "*.jpg"], tmp_path) == "no photo fits the pattern 'DIR/*.jpg'; check the path"


def test_an_empty_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    assert refusal([tmp_path / "empty"], tmp_path) == (
        f"'DIR/empty' holds no photo (looked for {', '.join(SUFFIXES)} in it and its folders); "
        "give another folder"
    )


def test_a_table_keeps_its_other_columns(folder):
    (folder / "media.csv").write_text("mediaID,filePath,timestamp\nm1,a/photo0.png,2024-05-01T06:00:00Z\n")
    (photo,) = gather([str(folder / "media.csv")])
    assert photo.path == folder / "a" / "photo0.png"
    assert photo.more == {"mediaID": "m1", "timestamp": "2024-05-01T06:00:00Z"}


def test_a_table_without_paths(tmp_path):
    (tmp_path / "photos.csv").write_text("id,where\n1,a.png\n")
    assert refusal([tmp_path / "photos.csv"], tmp_path) == (
        "DIR/photos.csv has no column file_name (or filePath, filepath, path, image, file); columns: id, "
        "where; name the one with the paths so"
    )
    (tmp_path / "photos.csv").write_text("file_name,id\na.png,1\n,2\n")
    assert refusal([tmp_path / "photos.csv"], tmp_path) == (
        "row 2 of DIR/photos.csv has no file_name; fill it in or remove the row"
    )


def detections(folder):
    images = [
        {
            "file": "a/photo0.png",
            "detections": [
                {"category": "1", "conf": 0.9, "bbox": [0.5, 0.25, 0.25, 0.5]},
                {"category": "2", "conf": 0.9, "bbox": [0, 0, 1, 1]},
                {"category": "1", "conf": 0.1, "bbox": [0, 0, 1, 1]},
            ],
        },
        {"file": "a/photo1.png", "detections": []},
        {"file": "b/photo0.png", "failure": "Failure image access", "detections": None},
    ]
    categories = {"1": "animal", "2": "person"}
    (folder / "md.json").write_text(json.dumps({"images": images, "detection_categories": categories}))
    return str(folder / "md.json")


def test_a_detector_file_gives_boxes_blanks_and_failures(folder):
    box, blank, failed = gather([detections(folder)])
    assert box.box == (0.5, 0.25, 0.25, 0.5)
    assert box.open().size == (3, 6)
    assert blank.blank
    assert blank.problem == "the detector found no animal"
    assert failed.problem == "the detector could not look at it: Failure image access"
    assert len(gather([detections(folder)], confidence=0.05)) == 4


def test_a_json_of_another_kind(tmp_path):
    (tmp_path / "x.json").write_text('{"a": 1}')
    assert refusal([tmp_path / "x.json"], tmp_path) == (
        "'DIR/x.json' is no MegaDetector file (KeyError: 'images'); it holds 'images', each with 'file' and "
        "'detections' of 'category', 'conf' and 'bbox'"
    )


@pytest.mark.parametrize("box", [(0, 0, 0, 0), (1, 1, 0.5, 0.5), (-0.5, -0.5, 3, 3)])
def test_odd_boxes_stay_inside_the_picture(folder, box):
    width, height = Photo(folder / "a" / "photo0.png", "x", box).open().size
    assert 1 <= width <= 12
    assert 1 <= height <= 12


def test_photos_stand_upright(tmp_path):
    image = Image.new("RGB", (4, 2), colour(1))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=exif)
    assert Photo(tmp_path / "turned.jpg", "turned").open().size == (2, 4)


def unreadable(path):
    with pytest.raises(UnreadableError) as refused:
        Photo(path, "x").open()
    return str(refused.value)


def test_pictures_that_cannot_be_read(tmp_path):
    draw(tmp_path, 1, 64)
    whole = tmp_path / "whole.jpg"
    Image.open(tmp_path / "photo0.png").resize((300, 300)).save(whole)
    torn = tmp_path / "torn.jpg"
    torn.write_bytes(whole.read_bytes()[:700])
    assert unreadable(torn).startswith("photo 'x' cannot be read: image file is truncated")
    (tmp_path / "text.jpg").write_text("no picture")
    assert unreadable(tmp_path / "text.jpg") == "photo 'x' is not an image"
    assert unreadable(Path(tmp_path / "gone.jpg")) == f"photo 'x' is missing in {tmp_path}"


def test_a_huge_picture_is_refused_before_it_is_decoded(tmp_path):
    (tmp_path / "huge.png").write_bytes(png_head(30_000, 30_000))
    assert unreadable(tmp_path / "huge.png").startswith(
        "photo 'x' cannot be read: Image size (900000000 pixels) exceeds limit"
    )
