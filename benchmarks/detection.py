"""Boxes in a budget of minutes: python benchmarks/detection.py FOLDER [--minutes 20] [--peer] [--out FILE.json]

FOLDER is a Pascal VOC set with Annotations, JPEGImages and ImageSets/Main. Striate trains on it with no setting but the
minutes; with --peer so does Ultralytics' smallest YOLO, from its description alone, in the environment `torch` of
environments.py. Both predict the test pictures, and pycocotools scores both against the XML files, which are read here
and by nobody else. Before it starts, a contender's pictures are on the disk; the minutes are its whole wall time.
"""

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

import record
from contenders import own_path, say, without_places
from environments import python_of

PEER = Path(__file__).parent / "peers" / "ultralytics_boxes.py"
SIDES = ("xmin", "ymin", "xmax", "ymax")


def boxes_of(folder: Path, stem: str) -> list[tuple[str, list[float]]]:
    """(class, x, y, width, height) of every object with an area, in COCO's form."""
    found = []
    for thing in ElementTree.parse(folder / "Annotations" / f"{stem}.xml").getroot().iter("object"):
        x0, y0, x1, y1 = (float(thing.findtext(f"bndbox/{side}")) for side in SIDES)
        if x1 > x0 and y1 > y0:
            found.append((thing.findtext("name"), [x0, y0, x1 - x0, y1 - y0]))
    return found


def listed(folder: Path, part: str) -> list[Path]:
    """The pictures of a part."""
    stems = (folder / "ImageSets" / "Main" / f"{part}.txt").read_text().split()
    return [folder / "JPEGImages" / f"{stem}.jpg" for stem in stems]


def scored(folder: Path, said: list[dict]) -> dict[str, object]:
    """COCO's numbers of predictions {"picture", "name", "bbox", "score"} on the test part."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    tested = {path.stem: number for number, path in enumerate(listed(folder, "test"), start=1)}
    true = [(number, *thing) for stem, number in tested.items() for thing in boxes_of(folder, stem)]
    kinds = {name: number for number, name in enumerate(sorted({name for _, name, _ in true}), start=1)}
    known = COCO()
    known.dataset = {
        "images": [{"id": number} for number in tested.values()],
        "categories": [{"id": number, "name": name} for name, number in kinds.items()],
        "annotations": [
            {"id": n, "image_id": row, "category_id": kinds[name], "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
            for n, (row, name, box) in enumerate(true, start=1)
        ],
        "info": {},
    }
    answers = [
        {"image_id": tested[Path(one["picture"]).stem], "category_id": kinds[one["name"]], **one} for one in said
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        known.createIndex()
        judge = COCOeval(known, known.loadRes(answers), "bbox")
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"][:, :, :, 0, 2]
    per_class = {name: round(float(precision[0, :, number - 1].mean()), 4) for name, number in kinds.items()}
    return {"map50": float(precision[0].mean()), "map50_95": float(precision.mean()), "ap50": per_class}


def striate(folder: Path, minutes: float, seed: int, scratch: Path) -> tuple[list[dict], dict[str, object]]:
    """What Striate says of the test pictures, and about its training."""
    command = [sys.executable, "-m", "striate"]
    words = ["--minutes", f"{minutes:g}", "--seed", str(seed), "--quiet", "--out", str(scratch), "--name", "run"]
    run([*command, "train", str(folder), *words], scratch)
    tested = [str(path) for path in listed(folder, "test")]
    run([*command, "predict", str(scratch / "run"), *tested, "--out", str(scratch / "said.json")], scratch)
    told = json.loads((scratch / "said.json").read_text())
    names = {item["id"]: item["name"] for item in told["categories"]}
    files = {item["id"]: item["file_name"] for item in told["images"]}
    said = [
        {
            "picture": files[one["image_id"]],
            "name": names[one["category_id"]],
            "bbox": one["bbox"],
            "score": one["score"],
        }
        for one in told["annotations"]
    ]
    own = json.loads((scratch / "run" / "scores.json").read_text())["test"]
    return said, {name: own[name] for name in ("map50", "map50_95")} | {"threshold": own["threshold"]}


def ultralytics(folder: Path, minutes: float, seed: int, scratch: Path) -> tuple[list[dict], dict[str, object]]:
    """What the peer says of the test pictures, and about its training."""
    about = {
        part: [{"picture": str(path), "things": boxes_of(folder, path.stem)} for path in listed(folder, part)]
        for part in ("train", "val", "test")
    }
    (scratch / "pictures.json").write_text(json.dumps(about))
    run([str(python_of("torch")), str(PEER), str(scratch), f"{minutes:g}", str(seed)], scratch)
    told = json.loads((scratch / "said.json").read_text())
    return told["boxes"], told["about"]


def run(command: list[str], where: Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd=where, env={**os.environ, **own_path()})
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        sys.exit(f"detection.py: {without_places(lines[-1])}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--peer", action="store_true", help="Ultralytics too")
    parser.add_argument("--out", type=Path, default=record.RESULTS / "detection.json")
    asked = parser.parse_args()
    folder = asked.folder.resolve()
    contenders = {"striate": striate, **({"Ultralytics": ultralytics} if asked.peer else {})}
    if asked.peer and python_of("torch") is None:
        sys.exit("detection.py: the peer needs `python benchmarks/environments.py torch` first")
    settings = {"set": folder.name, "minutes": asked.minutes, "seeds": asked.seeds}
    result = record.begin("detection", settings, ["torch"] if asked.peer else [])
    result["runs"] = []
    for seed in asked.seeds:
        for name, contender in contenders.items():
            with tempfile.TemporaryDirectory() as place:
                begun = time.monotonic()
                said, about = contender(folder, asked.minutes, seed, Path(place))
                seconds = round(time.monotonic() - begun, 1)
            run_of = {"contender": name, "seed": seed, "seconds": seconds, **scored(folder, said), "about": about}
            result["runs"].append(run_of)
            say(json.dumps(run_of))
            record.write(asked.out, result)


if __name__ == "__main__":
    main()
