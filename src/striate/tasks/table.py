"""The table of tasks. Nothing is imported here, so that the command line knows their names at once."""

# What a task is called, and the class that does it. The order is that of `striate train --help`.
TASKS = {
    "classification": "striate.tasks.classification:Classification",
    "multilabel": "striate.tasks.multilabel:Multilabel",
    "regression": "striate.tasks.regression:Regression",
    "detection": "striate.tasks.detection:Detection",
    "segmentation": "striate.tasks.segmentation:Segmentation",
}
