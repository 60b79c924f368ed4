"""Several findings on one chest X-ray: python chest_xray.py PICTURES FINDINGS.csv [EPOCHS]

FINDINGS.csv is as ChestX-ray14 has it: "Image Index", "Finding Labels" such as Effusion|Mass, "Patient ID", ...
Each finding gets a probability of its own and a threshold, which the validation part decides.
"""

import sys

import striate


def main(pictures: str, table: str, epochs: int) -> None:
    run = striate.train(
        pictures,
        labels=table,
        label_column="Finding Labels",
        group="Patient ID",  # all pictures of a patient are in one part
        task="multilabel",
        symmetry="none",  # the heart is on the left
        epochs=epochs,
        name="chest",
    )
    test = run.test
    mean, floor = test["macro_f1"], test["baseline"]
    print(f"mean F1 {mean['value']:.3f} [{mean['low']:.3f}, {mean['high']:.3f}]; {test['baseline_is']}: {floor:.3f}")
    print(f"{'finding':20} pictures  AUROC  threshold  found  right")
    for (name, score), threshold in zip(test["per_class"].items(), run.model.task.thresholds, strict=True):
        values = [score[key]["value"] for key in ("auroc", "recall", "precision")]
        area, found, right = ("    -" if value is None else f"{value:5.2f}" for value in values)
        print(f"{name:20} {score['n']:8}  {area}  {threshold:9.2f}  {found}  {right}")
    one = run.model.predict(pictures)[0]
    shown = sorted(one.probabilities.items(), key=lambda item: -item[1])[:3]
    print(f"{one.path}: {', '.join(f'{name} {100 * chance:.0f} %' for name, chance in shown)}")


if __name__ == "__main__":
    if len(sys.argv) < 3 or "--help" in sys.argv:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 30)
