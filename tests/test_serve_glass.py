"""The page's numbers against torch, for a small network on drawn pictures, over the real server."""

import copy
import io
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import picture
from drawn_page import CLASSES, LINE, Visitor, asked, served
from PIL import Image
from torch.nn import functional as F

from striate import files
from striate.data.prepare import Preparation, Shape
from striate.errors import StriateError
from striate.export.model import Model, load_model
from striate.inside import kernels
from striate.network.build import build
from striate.serve import glass as glass_module
from striate.serve.flat import thumbnail
from striate.serve.glass import Glass
from striate.serve.reply import Refusal
from striate.tasks.task import make_task

SIZE = (8, 10)


def make_model(line: str = LINE, channels: int = 1, classes: tuple[str, ...] = CLASSES, **more: object) -> Model:
    """A network with random weights, with norms that are not at their beginning."""
    task = make_task("classification", {"classes": classes})
    network = build(line, (channels, *SIZE), task.outputs, seed=3)
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    figures = {"low": 0.0, "high": 255.0, "mean": 0.4, "std": 0.25}
    preparation = Preparation(
        shape=Shape(height=SIZE[0], width=SIZE[1], channels=channels),
        **{name: (value,) * channels for name, value in figures.items()},
    )
    return Model(network.eval(), task, preparation, **more)


def write_run(folder: Path, model: Model | None) -> Path:
    """A finished run on nine drawn pictures, with its model and what it predicted."""
    rows, predicted = [], []
    for label, name in enumerate(CLASSES):
        for number in range(3):
            path = f"{name}/{number}.png"
            (folder / "pictures" / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture(label, number, 12)).save(folder / "pictures" / path)
            rows.append((path, name, ("test", "validation", "train")[number], "", "used", ""))
            predicted.append((path, CLASSES[0], 0.9 - 0.1 * label))
    run = folder / "run"
    files.write_text(run / "settings.toml", f'[run]\nsource = "{folder / "pictures"}"\n[plan]\nepochs = 2\n')
    files.write_csv(run / "data.csv", ("path", "label", "part", "group", "status", "reason"), rows)
    if model is not None:
        files.write_csv(run / "predictions.csv", ("path", "predicted", "confidence"), predicted)
        model.save(run / "model.safetensors")
        files.write_json(run / "scores.json", {"stopped": False})
        files.write_manifest(run)
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("page"), make_model(temperature=1.7))


@pytest.fixture(scope="module")
def glass(run: Path) -> Glass:
    return Glass(run)


@pytest.fixture(scope="module")
def visitor(glass: Glass) -> Iterator[Visitor]:
    with served(glass.answer) as server:
        yield Visitor(server)


@pytest.fixture(scope="module")
def pixels(run: Path) -> np.ndarray:
    """The decoded picture that the page begins with."""
    return np.asarray(Image.open(run.parent / "pictures/across/0.png"))


@pytest.fixture(scope="module")
def x(glass: Glass, pixels: np.ndarray) -> torch.Tensor:
    """(1, 1, H, W): that picture as the network gets it, made by Pillow and by hand."""
    small = np.asarray(Image.fromarray(pixels).resize(SIZE[::-1], Image.Resampling.BILINEAR), np.float32)
    return torch.from_numpy((small / 255 - np.float32(0.4)) / np.float32(0.25))[None, None]


@pytest.fixture(scope="module")
def seen(run: Path, x: torch.Tensor) -> dict[str, np.ndarray]:
    """What every module of another copy of the network gives, by forward hooks."""
    network, values = load_model(run).network, {}
    for name, module in network.named_children():
        module.register_forward_hook(lambda _, args, out, name=name: values.update({name: out[0].detach().numpy()}))
    network(x)
    return values


def first(visitor: Visitor) -> str:
    return visitor.json("/api/model")["first_picture"]


def test_the_model_is_described(visitor: Visitor, glass: Glass) -> None:
    """Names, sizes, methods and colours; of a trace, what a probability is besides the pass shown."""
    model = visitor.json("/api/model")
    network = glass.looking.model.network
    assert model["name"] == "run"
    assert model["classes"] == list(CLASSES)
    assert model["input_shape"] == [1, *SIZE]
    assert model["network"] == network.text
    assert model["parameters"] == sum(p.numel() for p in network.parameters())
    assert (model["run"], model["training"], model["task"]) == (True, False, "classification")
    assert [set(method) for method in model["methods"]] == [{"name", "label", "note"}] * len(model["methods"])
    assert {len(table) for table in model["colours"].values()} == {256}
    note = visitor.json(f"/api/trace/{first(visitor)}")["note"]
    assert "1.7" in note
    assert "mirror" not in note


def test_a_trace_says_what_predict_says(visitor: Visitor, glass: Glass, run: Path, x: torch.Tensor) -> None:
    """Probabilities are those of `Model.predict` on the file; logits are torch's for this very pass."""
    trace = visitor.json(f"/api/trace/{first(visitor)}")
    (expected,) = load_model(run).predict([run.parent / "pictures/across/0.png"])
    said = {item["label"]: item["probability"] for item in trace["predictions"]}
    assert said == pytest.approx(expected.probabilities, abs=1e-12)
    assert list(said) == sorted(said, key=said.get, reverse=True)
    logits = load_model(run).network(x)[0].tolist()
    assert [item["logit"] for item in sorted(trace["predictions"], key=lambda i: i["class"])] == pytest.approx(logits)
    assert (trace["truth"], trace["name"]) == ("across", "across/0.png")


def test_a_large_jpeg_is_seen_as_predict_sees_it(run: Path, tmp_path: Path) -> None:
    """One that predict unpacks at half its size or less is not unpacked in full and then made smaller by the page."""
    noise = np.random.default_rng(0).integers(0, 256, (90, 110), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.jpg")
    (expected,) = load_model(run).predict([tmp_path / "noise.jpg"])
    glass = Glass(run)  # of its own: others count the pictures that were dropped
    with served(glass.answer) as server:
        visitor = Visitor(server)
        _, _, body = visitor.ask("/api/pictures", method="POST", body=(tmp_path / "noise.jpg").read_bytes())
        identity = json.loads(body)["id"]
        said = {item["label"]: item["probability"] for item in visitor.json(f"/api/trace/{identity}")["predictions"]}
        _, values = visitor.array(f"/api/pictures/{identity}/input")
    assert said == pytest.approx(expected.probabilities, abs=1e-12)
    np.testing.assert_array_equal(values, load_model(run).look(tmp_path / "noise.jpg").trace.picture)
    assert glass.gallery.pixels(identity).shape == (90, 110, 1)


def test_layers_are_in_order_with_their_shapes(visitor: Visitor, seen: dict) -> None:
    """Every module is there, in the order of the line, with the shapes that torch gives."""
    layers = visitor.json(f"/api/trace/{first(visitor)}")["layers"]
    assert [layer["name"] for layer in layers] == list(seen)
    assert [tuple(layer["output_shape"]) for layer in layers] == [value.shape for value in seen.values()]
    assert [layer["index"] for layer in layers] == list(range(len(layers)))
    assert layers[0]["inputs"] == [-1]
    assert set(layers[0]["facts"]) >= {"kernel", "stride", "padding"}
    assert all(layer["arithmetic"] for layer in layers)


def test_maps_are_what_hooks_see(visitor: Visitor, seen: dict) -> None:
    """Every number of every layer, with figures of the header against NumPy; vectors stand on end."""
    identity = first(visitor)
    for name, values in seen.items():
        header, maps = visitor.array(f"/api/trace/{identity}/maps/{name}")
        assert maps.dtype == np.float32
        assert maps.shape == (values.shape if values.ndim == 3 else (len(values), 1, 1))
        np.testing.assert_allclose(maps.ravel(), values.ravel(), rtol=1e-5, atol=1e-6)
        shown = [header[key] for key in ("minimum", "maximum", "mean", "zeros", "nonfinite", "signed")]
        assert shown == [
            *(
                pytest.approx(figure)
                for figure in (maps.min(), maps.max(), maps.astype(float).mean(), (maps == 0).mean())
            ),
            *(0, bool(maps.min() < 0)),
        ]
    by_number = visitor.array(f"/api/trace/{identity}/maps/0")[1]
    assert np.array_equal(by_number, visitor.array(f"/api/trace/{identity}/maps/conv1")[1])


def test_large_layers_travel_in_half(visitor: Visitor, seen: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit values are float16, within its rounding, unless they lie beyond its reach."""
    monkeypatch.setattr(glass_module, "FULL_VALUES", 100)
    path = f"/api/trace/{first(visitor)}/maps/conv1"
    header, maps = visitor.array(path)
    assert (header["dtype"], maps.dtype) == ("float16", np.float16)
    np.testing.assert_allclose(maps.astype(np.float32), seen["conv1"], rtol=1e-3, atol=1e-6)
    monkeypatch.setattr(glass_module, "HALF_REACH", 1e-3)
    assert visitor.array(path)[1].dtype == np.float32


def test_a_number_is_explained(visitor: Visitor, run: Path, x: torch.Tensor, seen: dict) -> None:
    """The chain leads from a convolution to the pool; every step is the stored number, and terms add up to it."""
    answer = visitor.json(f"/api/trace/{first(visitor)}/explain/conv1?channel=2&y=3&x=9")
    chain = answer["chain"]
    assert [step["name"] for step in chain] == ["conv1", "batchnorm1", "relu1", "maxpool1"]
    places = {"conv1": (2, 3, 9), "batchnorm1": (2, 3, 9), "relu1": (2, 3, 9), "maxpool1": (2, 1, 4)}
    for step in chain:
        assert tuple(step["at"]) == places[step["name"]]
        assert step["stored"] == pytest.approx(float(seen[step["name"]][places[step["name"]]]), abs=1e-6)
        assert step["agrees"]
    conv = chain[0]
    assert conv["value"] == pytest.approx(sum(part["value"] for part in conv["terms"] + conv["addends"]), abs=1e-12)
    weight = load_model(run).network.conv1.weight.detach().double()
    exact = F.conv2d(x.double(), weight, padding=1)[0, 2, 3, 9].item()
    assert conv["terms"][0]["value"] == pytest.approx(exact, abs=1e-12)
    assert np.array(conv["terms"][0]["kernel"]) == pytest.approx(weight[2, 0].numpy())
    assert conv["terms"][0]["origin"] == [2, 8]
    assert answer["picture_box"] == [2, 5, 8, 10]
    assert [(step["name"], step["box"]) for step in answer["lineage"]] == [
        *(("picture", [2, 5, 8, 10]), ("conv1", [3, 4, 9, 10])),
    ]


def test_a_class_is_explained(visitor: Visitor, seen: dict) -> None:
    """A vector's number has no place; its terms go back to the maps before it was flattened."""
    answer = visitor.json(f"/api/trace/{first(visitor)}/explain/dense1?channel=1")
    (step,) = answer["chain"]
    assert step["stored"] == pytest.approx(float(seen["dense1"][1]))
    assert step["agrees"]
    assert answer["picture_box"] == [0, 8, 0, 10]
    assert answer["lineage"][-1]["box"] == [0, 1, 0, 1]


def test_a_term_in_full(visitor: Visitor, run: Path, seen: dict) -> None:
    """One input channel's patch and kernel: their products sum to the term."""
    path = f"/api/trace/{first(visitor)}/terms/conv2?channel=5&y=1&x=2"
    term = visitor.json(f"{path}&term=3")
    patch, kernel = np.array(term["patch"]), np.array(term["kernel"])
    np.testing.assert_allclose(patch, seen["maxpool1"][3, 1:4, 2:5], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(kernel, load_model(run).network.conv2.weight[5, 3].detach().numpy())
    assert term["value"] == pytest.approx((patch * kernel).sum(), abs=1e-12)
    assert "0 to 3" in visitor.error(f"{path}&term=4", 400)


def test_the_actual_field_is_torchs_gradient(visitor: Visitor, run: Path, x: torch.Tensor) -> None:
    """|d number / d picture| by autograd, and nothing outside of the possible field."""
    network, leaf = load_model(run).network, x.clone().requires_grad_()
    value = torch.nn.Sequential(*list(network)[:5])(leaf)[0, 4, 0, 1]
    expected = torch.autograd.grad(value, leaf)[0].abs().sum(1)[0].numpy()
    identity = first(visitor)
    _, field = visitor.array(f"/api/trace/{identity}/field/conv2?channel=4&y=0&x=1")
    np.testing.assert_allclose(field, expected, rtol=1e-5, atol=1e-7)
    y0, y1, x0, x1 = visitor.json(f"/api/trace/{identity}/explain/conv2?channel=4&y=0&x=1")["picture_box"]
    inside = np.zeros_like(field, bool)
    inside[y0:y1, x0:x1] = True
    assert not field[~inside].any()


def test_the_prepared_picture(visitor: Visitor, x: torch.Tensor) -> None:
    """The numbers that go in, and those that stand for black and white per channel."""
    header, values = visitor.array(f"/api/pictures/{first(visitor)}/input")
    np.testing.assert_allclose(values, x[0].numpy(), rtol=1e-5, atol=1e-6)
    assert header["display"] == {"minimum": [pytest.approx(-1.6)], "maximum": [pytest.approx(2.4)]}


def test_filters_are_the_weights(visitor: Visitor, run: Path) -> None:
    """Of every convolution, exactly; other layers have none."""
    network = load_model(run).network
    listed = visitor.json("/api/filters")["layers"]
    assert [(item["name"], item["shape"]) for item in listed] == [("conv1", [4, 1, 3, 3]), ("conv2", [6, 4, 3, 3])]
    assert [item["groups"] for item in listed] == [1, 1]
    for item in listed:
        header, weight = visitor.array(f"/api/filters/{item['index']}")
        assert np.array_equal(weight, network.get_parameter(f"{item['name']}.weight").detach().numpy())
        assert header["signed"]
    assert "relu1" in visitor.error("/api/filters/relu1", 404)
    assert "did you mean 'conv1'" in visitor.error("/api/filters/convv1", 400)


def test_filters_say_what_they_look_at(tmp_path: Path) -> None:
    """In colour are those of three channels that lie on the picture, also behind its rim; fixed are those of `whiten`;
    those of a dense layer on the picture are as large as that, and are its weights."""
    told = {
        "whiten 3 1, conv 3 4, relu, conv 5 3, flatten, dense classes": (True, False, False),
        "conv 3 4, relu, conv 5 3, flatten, dense classes": (True, False),
        "flatten, dense 6, relu, dense classes": (True,),
    }
    for channels in (3, 1):
        for line, colours in told.items():
            model = make_model(line, channels=channels)
            model.save(tmp_path / "model.safetensors")
            with served(Glass(tmp_path / "model.safetensors").answer) as server:
                listed = Visitor(server).json("/api/filters")["layers"]
                assert [one["colour"] for one in listed] == [each and channels == 3 for each in colours], line
                assert [one["fixed"] for one in listed] == [one["name"] == "whiten1" for one in listed]
                _, weights = Visitor(server).array(f"/api/filters/{listed[0]['name']}")
    assert listed[0]["shape"] == [6, 1, *SIZE]
    assert np.array_equal(weights.reshape(6, -1), model.network.dense1.weight.detach().numpy())


def test_a_hirescam_adds_up_to_the_logit(visitor: Visitor, run: Path) -> None:
    """With one dense layer after the maps: total of the map + bias = logit (Draelos & Carin 2020), for each class."""
    network, identity = load_model(run).network, first(visitor)
    logits = {item["class"]: item["logit"] for item in visitor.json(f"/api/trace/{identity}")["predictions"]}
    for target, bias in enumerate(network.dense1.bias.tolist()):
        header, heat = visitor.array(f"/api/heatmap/{identity}?method=hirescam&target={target}")
        assert heat.shape == SIZE
        assert header["total"] + bias == pytest.approx(logits[target], abs=1e-5)
        assert (header["score"], header["target"]) == (pytest.approx(logits[target], abs=1e-5), CLASSES[target])
        assert header["grid"] == [2, 3]
    header, _ = visitor.array(f"/api/heatmap/{identity}?target=0&versus=2&layer=relu2")
    assert header["score"] == pytest.approx(logits[0] - logits[2], abs=1e-5)
    assert header["target"] == f"{CLASSES[0]} minus {CLASSES[2]}"
    best = max(logits, key=logits.get)
    assert visitor.array(f"/api/heatmap/{identity}")[0]["target"] == CLASSES[best]


def test_every_method_of_the_list_draws(visitor: Visitor) -> None:
    """Each comes with its figures; what does not exist is refused with the nearest that does."""
    identity = first(visitor)
    for method in visitor.json("/api/model")["methods"]:
        header, heat = visitor.array(f"/api/heatmap/{identity}?method={method['name']}&target=1")
        assert heat.shape == SIZE
        assert header["method"] == method["name"]
        assert {"layer", "score", "maximum", "minimum", "total", "signed", "gap", "baseline", "warning"} <= set(header)
    assert "did you mean 'gradcam'" in visitor.error(f"/api/heatmap/{identity}?method=gradkam", 400)
    assert "0 to 2" in visitor.error(f"/api/heatmap/{identity}?target=3", 400)
    assert "0 to 2" in visitor.error(f"/api/heatmap/{identity}?target=0&versus=-1", 400)


def test_trust_stands_beside_a_heatmap(visitor: Visitor, run: Path, x: torch.Tensor) -> None:
    """Deletion begins at the score of the whole picture and insertion ends there; the verdict names the class."""
    identity = first(visitor)
    found = visitor.json(f"/api/trust/{identity}?target=2")
    logit = load_model(run).network(x)[0, 2].item()
    for name in ("map", "random", "edges"):
        assert found["deletion"][name][0] == pytest.approx(logit, abs=1e-5)
        assert found["insertion"][name][-1] == pytest.approx(logit, abs=1e-5)
    assert np.array(found["twin"]).shape == (2, 3)
    assert CLASSES[2] in found["verdict"]
    assert {"correlation", "agreement", "areas", "warnings"} <= set(found)


def test_the_strip_shows_every_layer_small(visitor: Visitor, seen: dict) -> None:
    """One tile of 32 × 32 per layer, of its strongest channel."""
    header, tiles = visitor.array(f"/api/trace/{first(visitor)}/strip")
    assert tiles.shape == (len(seen), 32, 32)
    assert tiles.dtype == np.uint8
    strongest = [int(np.abs(v.reshape(len(v), -1)).mean(1).argmax()) for v in seen.values()]
    assert header["channels"] == strongest
    shown = [v if v.ndim == 1 else v[c] for v, c in zip(seen.values(), strongest, strict=True)]
    assert header["signed"] == [bool(v.min() < 0) for v in shown]


def test_small_maps_by_hand() -> None:
    """Zero, the largest number and the smallest have their levels; bars rise from the ground with their numbers."""
    maps = np.zeros((2, 32, 32))
    maps[1, 3, 4], maps[1, 5, 6] = 2, -4
    tile, channel, signed = thumbnail(maps)
    assert (channel, signed) == (1, True)
    assert (tile[0, 0], tile[3, 4], tile[5, 6]) == (128, 192, 1)
    tile, channel, signed = thumbnail(np.abs(maps[:, :1, :1]) + 3)
    assert (tile.min(), tile.max(), signed) == (255, 255, False)
    tile, channel, signed = thumbnail(np.array([1.0, 4.0]))
    assert ((tile[:, 0] > 0).sum(), (tile[:, 31] > 0).sum(), tile[31, 0], tile[23, 0]) == (8, 32, 255, 0)
    tile, _, signed = thumbnail(np.array([1.0, -1.0]))
    assert (signed, tile[15, 0], tile[16, 0], tile[15, 31], tile[16, 31]) == (True, 255, 128, 128, 1)
    assert thumbnail(np.full((3, 64, 64), np.nan))[0].tolist() == np.zeros((32, 32)).tolist()


def test_pictures_and_mistakes_are_listed(visitor: Visitor) -> None:
    """Parts, pages, and wrong answers before right ones."""
    page = visitor.json("/api/pictures?part=test&limit=2")
    assert (page["total"], len(page["pictures"]), page["parts"]) == (3, 2, {"test": 3, "validation": 3, "train": 3})
    assert [row["name"] for row in visitor.json("/api/mistakes")["rows"]] == [
        *("corner/0.png", "down/0.png", "across/0.png"),
    ]
    assert "whole number" in visitor.error("/api/pictures?offset=x", 400)


def test_kernels_by_hand_are_those_of_the_filters(visitor: Visitor) -> None:
    """Each has a name and rows; the edge filter is the tutorials'."""
    made = {item["name"]: item["rows"] for item in visitor.json("/api/kernels")["kernels"]}
    assert made["edge"] == [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
    assert made["gaussian"] == (np.outer([1, 2, 1], [1, 2, 1]) / 16).tolist()
    assert set(made) == set(kernels.kernel_names()) - {"sobel"}
    assert all(len(rows) <= 7 for rows in made.values())  # more cells the page cannot edit


def test_an_image_is_the_file(visitor: Visitor, pixels: np.ndarray) -> None:
    """The PNG of a small picture holds the very pixels of the file."""
    status, headers, body = visitor.ask(f"/api/pictures/{first(visitor)}/image")
    assert (status, headers["content-type"]) == (200, "image/png")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(body)))[:, :, 0], pixels)


def test_a_dropped_picture_is_like_any_other(visitor: Visitor, run: Path) -> None:
    """It is named, decoded and predicted as `predict` would, and has no truth; what is no picture is refused."""
    data = io.BytesIO()
    Image.fromarray(picture(2, 77, 30, 3)).save(data, "PNG")
    dropped = visitor.json("/api/pictures", method="POST", body=data.getvalue(), X_Name="mein%20Bild.png")
    assert dropped["name"] == "mein Bild.png"
    trace = visitor.json(f"/api/trace/{dropped['id']}")
    (expected,) = load_model(run).predict(picture(2, 77, 30, 3)[None])
    assert (trace["predictions"][0]["label"], trace["truth"]) == (expected.predicted, None)
    assert trace["predictions"][0]["probability"] == pytest.approx(expected.confidence)
    assert visitor.json("/api/pictures?part=yours")["total"] == 1
    text = visitor.error("/api/pictures", 422, method="POST", body=b"<svg onload=alert(1)>", X_Name="a.png")
    assert text.startswith("the picture must be readable. received: ")


def test_wrong_questions_are_answered(visitor: Visitor) -> None:
    """Nothing that is asked ends the server: each gets its status and a sentence."""
    identity = first(visitor)
    for path, status, part in [
        ("/api/trace/nope", 404, "no such picture"),
        (f"/api/trace/{identity}/maps/99", 400, "0 to 7"),
        (f"/api/trace/{identity}/maps/..%2F..%2Fetc%2Fpasswd", 400, "layer"),
        (f"/api/trace/{identity}/explain/conv1?channel=4", 400, "0 to 3"),
        (f"/api/trace/{identity}/explain/conv1?channel=0&y=-1", 400, "0 to 7"),
        (f"/api/trace/{identity}/explain/conv1?channel=0&y=0&x=10", 400, "0 to 9"),
        (f"/api/trace/{identity}/explain/conv1?channel=1e3", 400, "whole number"),
        (f"/api/trace/{identity}/field/dense1?channel=3", 400, "0 to 2"),
        ("/api/nothing", 404, "no such address"),
        ("/api", 404, "no such address"),
        ("/api/training/snapshots/7", 404, "snapshot"),
        ("/api/training/snapshots/..%2F..%2Fmodel", 404, "snapshot"),
    ]:
        assert part in visitor.error(path, status), path


def test_sixteen_visitors_get_the_same_numbers(run: Path) -> None:
    """From cold, at once, over their own connections: every answer equals that of one visitor alone."""
    paths = ["/api/trace/{}", "/api/trace/{}/maps/relu2", "/api/heatmap/{}?method=gradcam", "/api/trace/{}/field/conv2"]
    with served(Glass(run).answer) as server:
        names = [item["id"] for item in Visitor(server).json("/api/pictures")["pictures"]][:4]
        asked_for = [path.format(name) for path in paths for name in names]
        with ThreadPoolExecutor(16) as pool:
            together = list(pool.map(lambda path: Visitor(server).ask(path)[::2], asked_for))
    with served(Glass(run).answer) as server:
        alone = Visitor(server)
        assert together == [alone.ask(path)[::2] for path in asked_for]
    assert {status for status, _ in together} == {200}


def test_a_heatmap_does_not_hold_up_the_layers(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one is made, which may take seconds, another picture can be looked at."""
    from striate.serve import looking as looking_module

    begun, free, made = threading.Event(), threading.Event(), looking_module.heatmap_of

    def slow(*given: object, **more: object) -> object:
        begun.set()
        assert free.wait(20)
        return made(*given, **more)

    monkeypatch.setattr(looking_module, "heatmap_of", slow)
    glass = Glass(run)
    one, other = [item["id"] for item in glass.gallery.page("", 0, 2)["pictures"]]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(glass.answer, asked("api", "heatmap", one))
        assert begun.wait(20)
        assert glass.answer(asked("api", "trace", other)).status == 200
        free.set()
        assert waiting.result().status == 200


def test_looking_leaves_the_model_as_it_was(run: Path) -> None:
    """After every kind of question: weights, buffers, mode, hooks, gradients and torch's random state."""
    glass = Glass(run)
    network = glass.looking.model.network
    before, state = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    identity = glass.gallery.first()
    for path in ("maps/conv1", "explain/conv2", "field/conv2", "strip"):
        glass.answer(asked("api", "trace", identity, *path.split("/")))
    for what in ("heatmap", "trust"):
        for method in ("gradcam", "occlusion", "integrated_gradients"):
            glass.answer(asked("api", what, identity, method=method))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert not [module for module in network.modules() if module.training]
    assert not [m for m in network.modules() if m._forward_hooks or m._forward_pre_hooks or m._backward_hooks]
    assert all(p.grad is None for p in network.parameters())


def test_a_run_in_training_waits_for_its_model(tmp_path: Path) -> None:
    """Its pictures are there; what needs a model is 409 with a sentence, until the model is there."""
    run = write_run(tmp_path, None)
    with served(Glass(run).answer) as server, files.held(run):
        visitor = Visitor(server)
        model = visitor.json("/api/model")
        assert (model["training"], model["classes"], model["run"]) == (True, [], True)
        assert "when the training ends" in model["note"]
        identity = model["first_picture"]
        assert visitor.ask(f"/api/pictures/{identity}/image")[0] == 200
        assert visitor.json("/api/training")["state"] == "running"
        for path in (f"/api/trace/{identity}", f"/api/trace/{identity}/maps/0", f"/api/heatmap/{identity}",
                     f"/api/trust/{identity}", "/api/filters", f"/api/pictures/{identity}/input"):  # fmt: skip
            assert "no model yet: it comes when the training ends" in visitor.error(path, 409)
        make_model().save(run / "model.safetensors")
        assert visitor.json(f"/api/trace/{identity}")["predictions"]
        assert visitor.json("/api/model")["classes"] == list(CLASSES)


def test_a_run_cut_short_says_so(tmp_path: Path) -> None:
    """Nobody trains it, and it has no model."""
    glass = Glass(write_run(tmp_path, None))
    with pytest.raises(Refusal, match="no model yet: its training was cut short"):
        glass.answer(asked("api", "filters"))


def test_a_model_that_is_replaced_is_loaded_anew(tmp_path: Path) -> None:
    """A resumed run ends in another model: its numbers take the place of the old ones."""
    run = write_run(tmp_path, make_model())
    glass = Glass(run)
    identity = glass.gallery.first()
    before = glass.answer(asked("api", "trace", identity, "maps", "dense1")).body
    changed = make_model()
    with torch.no_grad():
        changed.network.dense1.bias.add_(1)
    changed.save(run / "model.safetensors")
    after = glass.answer(asked("api", "trace", identity, "maps", "dense1")).body
    values = [np.frombuffer(body[-12:], "<f4") for body in (before, after)]
    np.testing.assert_allclose(values[1] - values[0], 1, rtol=1e-5)


def test_a_model_file_alone(tmp_path: Path) -> None:
    """Without a run there are no pictures and no training; one given to begin with is there."""
    file = tmp_path / "cells.safetensors"
    make_model(channels=3, mirror=True).save(file)
    Image.fromarray(picture(0, 5, 16, 3)).save(tmp_path / "mine.png")
    glass = Glass(file, [tmp_path / "mine.png"])
    with served(glass.answer) as server:
        visitor = Visitor(server)
        model = visitor.json("/api/model")
        assert (model["name"], model["run"], model["training"]) == ("cells", False, False)
        trace = visitor.json(f"/api/trace/{model['first_picture']}")
        assert "averaged with the mirror image's" in trace["note"]
        assert trace["name"] == "mine.png"
        header, values = visitor.array(f"/api/pictures/{model['first_picture']}/input")
        assert values.shape == (3, *SIZE)
        assert len(header["display"]["minimum"]) == 3
        assert visitor.json("/api/training")["state"] == "none"
        assert visitor.json("/api/mistakes") == {"rows": []}
        assert visitor.json("/api/pictures")["parts"] == {"yours": 1}
    assert Glass(file).given == []


def test_two_classes_with_one_output(tmp_path: Path) -> None:
    """Of a network with one output the classes' logits are it and its negative, also for heatmaps."""
    file = tmp_path / "two.safetensors"
    line = "conv 4 3, relu, globalavgpool, dense 1"
    make_model(line, classes=("no", "yes")).save(file)
    Image.fromarray(picture(0, 5, 16)).save(tmp_path / "mine.png")
    glass = Glass(file, [tmp_path / "mine.png"])
    trace = json.loads(glass.answer(asked("api", "trace", glass.given[0])).body)
    logit = {item["label"]: item["logit"] for item in trace["predictions"]}
    assert logit["yes"] == -logit["no"] != 0
    with served(glass.answer) as server:
        for target, name in enumerate(("no", "yes")):
            header, _ = Visitor(server).array(f"/api/heatmap/{glass.given[0]}?target={target}&method=gradcam")
            assert header["score"] == pytest.approx(logit[name], abs=1e-6)
        assert "yes" in Visitor(server).json(f"/api/trust/{glass.given[0]}?target=1")["verdict"]


def test_what_cannot_be_opened_is_said_at_once(tmp_path: Path) -> None:
    """No such place, an empty folder, a damaged model, no such picture, and a picture that does not fit."""
    with pytest.raises(StriateError, match="a model is a run folder or a model file"):
        Glass(tmp_path / "nowhere")
    with pytest.raises(StriateError, match="a model is a run folder or a model file"):
        Glass(tmp_path)
    (tmp_path / "bad.safetensors").write_bytes(b"nonsense")
    with pytest.raises(StriateError, match=r"a \.safetensors file written by striate"):
        Glass(tmp_path / "bad.safetensors")
    make_model().save(tmp_path / "good.safetensors")
    with pytest.raises(StriateError, match="no such file"):
        Glass(tmp_path / "good.safetensors", [tmp_path / "none.png"])
