"""What a sample is called: what is said of pictures is said of series, texts and volumes by their own names."""

import re

from striate.data.prepare import Shape

NOUNS = {"series": ("series", "series"), "text": ("text", "texts"), "volume": ("volume", "volumes")}
# A folder that is called so keeps its name in a path.
_PICTURE = re.compile(r"(?<![/\\])\b(picture|Picture|PICTURE)([sS]?)\b(?![/\\])")


def extent(shape: Shape) -> str:
    """What a network sees of one sample: "64×64, 3 channels, uint8" (width first), "150 values, ...", "96 letters"."""
    channels = f"{shape.channels} channel{'s' * (shape.channels > 1)}"
    match shape.form:
        case "series":
            return f"{shape.width:,} values, {channels}"
        case "text":
            return f"up to {shape.width:,} letters"
        case "volume":
            return f"{shape.frames} frames of {shape.width}×{shape.height}, {channels}, {shape.depth}"
    return f"{shape.width}×{shape.height}, {channels}, {shape.depth}"


def worded(text: str, form: str) -> str:
    """`text` with the word picture as that for samples of this form."""
    if form not in NOUNS:
        return text
    one, several = NOUNS[form]

    def word(found: re.Match) -> str:
        noun = several if found[2] else one
        return noun.upper() if found[1].isupper() else noun.capitalize() if found[1][0] == "P" else noun

    return _PICTURE.sub(word, text)


def worded_page(page: str, form: str) -> str:
    """The same for what a reader sees of a page of HTML: texts between tags, styles and scripts apart."""
    if form not in NOUNS:
        return page
    return re.sub(r">([^<>{}]+)<", lambda found: f">{worded(found[1], form)}<", page)
