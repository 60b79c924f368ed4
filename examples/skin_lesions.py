"""Kinds of skin lesions, told by a table as HAM10000 has it: python skin_lesions.py PICTURES METADATA.csv [EPOCHS]

A line of METADATA.csv is lesion_id,image_id,dx,...: one lesion may have several pictures, and most lesions are
harmless moles (nv), so that an accuracy says little. What counts is how many of each kind are found.
"""

import sys

import striate

KINDS = {
    "akiec": "actinic keratosis", "bcc": "basal cell carcinoma", "bkl": "benign keratosis", "df": "dermatofibroma",
    "mel": "melanoma", "nv": "mole", "vasc": "vascular lesion",
}  # fmt: skip


def main(pictures: str, table: str, epochs: int) -> None:
    run = striate.train(
        pictures,
        labels=table,  # its lines are joined with the pictures by image_id
        label_column="dx",
        group="lesion_id",  # all pictures of a lesion are in one part: else the test would be on known lesions
        balance="sampling",  # rare kinds are shown as often as moles, each time changed differently
        symmetry="dihedral",  # under the dermatoscope no side is up
        epochs=epochs,
        name="skin",
    )
    test = run.test
    print(f"right {100 * test['accuracy']['value']:.1f} %; {test['baseline_is']}: {100 * test['baseline']:.1f} %")
    print(f"mean over kinds {100 * test['balanced_accuracy']['value']:.1f} %; of each kind are found")
    for kind, score in test["per_class"].items():
        found = score["recall"]
        if found["value"] is None:
            print(f"{KINDS.get(kind, kind):22} none in the test part")
            continue
        ends = f"{100 * found['low']:.0f} to {100 * found['high']:.0f}"
        print(f"{KINDS.get(kind, kind):22} {100 * found['value']:4.0f} % of {score['n']} (95 % interval {ends})")


if __name__ == "__main__":
    if len(sys.argv) < 3 or "--help" in sys.argv:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 30)
