"""A model: the same answer from memory, from its file, alone and among others; nothing hostile is run."""

import csv
import dataclasses
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import draw_folder, picture, read_table, said_by
from PIL import Image

from striate.cli import main
from striate.data.load import hash_of
from striate.data.prepare import Preparation, Shape, fit
from striate.data.sample import Boxes
from striate.data.symbols import SYMBOLS
from striate.data.values import mask_values
from striate.errors import StriateError
from striate.evaluate.scores import classification_scores
from striate.evaluate.seal import learned_from
from striate.export.answers import write_answers
from striate.export.items import items
from striate.export.model import Model, load_model
from striate.export.tensors import read_tensors, write_tensors
from striate.export.underway import MODEL_FILE
from striate.inside.heatmap import heatmap
from striate.network.build import build
from striate.tasks.areas import Areas
from striate.tasks.classification import Classification
from striate.tasks.detection import Detection
from striate.tasks.segmentation import Segmentation
from striate.tasks.task import Task

LINE = "conv 6 3, batchnorm, silu, residual(conv 6 3), globalmaxpool, dense classes"


def make_model(line: str = LINE, classes: tuple[str, ...] = ("a", "b", "c"), **changes: object) -> Model:
    """A model with random weights for 8×8 grey pictures."""
    task = Classification(classes)
    network = build(line, (1, 8, 8), task.outputs, seed=3)
    network = network.to(memory_format=torch.channels_last).eval()
    figures = {"low": (0.0,), "high": (255.0,), "mean": (0.4,), "std": (0.25,)}
    preparation = Preparation(shape=Shape(height=8, width=8, channels=1), **figures)
    return Model(network, task, preparation, **{"about": {"majority": classes[0]}, **changes})


def prepared(count: int) -> np.ndarray:
    return np.stack([picture(number % 3, number)[:, :, None] for number in range(count)])


def by_hand(model: Model, pictures: np.ndarray) -> np.ndarray:
    """Probabilities from the definition, in float64 and picture by picture."""
    rows, network = [], build(model.network.text, (1, 8, 8), 1).double().eval()
    network.load_state_dict({name: value.double() for name, value in model.network.state_dict().items()})
    for one in pictures[..., 0].astype(np.float64):
        x = torch.from_numpy((one / 255 - 0.4) / 0.25)[None, None]
        with torch.no_grad():
            logits = network.logits(x)
            if model.mirror:
                logits = (logits + network.logits(x.flip(3))) / 2
        scaled = np.exp((logits / model.temperature).numpy()[0])
        rows.append(scaled / scaled.sum())
    return np.array(rows)


@pytest.mark.parametrize("changes", [{}, {"mirror": True}, {"temperature": 2.5}, {"mirror": True, "temperature": 0.5}])
def test_probabilities_are_those_of_the_definition(changes: dict) -> None:
    """Scale, standardise, network, mean with the mirror image, temperature, softmax: as worked out by hand."""
    model, pictures = make_model(**changes), prepared(9)
    np.testing.assert_allclose(said_by(model, pictures), by_hand(model, pictures), atol=1e-5)


@pytest.mark.parametrize("mirror", [False, True])
def test_a_prediction_is_the_same_alone_and_among_others(mirror: bool) -> None:
    """Bit for bit: one by one, in any company, in any order, across batch borders."""
    model, pictures = make_model(mirror=mirror), prepared(150)
    whole = said_by(model, pictures)
    alone = [said_by(model, pictures[n : n + 1]) for n in range(0, 150, 10)]
    assert np.array_equal(np.concatenate(alone), whole[::10])
    order = np.random.default_rng(0).permutation(150)
    assert np.array_equal(said_by(model, pictures[order]), whole[order])
    assert np.array_equal(said_by(model, pictures[37:121]), whole[37:121])
    assert said_by(model, pictures[:0]).shape == (0, 3)


def test_a_batch_is_a_power_of_two_that_suits_the_network() -> None:
    """Between 1 and 64 pictures, fewer for a network with more work per picture."""
    assert make_model().passes.batch == 32
    heavy = make_model("conv 512 3, conv 512 7, globalavgpool, dense classes")
    assert heavy.passes.batch in {1, 2, 4, 8, 16}


def test_the_file_gives_the_same_model(tmp_path: Path) -> None:
    """Saved and loaded, from the file and from its folder: the same facts, the same bits."""
    model = make_model(mirror=True, temperature=1.75)
    model.save(tmp_path / MODEL_FILE)
    pictures = prepared(5)
    for place in (tmp_path, tmp_path / MODEL_FILE, str(tmp_path)):
        again = load_model(place)
        assert again.classes == model.classes
        assert (again.preparation, again.mirror, again.temperature) == (model.preparation, True, 1.75)
        assert again.about["majority"] == "a"
        assert np.array_equal(said_by(again, pictures), said_by(model, pictures))
    load_model(tmp_path).save(tmp_path / "second.safetensors")
    assert (tmp_path / "second.safetensors").read_bytes() == (tmp_path / MODEL_FILE).read_bytes()


def test_predictions_for_every_kind_of_source(tmp_path: Path) -> None:
    """Files, folders and arrays in one call, in order; each has the probabilities of its prepared picture."""
    model, folder = make_model(), draw_folder(tmp_path / "d", {"x": 2, "y": 1})
    array = picture(2, 7)
    given = [folder, folder / "y" / "00.png", array, str(folder / "x" / "01.png")]
    rows = model.predict(given)
    files = [folder / "x" / "00.png", folder / "x" / "01.png", folder / "y" / "00.png", folder / "y" / "00.png"]
    assert [row.path for row in rows] == [*map(str, files), "array/2", str(folder / "x" / "01.png")]
    pictures = [np.asarray(Image.open(file)) for file in files] + [array, np.asarray(Image.open(files[1]))]
    expected = said_by(model, np.stack([one[:, :, None] for one in pictures]))
    for row, chances in zip(rows, expected, strict=True):
        assert list(row.probabilities) == ["a", "b", "c"]
        assert list(row.probabilities.values()) == chances.tolist()
        assert row.predicted == "abc"[chances.argmax()]
        assert row.confidence == chances.max()
        assert row.reason == ""


def test_one_source_needs_no_list(tmp_path: Path) -> None:
    """A single path, a single array and a stack of arrays are understood."""
    model, folder = make_model(), draw_folder(tmp_path, {"x": 1})
    assert len(model.predict(folder / "x" / "00.png")) == len(model.predict(str(folder))) == 1
    assert len(model.predict(picture(0, 0))) == len(model.predict(picture(0, 0, channels=3))) == 1
    assert len(model.predict(np.stack([picture(0, n)[:, :, None] for n in range(4)]))) == 4


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "RGBA", "CMYK", "1"])
def test_images_of_pillow_are_read_as_their_files_are(tmp_path: Path, mode: str) -> None:
    """An image in memory, alone and among others, gives what the file that it is saved to gives."""
    model, image = make_model(), Image.fromarray(picture(1, 5, channels=3)).convert(mode)
    image.save(tmp_path / "image.tif")
    expected = model.predict(tmp_path / "image.tif")[0].probabilities
    assert [row.probabilities for row in model.predict([picture(0, 1), image, image])[1:]] == [expected] * 2
    assert model.predict(image)[0].probabilities == model.predict(Image.open(tmp_path / "image.tif"))[0].probabilities
    assert model.predict(image)[0].probabilities == expected
    assert "kind HSV" in model.predict(image.convert("RGB").convert("HSV"))[0].reason


def test_a_column_of_paths_is_a_list_of_them(tmp_path: Path) -> None:
    """Arrays of words, as tables of other libraries give them, are paths and no pictures."""
    folder = draw_folder(tmp_path, {"x": 2})
    paths = [str(file) for file in sorted((folder / "x").iterdir())]
    for column in (np.array(paths), np.array(paths, object)):
        assert make_model().predict(column) == make_model().predict(paths)


@pytest.mark.parametrize("given", [None, 3, b"picture.png", [None], [[1, 2]], torch.zeros(2, 2, requires_grad=True)])
def test_what_is_no_picture_at_all_is_refused(given: object) -> None:
    """The rule and what was given, never an error of Python's or torch's own."""
    kind = given[0] if isinstance(given, list) else given
    with pytest.raises(StriateError, match=rf"pictures (to predict|in memory) are .*received: {type(kind).__name__}"):
        make_model().predict(given)


def test_an_empty_name_is_not_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell's unset variable must not predict whatever lies here."""
    monkeypatch.chdir(draw_folder(tmp_path, {"x": 1}))
    assert [row.reason for row in make_model().predict("")] == ["an empty name"]
    assert len(make_model().predict(".")) == 1
    (tmp_path / "pack").mkdir()
    np.save(tmp_path / "pack/a.npy", np.zeros((2, 8, 8), np.uint8))
    monkeypatch.chdir(tmp_path / "pack")
    assert [row.reason for row in make_model().predict("")] == ["an empty name"]


def test_a_file_of_texts_that_is_not_there_is_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking a model of texts about a mistyped name or a folder says so; words are a text, also about files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reviews").mkdir()
    (tmp_path / "few.txt").write_text("good\nbad\n")
    shape = Shape(height=1, width=8, channels=SYMBOLS, form="text")
    asked = ["revews.csv", "reviews", "few.txt", "a good day", "I lost my notes.txt", "x" * 5000]
    found = list(items(asked, shape, {"text": "text"}))
    assert [name for name, _ in found] == ["revews.csv", "reviews", "few/0", "few/1", "text/3", "text/4", "text/5"]
    assert [one.code for _, one in found[:2]] == ["missing", "folder"]
    assert all(isinstance(one, np.ndarray) for _, one in found[2:])


def test_arrays_that_do_not_fit_are_told_how_they_would(tmp_path: Path) -> None:
    """Channels that come first, as torch has them, and shares of 255, alone and in a list of no other; beside
    one that fits they are answered with the reason."""
    shape = Shape(height=8, width=8, channels=3)
    colour = replace(make_model(), preparation=replace(make_model().preparation, shape=shape))
    for model, one, why in (
        (colour, np.stack([picture(0, 1)] * 3), "channels come last"),
        (make_model(), picture(0, 1) / 255, "float32 pixels where whole numbers from 0 to 255 are expected"),
    ):
        for given in (one, [one, one]):
            with pytest.raises(StriateError, match=f"arrays must fit the model. received: .*{why}.*array/0"):
                model.predict(given)
    assert [bool(one.reason) for one in make_model().predict([picture(0, 1), picture(0, 1) / 255])] == [False, True]


@pytest.mark.parametrize("dtype", [np.int64, np.int16, np.uint32, ">u4"])
def test_whole_numbers_of_any_type_are_those_of_the_model(dtype: object) -> None:
    """Where they have room in its depth: the same answers and scores; one number beyond it, and they are refused."""
    model, pictures = make_model(), prepared(6)[..., 0]
    wide = pictures.astype(dtype)
    assert [p.probabilities for p in model.predict(wide)] == [p.probabilities for p in model.predict(pictures)]
    assert model.evaluate((wide, list("abcabc"))) == model.evaluate((pictures, list("abcabc")))
    wide[0, 0, 0] = 256
    assert [bool(one.reason) for one in model.predict(wide)] == [True] + [False] * 5


def test_a_class_may_be_named_by_its_number() -> None:
    """Classes are text; what names one may be the label as it was given, 7 as 7.0, and NumPy's."""
    model, one = make_model(classes=("3", "7", "12")), picture(1, 4)
    expected = model.heatmap(one, "7").map
    for label in (7, 7.0, np.int64(7), torch.tensor(7)):
        np.testing.assert_array_equal(model.heatmap(one, label).map, expected)
    assert {said.predicted for said in model.predict(prepared(9))} <= set(model.classes) == {"3", "7", "12"}


def test_labels_may_follow_their_pictures() -> None:
    """evaluate(X, y) is evaluate((X, y)); the word of a part still is one."""
    model, pictures, labels = make_model(), prepared(6)[..., 0], list("abcabc")
    for given in (labels, np.array(labels)):
        assert model.evaluate(pictures, given) == model.evaluate((pictures, labels))
    with pytest.raises(StriateError, match=r"a part is one of train, validation, test\. received: tets"):
        model.evaluate((pictures, labels), "tets")


def test_a_network_of_ones_own_has_heatmaps() -> None:
    """A plain module in place of the network that was learned: the map is that of this module."""
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.Flatten(), torch.nn.Linear(4 * 36, 3)).eval()
    model, one = replace(make_model(), network=network), picture(1, 4)
    x = torch.from_numpy(model.look(one).trace.picture)
    np.testing.assert_array_equal(model.heatmap(one, "b").map, heatmap(network, x, score=1).map)


def test_another_scale_is_noted() -> None:
    """An answer to floats divided by 255 has a note, whatever stands beside it; those to the learned ones have none."""
    model = make_model()
    floats = replace(model.preparation, shape=replace(model.preparation.shape, depth="float32"))
    one = picture(1, 4).astype(np.float32)
    before, note, after = (said.note for said in replace(model, preparation=floats).predict([one, one / 255, one]))
    assert (before, after) == ("", "")
    assert note.endswith("where 0 to 255 were learned from.")


def test_grey_pictures_in_one_array() -> None:
    """What grey pictures were learned as, (N, H, W), can be asked about: N answers, as of a list of them."""
    model, pictures = make_model(), prepared(5)[..., 0]
    alone = [one.probabilities for one in model.predict(list(pictures))]
    for given in (pictures, pictures[..., None], torch.from_numpy(pictures)):
        assert [one.probabilities for one in model.predict(given)] == alone
    assert [len(model.predict(given)) for given in (pictures[:1], pictures[0], pictures[:0])] == [1, 1, 0]
    picked = replace(model, preparation=replace(model.preparation, shape=replace(model.preparation.shape, picked=(6,))))
    assert [one.reason for one in picked.predict(np.moveaxis(np.stack([pictures[0]] * 7), 0, 2))] == [""]


def test_an_output_is_named_by_its_word() -> None:
    """A number in place of a class is refused with the classes, as a misspelt one is."""
    with pytest.raises(StriateError, match=r"one of the outputs. received: 1. what to do: choose one of a, b, c"):
        make_model().heatmap(picture(0, 1), 1)


def test_one_bad_pack_ends_no_list(tmp_path: Path) -> None:
    """A broken film or pack between two pictures is told with its reason; alone it is refused."""
    model, folder = make_model(), draw_folder(tmp_path, {"x": 2})
    (folder / "bad.npz").write_bytes(b"nothing")
    files = [folder / "x/00.png", folder / "bad.npz", folder / "x/01.png"]
    rows = model.predict(files)
    assert [row.path for row in rows] == [str(file) for file in files]
    assert [bool(row.reason) for row in rows] == [False, True, False]
    with pytest.raises(StriateError, match="many pictures must be readable"):
        model.predict(files[1])


def test_other_sizes_and_colours_are_prepared_as_in_training() -> None:
    """A larger colour picture is brought to the model's shape by the one preparation."""
    model, large = make_model(), picture(1, 5, side=21, channels=3)
    expected = said_by(model, fit(large, model.preparation.shape)[None])
    assert list(model.predict(large)[0].probabilities.values()) == expected[0].tolist()


def test_what_cannot_be_read_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    """A broken file between two good ones: no class, a reason, and the same answers for the others."""
    folder = draw_folder(tmp_path, {"x": 2})
    (folder / "x" / "bad.png").write_bytes(b"nothing")
    model = make_model()
    names = ["00.png", "bad.png", "absent.png", "01.png"]
    rows = model.predict([folder / "x" / name for name in names])
    assert [bool(row.reason) for row in rows] == [False, True, True, False]
    assert [row.predicted for row in rows if row.reason] == ["", ""]
    assert rows[0].probabilities == model.predict(folder / "x" / "00.png")[0].probabilities
    assert rows[1].probabilities == {}


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_workers_do_not_change_predictions(workers: int) -> None:
    """However many pictures are decoded side by side, the answers and their order are the same."""
    model, arrays = make_model(), [picture(n % 3, n) for n in range(20)]
    assert model.predict(arrays, workers) == model.predict(arrays)


def test_a_heatmap_is_that_of_the_prepared_picture() -> None:
    """Of the output named, or of what is predicted, in the score of the task; another name is refused."""
    model, one = make_model(), picture(1, 4)
    x = torch.from_numpy(model.look(one).trace.picture)
    for of, index in (("b", 1), (None, int(np.argmax(said_by(model, one[None, :, :, None]))))):
        wanted = heatmap(model.network, x, "gradcam", score=index)
        np.testing.assert_array_equal(model.heatmap(one, of, "gradcam").map, wanted.map)
    with pytest.raises(StriateError, match="explains one of the outputs"):
        model.heatmap(one, "d")


def test_a_strangers_network_has_heatmaps_too() -> None:
    """A module of torch that predicts is looked into as well: the same map as without a model around it."""
    layers = torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    stranger = torch.nn.Sequential(*layers, torch.nn.Linear(4, 3)).eval()
    model, one = dataclasses.replace(make_model(), network=stranger), picture(1, 4)
    wanted = heatmap(stranger, torch.from_numpy(model.look(one).trace.picture), "gradcam", score=1)
    np.testing.assert_array_equal(model.heatmap(one, "b", "gradcam").map, wanted.map)


def test_predictions_are_saved_as_a_table(tmp_path: Path) -> None:
    """A line for each picture, blank cells where it could not be read; other names are what the task knows."""
    model = make_model()
    (tmp_path / "text.png").write_text("no picture")
    said = model.predict([picture(0, 1), tmp_path / "text.png"])
    model.save_predictions(tmp_path / "said.csv", said)
    rows = read_table(tmp_path / "said.csv")
    assert [row["predicted"] for row in rows] == [said[0].predicted, ""]
    assert float(rows[0]["p_b"]) == pytest.approx(said[0].probabilities["b"], abs=1e-6)
    with pytest.raises(StriateError, match=r"written as FILE\.csv"):
        model.save_predictions(tmp_path / "said.json", said)


@pytest.mark.parametrize(
    ("task", "taken", "refused"),
    [
        (Classification(("a", "b")), ["x.csv", "x.CSV"], ["x", "x.json", "x.xlsx"]),
        (Detection(("a",)), ["x.csv", "x.JSON", "x"], ["x.xml", "x.txt"]),
        (Segmentation(("a", "b")), ["x.csv", "x"], ["x.json", "x.png"]),
    ],
    ids=["classes", "boxes", "masks"],
)
def test_names_that_answers_are_written_under(task: Task, taken: list[str], refused: list[str], tmp_path: Path) -> None:
    """What is taken is written, as it says; what is refused leaves nothing behind."""
    for name in taken:
        write_answers(task, [], tmp_path / "taken" / name)
    for name in refused:
        with pytest.raises(StriateError, match=f"answers of {task.name} are written as FILE"):
            write_answers(task, [], tmp_path / "refused" / name)
    assert not (tmp_path / "refused").exists()


def test_pictures_of_one_name_have_files_of_their_own(tmp_path: Path) -> None:
    """In a folder no answer replaces that of another picture, whatever its folder, ending or letters; what is measured
    of objects stands beside the path of their picture."""
    paths = ["p1/a.png", "p2/a.png", "p2/a-2.png", "A.jpg", "p3/b.c.png"]
    stems = ["a", "a-2", "a-2-2", "A-3", "b.c"]
    corners = [np.array([[0, 0, n, 4.0]]) for n in range(1, 6)]
    boxes = [Boxes(names=("x",), corners=each, confidence=np.ones(1), size=(8, 8)) for each in corners]
    masks = [Areas(zlib.compress(b"\1" * n), 1, n, np.ones(2), 1.0) for n in range(1, 6)]
    for name, task, answers in (("b", Detection(("x",)), boxes), ("m", Segmentation(("background", "x")), masks)):
        told = [(path, one, (8, 8)) for path, one in zip(paths, answers, strict=True)]
        write_answers(task, told, tmp_path / name)
    write_answers(Detection(("x",)), list(zip(paths, boxes, [(8, 8)] * 5, strict=True)), tmp_path / "o.json")
    texts = {file.stem: file.read_text() for file in (tmp_path / "b/labels").iterdir()}
    assert {stem: float(text.split()[3]) * 8 for stem, text in texts.items()} == dict(
        zip(stems, range(1, 6), strict=True)
    )
    widths = {file.stem: mask_values(file.read_bytes()).shape[1] for file in (tmp_path / "m").glob("*.png")}
    assert widths == dict(zip(stems, range(1, 6), strict=True))
    with (tmp_path / "m/objects.csv").open(newline="") as file:
        rows = [(row["path"], row["mask"], int(row["area"])) for row in csv.DictReader(file)]
    assert rows == [(path, f"{stem}.png", n) for n, (path, stem) in enumerate(zip(paths, stems, strict=True), 1)]
    assert [one["file_name"] for one in json.loads((tmp_path / "o.json").read_text())["images"]] == paths


def test_an_evaluation_opens_no_file_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures that go once they are answered, as in a long evaluation, are scored: and marked by what was in them."""
    folder, model = draw_folder(tmp_path, {"a": 3, "b": 2}), make_model()
    contents = [hash_of(path.read_bytes()) for path in sorted(folder.glob("a/*"))]
    model = replace(model, learned=learned_from(contents))
    whole, each = model.evaluate(folder), Model.predict_each
    assert whole["learned"] == pytest.approx(3 / 5)

    def gone(*given: object, **named: object) -> Iterator:
        yield from each(*given, **named)
        (folder / "b/00.png").unlink()

    monkeypatch.setattr(Model, "predict_each", gone)
    assert model.evaluate(folder) == whole


def test_evaluation_equals_counting(tmp_path: Path) -> None:
    """Accuracy by counting; pictures of unknown classes and unreadable ones are listed, not scored."""
    folder = draw_folder(tmp_path, {"a": 5, "b": 4, "c": 3, "zebra": 2})
    (folder / "a" / "bad.png").write_bytes(b"nothing")
    model = make_model()
    scores = model.evaluate(folder)
    right = sum(row.predicted == Path(row.path).parent.name for name in "abc" for row in model.predict(folder / name))
    assert scores["n"] == 12
    assert scores["accuracy"]["value"] == pytest.approx(right / 12)
    assert scores["baseline"] == pytest.approx(5 / 12)
    assert sorted(item["path"] for item in scores["left_out"]) == ["a/bad.png", "zebra/00.png", "zebra/01.png"]
    assert "class 'zebra' is not one of the model's" in {item["reason"] for item in scores["left_out"]}


def test_what_belongs_together_widens_the_intervals_of_an_evaluation(tmp_path: Path) -> None:
    """As in the scores of a training: pictures of one group, copies, and neighbours where one follows the other."""
    folder, model = draw_folder(tmp_path, {"a": 20, "b": 20, "c": 20}), make_model()
    rows = model.predict([folder / name / f"{number:02}.png" for number in range(20) for name in "abc"])
    chances = np.stack([row.answer for row in rows])

    def expected(clusters: list[int], order: np.ndarray) -> dict:
        truth = np.arange(60) % 3
        return classification_scores(truth[order], chances[order], "abc", 0, np.array(clusters))["accuracy"]

    listed, in_time = np.arange(60).reshape(20, 3).T.ravel(), np.arange(60)
    scores = model.evaluate(folder, group=r"/(\d)")
    grouped = [number // 10 for number in range(20)] * 3
    assert scores["clusters"] == 2
    assert scores["accuracy"] == pytest.approx(expected(grouped, listed))
    scores = make_model(about={"majority": "a", "split": "blocks"}).evaluate(folder)
    assert scores["accuracy"] == pytest.approx(expected([row // 4 for row in range(60)], in_time))
    assert "clusters" not in model.evaluate(folder)
    (folder / "a" / "99.png").write_bytes((folder / "a" / "00.png").read_bytes())
    assert model.evaluate(folder)["clusters"] == 60


def test_an_evaluation_of_nothing_is_refused(tmp_path: Path) -> None:
    """Only unknown classes: the message names those that the model knows."""
    with pytest.raises(StriateError, match="the model knows a, b, c"):
        make_model().evaluate(draw_folder(tmp_path, {"x": 2, "y": 2}))


def test_a_part_alone_is_evaluated(tmp_path: Path) -> None:
    """part='test' takes the test folder and nothing else."""
    for part, count in (("train", 3), ("test", 2)):
        draw_folder(tmp_path / part, {"a": count, "b": count})
    assert make_model().evaluate(tmp_path, "test")["n"] == 4
    assert make_model().evaluate(tmp_path)["n"] == 10
    (tmp_path / "train" / "a" / "notes.txt").write_text("no picture")
    told = "received: validation; there is train, test. where: .* without --part all 10 are scored.$"
    with pytest.raises(StriateError, match=told):
        make_model().evaluate(tmp_path, "validation")


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    """An absent file and a folder without a model get one message; a folder of runs names them."""
    for place in (tmp_path, tmp_path / "absent", tmp_path / "absent.safetensors"):
        with pytest.raises(StriateError, match="a model is a run folder or a model file"):
            load_model(place)
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        make_model().save(tmp_path / name / MODEL_FILE)
    told = f"give a run: {tmp_path / 'a'}, {tmp_path / 'b'}"
    with pytest.raises(StriateError, match=re.escape(told)):
        load_model(tmp_path)


def test_a_precision_that_is_none(tmp_path: Path) -> None:
    """What a model computes in can be chosen when it is loaded, among three."""
    make_model().save(tmp_path / MODEL_FILE)
    assert load_model(tmp_path, precision="fp32").precision == "fp32"
    with pytest.raises(StriateError, match="a precision is one of auto, fp32, bf16"):
        load_model(tmp_path, precision="fp16")


FORGERIES = {
    "no line": lambda header: header.pop("line"),
    "another line": lambda header: header.update(line="flatten, dense 3"),
    "a monstrous line": lambda header: header.update(line="9999999*(relu)"),
    "a line too wide": lambda header: header.update(line="flatten, dense 999999999"),
    "code": lambda header: header.update(line="__import__('os').abort()"),
    "no shape": lambda header: header.update(input_shape=[]),
    "a negative shape": lambda header: header.update(input_shape=[-1, 8, 8]),
    "a shape of words": lambda header: header.update(input_shape=["a", 8, 8]),
    "an unknown task": lambda header: header.update(task="striate.cli"),
    "other classes": lambda header: header["facts"].update(classes=["a"]),
    "classes that are none": lambda header: header["facts"].update(classes=3),
    "no preparation": lambda header: header.update(preparation={}),
    "a preparation of words": lambda header: header["preparation"].update(low=["x"]),
    "no deviation": lambda header: header["preparation"].update(std=[0.0]),
    "figures for other channels": lambda header: header["preparation"].update(low=[0.0, 0.0]),
    "a figure that is no number": lambda header: header["preparation"].update(mean=[float("nan")]),
    "another size than the network's": lambda header: header["preparation"]["shape"].update(height=9),
    "classes that are no words": lambda header: header["facts"].update(classes=[1, 2, 3]),
    "a depth that is none": lambda header: header["preparation"]["shape"].update(depth="object"),
    "no temperature": lambda header: header.update(temperature="hot"),
    "a temperature of zero": lambda header: header.update(temperature=0.0),
    "facts that are none": lambda header: header.update(about=[1]),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_model_is_refused(tmp_path: Path, name: str) -> None:
    """A file whose facts do not fit its network ends in our error when it is loaded, never later."""
    make_model().save(tmp_path / MODEL_FILE)
    tensors, header = read_tensors(tmp_path / MODEL_FILE)
    header = json.loads(json.dumps(header))
    FORGERIES[name](header)
    write_tensors(tmp_path / MODEL_FILE, tensors, header)
    with pytest.raises(StriateError):
        load_model(tmp_path)


def test_only_a_network_of_words_can_be_saved(tmp_path: Path) -> None:
    """A stranger's module has no line of text, and code is never stored."""
    model = dataclasses.replace(make_model(), network=torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3)))
    with pytest.raises(StriateError, match="a model file holds a network written as a line of layers"):
        model.save(tmp_path / "m.safetensors")
    assert list(tmp_path.iterdir()) == []
    assert said_by(model, prepared(2)).shape == (2, 3)


def test_one_output_stands_for_two_classes(tmp_path: Path) -> None:
    """The sigmoid is the second class's probability, also from the file and at another temperature."""
    model = make_model("flatten, dense 1, sigmoid", ("healthy", "ill"), temperature=2.0)
    model.save(tmp_path / MODEL_FILE)
    rows = said_by(load_model(tmp_path), prepared(4))
    with torch.no_grad():
        x = (torch.from_numpy(prepared(4)).permute(0, 3, 1, 2).float() / 255 - 0.4) / 0.25
        logits = model.network.logits(x)[:, 0].double().numpy()
    np.testing.assert_allclose(rows[:, 1], 1 / (1 + np.exp(-logits / 2)), atol=1e-6)
    np.testing.assert_allclose(rows.sum(axis=1), 1)


def test_a_pattern_that_fits_no_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a file that is not there, and what fits stands in order."""
    model, _ = make_model(), draw_folder(tmp_path / "d", {"x": 2})
    monkeypatch.chdir(tmp_path)
    told = [(row.path, row.reason) for row in model.predict(["d/x/*.png", "d/nothing*.png"])]
    assert told == [("d/x/00.png", ""), ("d/x/01.png", ""), ("d/nothing*.png", "no such file")]


def test_many_drawings_of_one_name_are_numbered_quickly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next free number is found without asking about every one before it."""
    model, asked, exists = make_model(), [], Path.exists
    for number in range(1, 1000):
        (tmp_path / (f"0-{number}.png" if number > 1 else "0.png")).touch()
    (told,) = model.predict([picture(0, 1)])
    monkeypatch.setattr(Path, "exists", lambda path, **more: asked.append(path) or exists(path, **more))
    assert model.draw_into(tmp_path, told) == tmp_path / "0-1000.png"
    assert len(asked) < 30


def test_what_cannot_be_drawn_on_is_told_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """--draw of volumes is refused at once, not after the first answer, with which those for --out were lost."""
    model = make_model()
    shape = replace(model.preparation.shape, form="volume", frames=1)
    line = "conv 4 3, globalmaxpool, dense classes"
    network = build(line, shape.seen, model.task.outputs, seed=3).eval()
    Model(network, model.task, replace(model.preparation, shape=shape)).save(tmp_path / MODEL_FILE)
    monkeypatch.setattr(Model, "predict_each", lambda *_: pytest.fail("volumes were looked at"))
    np.save(tmp_path / "a.npy", np.zeros((1, 8, 8), np.uint8))
    assert main(["predict", str(tmp_path), str(tmp_path / "a.npy"), "--draw", str(tmp_path / "drawn")]) == 2
    assert "answers are drawn on pictures. received: volume. where: --draw" in capsys.readouterr().err


def test_patterns_and_films_are_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern stands for its files in order, also from the root; a film for its frames, which can be drawn on."""
    cv2 = pytest.importorskip("cv2", reason="needs: pip install 'striate[video]'")
    model, folder = make_model(), draw_folder(tmp_path / "d", {"x": 2, "y": 1})
    monkeypatch.chdir(tmp_path)
    assert [row.path for row in model.predict("d/*/00.png")] == ["d/x/00.png", "d/y/00.png"]
    assert [row.path for row in model.predict(f"{folder}/**/*.png")] == sorted(map(str, folder.glob("*/*.png")))
    film = cv2.VideoWriter("film.avi", cv2.VideoWriter_fourcc(*"MJPG"), 10, (16, 16))
    for level in (10, 200):
        film.write(np.full((16, 16, 3), level, np.uint8))
    film.release()
    rows = model.predict("film.avi")
    assert [row.path for row in rows] == ["film.avi/000000", "film.avi/000001"]
    assert rows[0].predicted in model.classes
    drawn = model.draw_into(tmp_path / "drawn", rows[1])
    assert drawn == tmp_path / "drawn/000001.png"
    assert abs(int(np.asarray(Image.open(drawn)).mean()) - 200) < 8
    strip = np.asarray(Image.open(drawn))[480:]  # the class has no place on the picture and is told below it
    assert strip.max() == 255
    assert strip.min() < 60


def test_a_device_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """In words, for `load` as for the command line, never in torch's."""
    make_model().save(tmp_path / "m.safetensors")
    with pytest.raises(StriateError, match=r"the device must be one .*received: cuda:99"):
        load_model(tmp_path / "m.safetensors", device="cuda:99")
    assert load_model(tmp_path / "m.safetensors", device=torch.device("cpu")).classes == ("a", "b", "c")


def test_pictures_as_numbers_in_their_order(tmp_path: Path) -> None:
    """A row for each picture, the same alone and among others, and NaN where one cannot be read."""
    model, places = make_model(), []
    for number in range(3):
        places.append(tmp_path / f"{number}.png")
        Image.fromarray(picture(number % 3, number, 12)).save(places[-1])
    places.insert(1, tmp_path / "broken.png")
    places[1].write_bytes(b"no picture")
    rows = model.embed(places, workers=0)
    assert rows.shape[0] == 4
    assert np.isnan(rows[1]).all()
    for place in (0, 2, 3):
        np.testing.assert_allclose(model.embed(places[place], workers=0), rows[place : place + 1], atol=1e-6)


def test_members_of_an_ensemble_stand_side_by_side() -> None:
    """Half of the numbers are those of the one member's last layer, half those of the other's."""
    both = make_model("ensemble 2 (conv 4 3, relu, globalavgpool, dense 5, relu, dense classes)")
    rows, x = both.passes.embed(prepared(3)), both.passes.input(prepared(3))
    parts = [torch.nn.Sequential(*list(member)[:-1])(x).detach() for member in both.network[0].children()]
    np.testing.assert_allclose(rows, torch.cat(parts, 1).numpy(), atol=1e-6)
