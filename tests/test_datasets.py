"""The built-in datasets give the images that they describe, and say what to do where they cannot."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from ganzoo.api import DatasetSpec, Images, NoParams
from ganzoo.data import decode
from ganzoo.data.cache import cached, stat_key
from ganzoo.data.decode import Source, decode_image
from ganzoo.errors import DataError, ParameterError
from ganzoo.zoo.datasets import archive, digits, folder
from ganzoo.zoo.specs import datasets as specs
from ganzoo.zoo.specs.datasets import FolderParams, ZipParams

SHARED = Path(os.environ.get("GANZOO_DATA", Path(__file__).parents[2] / "shared" / "data"))


def shared(name: str) -> Path:
    """Return a file of the shared data; skip the test where it is absent."""
    if not (SHARED / name).exists():
        pytest.skip(f"{SHARED / name} is absent; name a folder that has it with $GANZOO_DATA")
    return SHARED / name


def encoded(pixels: Any, kind: str = "PNG", **options: Any) -> bytes:
    """Return pixels, or a Pillow image, as the bytes of an image file."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(np.asarray(pixels, np.uint8))
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def plain(value: int, size: tuple[int, int] = (8, 8), channels: int = 3) -> bytes:
    """Return a PNG of one grey value; `size` is height and width."""
    return encoded(np.full((*size, 3) if channels == 3 else size, value))


def put(root: Path, files: dict[str, bytes]) -> Path:
    """Write files below a folder and return it."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def zipped(file: Path, files: dict[str, bytes], labels: Any = None) -> str:
    """Write a dataset zip and return its path."""
    with ZipFile(file, "w") as out:
        for name, content in files.items():
            out.writestr(name, content)
        if labels is not None:
            out.writestr("dataset.json", json.dumps({"labels": labels}))
    return str(file)


def decoded(content: bytes, channels: int = 0, size: int = 0) -> np.ndarray:
    """Decode the bytes of one image file."""
    return decode_image(Source("x.png", lambda: content), channels, size)


def assert_as_described(spec: DatasetSpec, params: Any, root: Path, images: Images, test: bool = False) -> None:
    """Check a split against the contract and against what its spec says before a pixel is read."""
    info = spec.describe(params, root)
    pixels, labels = images
    assert (pixels.dtype, pixels.shape) == (np.uint8, (info.test if test else info.train, *info.shape))
    assert pixels.flags.c_contiguous
    assert (labels is None) == (info.classes == 0)
    if labels is not None:
        assert (labels.dtype, labels.shape) == (np.int64, pixels.shape[:1])
        assert labels.min() >= 0
        assert labels.max() < info.classes


# The published datasets ---------------------------------------------------------------------------------------------


def test_describing_needs_neither_numpy_nor_torch():
    code = (
        "import sys, pathlib; from ganzoo.zoo.specs import datasets as d;"
        "d.DIGITS.describe(d.DIGITS.params(), pathlib.Path());"
        "print([m for m in ('numpy', 'PIL', 'torch', 'torchvision') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_digits_are_split_by_thirds_and_equal_scikit_learns(tmp_path: Path):
    train, test = (digits.load(NoParams(), tmp_path, split) for split in ("train", "test"))
    assert_as_described(specs.DIGITS, NoParams(), tmp_path, train)
    assert_as_described(specs.DIGITS, NoParams(), tmp_path, test, test=True)
    theirs = pytest.importorskip("sklearn.datasets").load_digits()
    assert train.labels is not None
    assert test.labels is not None
    assert np.array_equal(train.labels, np.delete(theirs.target, np.s_[2::3]))
    assert np.array_equal(test.labels, theirs.target[2::3])
    darkness = theirs.images[2::3].reshape(599, -1)
    ours = test.pixels.reshape(599, -1).astype(float)
    assert np.corrcoef(darkness.ravel(), ours.ravel())[0, 1] > 0.999


def test_mnist_is_mnist():
    from ganzoo.zoo.datasets.vision import load_mnist

    root = shared("MNIST").parent
    train, test = (load_mnist(NoParams(), root, split) for split in ("train", "test"))
    assert_as_described(specs.MNIST, NoParams(), root, train)
    assert_as_described(specs.MNIST, NoParams(), root, test, test=True)
    assert train.pixels.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert train.pixels.std() / 255 == pytest.approx(0.3081, abs=5e-5)
    assert train.labels is not None
    assert train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_a_failed_download_says_what_to_put_where(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    from ganzoo.zoo.datasets import vision

    def no_network(*args: Any, **kwargs: Any) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    with pytest.raises(DataError, match=r"is missing and the download failed .*no network.*--data-root") as error:
        getattr(vision, f"load_{name}")(NoParams(), tmp_path, "train")
    expected = {"mnist": "MNIST/raw", "fashion_mnist": "FashionMNIST/raw", "cifar10": "cifar-10-batches-py"}[name]
    assert str(tmp_path / expected) in str(error.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("content", [b"", b"garbage" * 9, b"\0\0\x08\x03\0\0\0\x02\0\0\0\x1c\0\0\0\x1c" + bytes(1568)])
def test_damaged_mnist_files_are_named(content: bytes, tmp_path: Path):
    from ganzoo.zoo.datasets.vision import load_mnist

    kinds = [f"{split}-{kind}" for split in ("train", "t10k") for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]
    raw = put(tmp_path / "MNIST" / "raw", dict.fromkeys(kinds, content))
    with pytest.raises(DataError, match=r"damaged.*delete that folder") as error:
        load_mnist(NoParams(), tmp_path, "test")
    assert str(raw) in str(error.value)


def test_damaged_cifar10_files_are_named(tmp_path: Path):
    from ganzoo.zoo.datasets.vision import load_cifar10

    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch", "batches.meta"]
    batches = put(tmp_path / "cifar-10-batches-py", dict.fromkeys(names, b"garbage"))
    with pytest.raises(DataError, match=f"{batches} are damaged"):
        load_cifar10(NoParams(), tmp_path, "train")


def test_cifar10_is_read_in_its_own_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import hashlib
    import pickle

    from torchvision.datasets import CIFAR10

    from ganzoo.zoo.datasets.vision import load_cifar10

    data = np.random.default_rng(0).integers(0, 256, (10_000, 3 * 32 * 32), np.uint8)
    batch = pickle.dumps({"data": data, "labels": [i % 10 for i in range(10_000)]})
    meta = pickle.dumps({"label_names": list("abcdefghij")})
    put(tmp_path / "cifar-10-batches-py", {"test_batch": batch, "batches.meta": meta})
    monkeypatch.setattr(CIFAR10, "train_list", [])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", hashlib.md5(batch).hexdigest()]])
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": hashlib.md5(meta).hexdigest()})
    test = load_cifar10(NoParams(), tmp_path, "test")
    assert_as_described(specs.CIFAR10, NoParams(), tmp_path, test, test=True)
    assert np.array_equal(test.pixels.reshape(10_000, -1), data)


# A folder -----------------------------------------------------------------------------------------------------------


def test_sub_folders_are_classes_and_the_order_is_that_of_names(tmp_path: Path):
    put(
        tmp_path,
        {
            "train/dog/b.png": plain(20),
            "train/dog/A.PNG": plain(10),
            "train/cat/deep/z.png": plain(5),
            "train/cat/a.png": plain(1),
            "train/cat/.hidden.png": b"not an image",
            "train/.cache/x.png": b"not an image",
            "train/notes.txt": b"",
            "train/cat/png": b"not an image, only called one",
            "test/dog/x.png": plain(30),
        },
    )
    params = FolderParams("train", size=4, test="test")
    train, test = (folder.load(params, tmp_path, split) for split in ("train", "test"))
    assert_as_described(specs.FOLDER, params, tmp_path, train)
    assert_as_described(specs.FOLDER, params, tmp_path, test, test=True)
    assert train.pixels[:, 0, 0, 0].tolist() == [1, 5, 10, 20]
    assert train.labels is not None
    assert test.labels is not None
    assert train.labels.tolist() == [0, 0, 1, 1]
    assert test.labels.tolist() == [1]  # numbered as the training split's classes
    assert specs.FOLDER.describe(params, tmp_path).classes == 2


@pytest.mark.parametrize("where", ["", "img_align/"])
def test_a_flat_folder_and_a_single_sub_folder_have_no_labels(where: str, tmp_path: Path):
    put(tmp_path, {f"{where}{i:03}.png": plain(i) for i in reversed(range(200))})
    params = FolderParams(str(tmp_path), size=4, channels=1)
    images = folder.load(params, Path("unused"), "train")
    assert_as_described(specs.FOLDER, params, tmp_path, images)
    assert images.pixels[:, 0, 2, 2].tolist() == list(range(200))


def test_paths_are_relative_to_here_then_to_the_data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    put(tmp_path, {"here/both/a.png": plain(1), "root/both/a.png": plain(2), "root/only/a.png": plain(3)})
    monkeypatch.chdir(tmp_path / "here")
    root = tmp_path / "root"
    assert folder.load(FolderParams("both"), root, "train").pixels.max() == 1
    assert folder.load(FolderParams("only"), root, "train").pixels.max() == 3
    with pytest.raises(DataError, match=r"'neither' does not exist: looked at .*here/neither and .*root/neither"):
        specs.FOLDER.describe(FolderParams("neither"), root)
    with pytest.raises(DataError, match="'' does not exist"):
        specs.FOLDER.describe(FolderParams(""), root)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"notes.txt": b""}, "holds no images"),
        ({"a.png": plain(1), "cat/b.png": plain(1)}, r"holds images itself \(a.png\) and in sub-folders \(cat\)"),
        ({"a.png": plain(1), "b.png": b"garbage"}, r"b.png cannot be decoded \(not one of PNG.*remove or replace it"),
        (
            {"a.jpg": encoded(np.indices((64, 64)).sum(0) * 37 % 256, "JPEG")[:-99]},
            "a.jpg cannot be decoded.*truncated",
        ),
        ({"a.png": b""}, "a.png cannot be decoded"),
        ({"a.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n"}, "a.png cannot be decoded"),
    ],
)
def test_a_folder_that_cannot_be_used_says_why(files: dict[str, bytes], message: str, tmp_path: Path):
    put(tmp_path, files)
    with pytest.raises(DataError, match=message):
        folder.load(FolderParams(str(tmp_path)), tmp_path, "train")


def test_folder_splits_that_do_not_fit_are_refused(tmp_path: Path):
    put(tmp_path, {"train/a/1.png": plain(1), "train/b/1.png": plain(1), "test/c/1.png": plain(1), "x.zip": b""})
    with pytest.raises(DataError, match="no test split: say where its images are with test="):
        folder.load(FolderParams("train"), tmp_path, "test")
    with pytest.raises(DataError, match=r"c/1.png is in none of the class folders of train \(a, b\)"):
        specs.FOLDER.describe(FolderParams("train", test="test"), tmp_path)
    with pytest.raises(DataError, match="for a zip write zip:path="):
        specs.FOLDER.describe(FolderParams("x.zip"), tmp_path)
    with pytest.raises(ParameterError, match="channels=2 is not one of 1, 3"):
        FolderParams("train", channels=2)


# Decoding -----------------------------------------------------------------------------------------------------------


def test_lossless_formats_come_back_exactly():
    rng = np.random.default_rng(0)
    colour, grey = rng.integers(0, 256, (5, 7, 3)), rng.integers(0, 256, (5, 7))
    for kind in ("PNG", "BMP", "TIFF", "PPM"):
        assert np.array_equal(decoded(encoded(colour, kind)), colour.transpose(2, 0, 1))
        assert np.array_equal(decoded(encoded(grey, kind)), grey[None])
    assert np.array_equal(decoded(encoded(colour, "WEBP", lossless=True)), colour.transpose(2, 0, 1))
    assert np.array_equal(decoded(encoded(grey), channels=3), np.repeat(grey[None], 3, 0))


def test_transparent_becomes_white():
    rgba = np.full((4, 4, 4), 100, np.uint8)
    rgba[:2, :, 3], rgba[2:, :, 3] = 0, 255
    expected = [255, 255, 100, 100]
    assert decoded(encoded(rgba))[0, :, 0].tolist() == expected
    assert decoded(encoded(Image.fromarray(rgba).convert("LA"))).tolist() == [[[v] * 4 for v in expected]]
    palette = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    palette.putpalette([9, 9, 9, 200, 0, 0])
    assert decoded(encoded(palette, transparency=0)).tolist() == [[[255, 200]], [[255, 0]], [[255, 0]]]


def test_sixteen_bits_keep_their_upper_eight_and_unknown_ranges_are_refused():
    deep = np.array([[0, 255, 256, 40_000, 65_535]], np.uint16)
    grey = b"P5 5 1 65535\n" + deep.astype(">u2").tobytes()  # which Pillow writes since 11 only
    for image in (encoded(Image.fromarray(deep), "PNG"), encoded(Image.fromarray(deep), "TIFF"), grey):
        assert decoded(image).tolist() == [[[0, 0, 1, 156, 255]]]
    for values in (np.array([[0.5]], np.float32), np.array([[70_000]], np.int32)):
        with pytest.raises(DataError, match="range is not known"):
            decoded(encoded(Image.fromarray(values), "TIFF"))


def test_cmyk_and_black_and_white_are_converted():
    red = Image.new("RGB", (8, 8), (255, 0, 0))
    assert np.abs(decoded(encoded(red.convert("CMYK"), "TIFF")) - np.reshape([255, 0, 0], (3, 1, 1))).max() <= 2
    assert decoded(encoded(Image.new("1", (2, 1), 1))).tolist() == [[[255, 255]]]


def test_exif_orientation_is_applied():
    wide = np.array([[1, 2, 3], [4, 5, 6]], np.uint8) * 10
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated clockwise by 90 degrees
    assert np.array_equal(decoded(encoded(wide, exif=exif)), np.rot90(wide, -1)[None])


def test_animations_give_their_first_frame():
    first, second = Image.new("RGB", (4, 4), (255, 255, 255)), Image.new("RGB", (4, 4), (0, 0, 0))
    assert decoded(encoded(first, "GIF", save_all=True, append_images=[second])).min() == 255


@pytest.mark.parametrize("shape", [(40, 64), (64, 40), (40, 40), (13, 16), (16, 13)])
def test_the_centre_square_is_kept(shape: tuple[int, int]):
    height, width = shape
    side = min(shape)
    y, x = np.mgrid[:height, :width]
    inside = (abs(y - (height - 1) / 2) < side / 2) & (abs(x - (width - 1) / 2) < side / 2)
    image = decoded(encoded(np.where(inside, 200, 0)), size=20)
    assert image.shape == (1, 20, 20)
    assert image[0, 4:-4, 4:-4].min() >= 199
    assert image.mean() > 180


def test_shrinking_averages_instead_of_picking():
    stripes = np.tile([0, 255], (64, 32))
    assert abs(decoded(encoded(stripes), size=8).astype(int) - 127).max() < 10


# A zip --------------------------------------------------------------------------------------------------------------


def test_cifar10_test_zip_is_cifar10():
    params = ZipParams(str(shared("cifar10-test-32x32.zip")))
    images = archive.load(params, SHARED, "train")
    assert_as_described(specs.ZIP, params, SHARED, images)
    assert images.pixels.mean((0, 2, 3)) / 255 == pytest.approx([0.4942, 0.4851, 0.4504], abs=5e-5)
    assert images.labels is not None
    assert np.bincount(images.labels).tolist() == [1000] * 10


def test_a_zip_is_read_in_order_of_paths_with_its_labels(tmp_path: Path):
    files = {"01/b.png": plain(3), "00/z.png": plain(2), "00/a.png": plain(1), "__MACOSX/00/._a.png": b"", "x.txt": b""}
    path = zipped(tmp_path / "train.zip", files, [["01/b.png", 0], ["00\\a.png", 2], ["00/z.png", 1]])
    params = ZipParams(path, test=zipped(tmp_path / "test.zip", {"q.png": plain(9)}, [["q.png", 2]]))
    train, test = (archive.load(params, tmp_path, split) for split in ("train", "test"))
    assert_as_described(specs.ZIP, params, tmp_path, train)
    assert_as_described(specs.ZIP, params, tmp_path, test, test=True)
    assert train.pixels[:, 0, 0, 0].tolist() == [1, 2, 3]
    assert train.labels is not None
    assert train.labels.tolist() == [2, 1, 0]


def test_a_zipped_up_folder_keeps_its_labels(tmp_path: Path):
    file = tmp_path / "x.zip"
    with ZipFile(file, "w") as out:
        out.writestr("top/a.png", plain(1))
        out.writestr("top/dataset.json", json.dumps({"labels": [["a.png", 1]]}))
    labels = archive.load(ZipParams(str(file)), tmp_path, "train").labels
    assert labels is not None
    assert labels.tolist() == [1]


def test_a_zip_is_resized_where_the_user_says_so(tmp_path: Path):
    files = {"a.png": plain(1, (8, 8), channels=1), "b.png": plain(1, (10, 30))}
    path = zipped(tmp_path / "x.zip", files)
    for channels in (1, 3):
        params = ZipParams(path, size=16, channels=channels)
        assert_as_described(specs.ZIP, params, tmp_path, archive.load(params, tmp_path, "train"))
    with pytest.raises(DataError, match=r"b.png in .*x.zip has colour.*channels=3"):
        archive.load(ZipParams(path, size=16), tmp_path, "train")


def test_a_grey_image_among_coloured_ones_is_repeated(tmp_path: Path):
    path = zipped(tmp_path / "x.zip", {"a.png": plain(1), "b.png": plain(2, channels=1)})
    assert archive.load(ZipParams(path), tmp_path, "train").pixels[1].tolist() == np.full((3, 8, 8), 2).tolist()


@pytest.mark.parametrize("labels", [[], [["a.png", [0.5, 1.5]], ["b.png", [1, 2]]]])
def test_vectors_are_not_classes(labels: Any, tmp_path: Path):
    path = zipped(tmp_path / "x.zip", {"a.png": plain(1), "b.png": plain(2)}, labels)
    assert specs.ZIP.describe(ZipParams(path), tmp_path).classes == 0
    assert archive.load(ZipParams(path), tmp_path, "train").labels is None


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([["a.png", 0]], "lacks labels for 1 of 2 images, first b.png"),
        ([["a.png", 0], ["b.png", "cat"]], "label 'cat' is not a class; number the classes"),
        ([["a.png", 0], ["b.png", None]], "label None is not a class"),
        ([["a.png", 0], ["b.png", True]], "label True is not a class"),
        ([["a.png", 0], ["b.png", -1]], "label -1 is not a class"),
        ([["a.png", 0], ["b.png", 10**20]], "label 100000000000000000000 is not a class"),
        ([["a.png", 0], ["b.png", [1]]], r"label \[1\] is not a class"),
        (["a.png"], "dataset.json in .* cannot be read"),
        (7, "dataset.json in .* cannot be read"),
    ],
)
def test_labels_that_are_wrong_are_named(labels: Any, message: str, tmp_path: Path):
    path = zipped(tmp_path / "x.zip", {"a.png": plain(1), "b.png": plain(2)}, labels)
    with pytest.raises(DataError, match=message):
        specs.ZIP.describe(ZipParams(path), tmp_path)


def test_a_dataset_json_that_is_no_json_is_named(tmp_path: Path):
    path = zipped(tmp_path / "x.zip", {"a.png": plain(1), "dataset.json": b"{"})
    with pytest.raises(DataError, match=r"dataset.json in .*x.zip cannot be read"):
        archive.load(ZipParams(path), tmp_path, "train")


def test_a_zip_that_cannot_be_used_says_why(tmp_path: Path):
    whole = Path(zipped(tmp_path / "whole.zip", {f"{i}.png": plain(i) for i in range(9)})).read_bytes()
    put(tmp_path, {"cut.zip": whole[:-40], "garbage.zip": b"garbage", "empty.zip": b""})
    for name in ("cut.zip", "garbage.zip", "empty.zip"):
        with pytest.raises(DataError, match=f"{name} is not a readable zip .*copy or make it again"):
            specs.ZIP.describe(ZipParams(name), tmp_path)
    zipped(tmp_path / "none.zip", {"readme.txt": b""})
    with pytest.raises(DataError, match=r"none\.zip holds no images"):
        specs.ZIP.describe(ZipParams("none.zip"), tmp_path)
    with pytest.raises(DataError, match="is a folder, not a zip: write folder:path="):
        specs.ZIP.describe(ZipParams("."), tmp_path)
    with pytest.raises(DataError, match="no test split"):
        archive.load(ZipParams("whole.zip"), tmp_path, "test")


def test_damage_inside_a_zip_names_the_image(tmp_path: Path):
    path = Path(zipped(tmp_path / "x.zip", {"a.png": plain(1), "b.png": plain(2)}))
    content = bytearray(path.read_bytes())
    content[content.rindex(b"IDAT") + 6] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"b.png in .*x.zip cannot be decoded.*CRC"):
        archive.load(ZipParams(str(path)), tmp_path, "train")


def test_images_of_different_sizes_are_named(tmp_path: Path):
    path = zipped(tmp_path / "x.zip", {"a.png": plain(1, (8, 8)), "b.png": plain(2, (8, 9))})
    with pytest.raises(DataError, match=r"b.png in .* is 8x9 .* first image 8x8: .*size="):
        archive.load(ZipParams(path), tmp_path, "train")


def test_test_labels_beyond_the_training_classes_are_refused(tmp_path: Path):
    path = zipped(tmp_path / "train.zip", {"a.png": plain(1)}, [["a.png", 1]])
    for labels, found in ((None, "no classes"), ([["a.png", 2]], "class 2")):
        test = zipped(tmp_path / "test.zip", {"a.png": plain(1)}, labels)
        with pytest.raises(DataError, match=f"test.zip has {found}, the training images have 0 to 1"):
            specs.ZIP.describe(ZipParams(path, test=test), tmp_path)


# The cache of decoded images ----------------------------------------------------------------------------------------

EXAMPLE = Images(np.arange(96, dtype=np.uint8).reshape(2, 3, 4, 4), np.array([3, 1]))


def unexpected() -> Images:
    """Stand in for a build that must not happen."""
    raise AssertionError("built although it was kept")


def assert_same(images: Images, expected: Images) -> None:
    for ours, theirs in zip(images, expected, strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None and theirs is not None:
            assert ours.dtype == theirs.dtype
            assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("expected", [EXAMPLE, EXAMPLE._replace(labels=None)])
def test_images_are_built_once(expected: Images, tmp_path: Path):
    assert_same(cached("key", lambda: expected, tmp_path / "new" / "cache"), expected)
    kept = cached("key", unexpected, tmp_path / "new" / "cache")
    assert_same(kept, expected)
    assert isinstance(kept.pixels, np.memmap)
    assert sorted(path.name for path in (tmp_path / "new" / "cache").iterdir()) == ["key", "key.lock"]


def test_what_a_caller_writes_stays_its_own(tmp_path: Path):
    cached("key", lambda: EXAMPLE, tmp_path).pixels[:] = 0
    assert_same(cached("key", unexpected, tmp_path), EXAMPLE)


@pytest.mark.parametrize("file", ["pixels.npy", "labels.npy", "meta.json"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "garbage", "flipped"])
def test_a_damaged_entry_is_built_anew(file: str, damage: str, tmp_path: Path):
    cached("key", lambda: EXAMPLE, tmp_path)
    path = tmp_path / "key" / file
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        flipped = content[:-1] + bytes([content[-1] ^ 1])
        damaged = {"empty": b"", "cut": content[:-1], "garbage": b"?" * len(content), "flipped": flipped}
        path.write_bytes(damaged[damage])
    put(tmp_path / "key.part", {"fresh/pixels.npy": b"?"})  # what a writer leaves that was killed half-way
    assert_same(cached("key", lambda: EXAMPLE, tmp_path), EXAMPLE)
    assert_same(cached("key", unexpected, tmp_path), EXAMPLE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "key.lock"]


def test_a_build_that_fails_leaves_nothing(tmp_path: Path):
    def failing() -> Images:
        raise DataError("broken")

    with pytest.raises(DataError, match="broken"):
        cached("key", failing, tmp_path)
    assert_same(cached("key", lambda: EXAMPLE, tmp_path), EXAMPLE)


def test_a_folder_that_takes_no_files_is_named(tmp_path: Path):
    put(tmp_path, {"file": b""})
    with pytest.raises(DataError, match=r"cannot keep decoded images in .*file/cache"):
        cached("key", lambda: EXAMPLE, tmp_path / "file" / "cache")


def test_a_full_disk_is_named_as_numpy_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: Any, **__: Any) -> None:
        raise OSError("96 requested and 7 written")  # without an errno

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(DataError, match=r"\(96 requested and 7 written\): free space there"):
        cached("key", lambda: EXAMPLE, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["key.lock"]


def _build_in_a_process(folder: Path, barrier: Any, built: Any) -> None:
    """Ask for an entry at the same time as another process and count the builds."""

    def build() -> Images:
        with built.get_lock():
            built.value += 1
        return EXAMPLE

    barrier.wait(30)
    assert_same(cached("key", build, folder), EXAMPLE)


def test_processes_that_ask_at_once_build_once(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    barrier, built = context.Barrier(2), context.Value("i", 0)
    processes = [context.Process(target=_build_in_a_process, args=(tmp_path, barrier, built)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert built.value == 1


def only_decoded(monkeypatch: pytest.MonkeyPatch, cache: Path) -> list[int]:
    """Use an empty cache, and return a list that grows with how many images are decoded at a time."""
    counts: list[int] = []
    decode_all = decode.decode_all

    def counting(sources: Any, *rest: Any) -> np.ndarray:
        counts.append(len(sources))
        return decode_all(sources, *rest)

    monkeypatch.setenv("GANZOO_CACHE", str(cache))
    monkeypatch.setattr(decode, "decode_all", counting)
    return counts


def corners(images: Images) -> list[tuple[int, int]]:
    """Return the first value and the label of each image."""
    assert images.labels is not None
    return list(zip(images.pixels[:, 0, 0, 0].tolist(), images.labels.tolist(), strict=True))


def test_a_folder_is_decoded_once_until_a_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    counts = only_decoded(monkeypatch, tmp_path / "cache")
    images = put(tmp_path / "images", {"a/0.png": plain(10), "b/0.png": plain(20), "b/1.png": plain(30)})
    params = FolderParams(str(images), size=8, channels=1)
    for _ in range(2):
        assert corners(folder.load(params, tmp_path, "train")) == [(10, 0), (20, 1), (30, 1)]
    assert counts == [3]
    put(images, {"b/1.png": plain(99)})
    assert folder.load(params, tmp_path, "train").pixels[2, 0, 0, 0] == 99
    put(images, {"b/2.png": plain(5)})
    assert len(folder.load(params, tmp_path, "train").pixels) == 4
    assert folder.load(FolderParams(str(images), size=4, channels=1), tmp_path, "train").pixels.shape == (4, 1, 4, 4)
    assert counts == [3, 3, 4, 4]


def test_a_moved_label_needs_no_decoding_and_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Labels are read anew: those of a test split hang on the training split's class folders."""
    counts = only_decoded(monkeypatch, tmp_path / "cache")
    train = put(tmp_path / "train", {"a/0.png": plain(1), "b/0.png": plain(2)})
    test = put(tmp_path / "test", {"b/0.png": plain(3)})
    params = FolderParams(str(train), size=8, channels=1, test=str(test))
    assert corners(folder.load(params, tmp_path, "test")) == [(3, 1)]
    put(train, {"aa/0.png": plain(4)})
    assert corners(folder.load(params, tmp_path, "test")) == [(3, 2)]
    assert counts == [1]


def test_a_zip_is_decoded_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    counts = only_decoded(monkeypatch, tmp_path / "cache")
    file = tmp_path / "images.zip"
    params = ZipParams(zipped(file, {"0.png": plain(10), "1.png": plain(20)}, [["0.png", 1], ["1.png", 0]]))
    for _ in range(2):
        assert corners(archive.load(params, tmp_path, "train")) == [(10, 1), (20, 0)]
    assert counts == [2]
    zipped(file, {"0.png": plain(30)})
    assert archive.load(params, tmp_path, "train").pixels[:, 0, 0, 0].tolist() == [30]
    assert counts == [2, 1]


def test_a_key_of_files_changes_with_them(tmp_path: Path):
    put(tmp_path, {"a": b"1", "b": b"2"})
    files = [tmp_path / "a", tmp_path / "b"]
    key = stat_key(files)
    assert stat_key(reversed(files)) == key
    assert stat_key(files[:1]) != key
    os.utime(files[0], ns=(1, 1))
    touched = stat_key(files)
    assert touched != key
    files[0].write_bytes(b"11")
    os.utime(files[0], ns=(1, 1))
    resized, changed = stat_key(files), files[0].stat().st_ctime_ns
    assert resized != touched
    while files[0].stat().st_ctime_ns == changed:  # the clock of files stands still for some milliseconds
        files[0].write_bytes(b"12")
        os.utime(files[0], ns=(1, 1))  # as an archive is unpacked whose files have one and the same time
    assert stat_key(files) != resized
    files[0].unlink()
    with pytest.raises(DataError, match="a cannot be read"):
        stat_key(files)
