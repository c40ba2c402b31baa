import gzip

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mnist_kedro.formats.idx import idx_header
from mnist_kedro.images.image_files import find_pictures
from mnist_kedro.images.normalization import to_mnist_format
from mnist_kedro.parameters import UserError
from tests.drawings import STROKES, draw, on_paper

GREY = on_paper(draw(STROKES[5])).astype(np.uint8)
SEEN = to_mnist_format(GREY).image
IMAGES = np.stack([SEEN, SEEN.T, 255 - SEEN])


def write_table(path, images, **columns):
    names = [f"pixel{number}" for number in range(784)]
    table = pd.DataFrame(images.reshape(-1, 784), columns=names).assign(**columns)
    table[[*columns, *names]].to_csv(path, index=False)
    return path


def write_idx(path, images):
    data = idx_header(images.shape) + images.tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def names(path):
    return [picture.name for picture in find_pictures(path)]


def see(path):
    return [picture.see().image for picture in find_pictures(path)]


@pytest.mark.parametrize("name", ["a.png", "a.JPEG", "a"])
def test_a_picture_is_told_by_what_is_in_it(name, tmp_path):
    Image.fromarray(GREY).save(tmp_path / name, "PNG")
    (picture,) = find_pictures(tmp_path / name)
    assert picture.name == name
    np.testing.assert_array_equal(picture.see().image, SEEN)


@pytest.mark.parametrize("name", ["mine", "mine.idx3-ubyte", "mine.gz"])
def test_images_of_an_idx_file_are_taken_as_they_are(name, tmp_path):
    path = write_idx(tmp_path / name, IMAGES)
    np.testing.assert_array_equal(see(path), IMAGES)
    assert names(path) == [f"{name}#1", f"{name}#2", f"{name}#3"]


def test_images_of_a_numpy_file_are_brought_to_the_format(tmp_path):
    path = tmp_path / "mine.npy"
    np.save(path, np.stack([GREY, 255 - GREY]))
    np.testing.assert_array_equal(see(path), [SEEN, SEEN])
    assert names(path) == ["mine.npy#1", "mine.npy#2"]
    np.save(path, np.asfortranarray(IMAGES))
    np.testing.assert_array_equal(see(path), [SEEN, SEEN.T, SEEN])


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (IMAGES.astype(float), "found float64 of shape (3, 28, 28)"),
        (SEEN, "found uint8 of shape (28, 28)"),
        (IMAGES[..., None], "found uint8 of shape (3, 28, 28, 1)"),
        (np.array([{}], dtype=object), "expected a NumPy array, found"),
    ],
)
def test_another_array_is_refused(array, found, tmp_path):
    path = tmp_path / "mine.npy"
    np.save(path, array)
    check_refused(path, found)


def check_refused(path, message):
    (picture,) = find_pictures(path)
    assert picture.name == path.name
    with pytest.raises(UserError, match=path.name) as caught:
        picture.see()
    assert message in str(caught.value)


DAMAGE = {
    "empty": lambda _: b"",
    "cut": lambda data: data[:-1],
    "half a header": lambda data: data[:60],
    "an open bracket": lambda data: data.replace(b")", b" ", 1),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_array_is_refused(damage, tmp_path):
    path = tmp_path / "mine.npy"
    np.save(path, IMAGES)
    path.write_bytes(damage(path.read_bytes()))
    check_refused(path, "expected a NumPy array, found")


def test_kaggles_tables_are_read_with_or_without_labels(tmp_path):
    plain = write_table(tmp_path / "test.csv", IMAGES)
    labelled = write_table(tmp_path / "train.CSV", IMAGES, label=[5, 0, 0])
    for path in (plain, labelled):
        np.testing.assert_array_equal(see(path), IMAGES)
        assert names(path) == [f"{path.name}#{number}" for number in (1, 2, 3)]


HEADER = ",".join(f"pixel{number}" for number in range(784))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("pixel0,pixel1\n1,2\n", "found 2 of int64, the first one named 'pixel0'"),
        (2 * ("0" + ",0" * 783 + "\n"), "the first one named '0'"),
        (HEADER + "\n0.5" + ",0.5" * 783, "float64"),
        (HEADER + "\n256" + ",256" * 783, "256 to 256"),
        ("label\n3\n", "found 0 of"),
        (HEADER, "found 784 of object"),
        (HEADER + "\n" + "1," * 784 + "1", "more numbers than the header has names"),
        (HEADER + "\n1\n" + "1," * 784 + "1", "a damaged one: Error tokenizing data. C error: Exp"),
        (HEADER + "\n\udcff", "a damaged one: 'utf-8' codec can't decode byte 0xff"),
    ],
)
def test_another_table_is_refused(text, found, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(text, errors="surrogateescape")
    check_refused(path, found)


def test_a_folder_is_read_in_order_with_the_folders_in_it(tmp_path):
    (tmp_path / "b" / ".cache").mkdir(parents=True)
    for name in ("c.png", "a.png", "b/d.png", "b/.cache/e.png", ".DS_Store"):
        Image.fromarray(GREY).save(tmp_path / name, "PNG")
    write_idx(tmp_path / "z.gz", IMAGES)
    assert names(tmp_path) == ["a.png", "b/d.png", "c.png", "z.gz#1", "z.gz#2", "z.gz#3"]
    np.testing.assert_array_equal(see(tmp_path)[0], SEEN)


def test_one_bad_file_does_not_keep_the_others_from_being_read(tmp_path):
    good = tmp_path / "z.png"
    Image.fromarray(GREY).save(good)
    write_idx(tmp_path / "a", IMAGES[:, :20])
    write_idx(tmp_path / "labels", np.zeros(3, dtype=np.uint8))
    write_table(tmp_path / "b.csv", IMAGES).open("ab").write(b"1,2\n")
    (tmp_path / "c.npy").write_bytes(b"")
    (tmp_path / "d.gz").write_bytes(b"\x1f\x8b?")
    (tmp_path / "f.csv").write_bytes(b"")
    (tmp_path / "g.png").write_bytes(good.read_bytes()[:100])
    (tmp_path / "h.txt").write_text("no picture")
    seen, refused = [], []
    for picture in find_pictures(tmp_path):
        try:
            picture.see()
            seen.append(picture.name)
        except UserError:
            refused.append(picture.name)
    assert seen == ["z.png"]
    assert refused == ["a", "b.csv", "c.npy", "d.gz", "f.csv", "g.png", "h.txt", "labels"]
