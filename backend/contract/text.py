"""What text from users may hold: what a person can type, and nothing that breaks a database, a log or a page."""

import unicodedata

_LINE_BREAKS = "\n\t"
_DIRECTION_CHANGES = "\u202a\u202b\u202d\u202e\u2066\u2067\u2068"


def clean_text(text: str) -> str:
    """The text in Unicode's composed form, without blanks at its ends.

    Raises:
        ValueError: it holds a control character, a lone surrogate, or one that turns the reading direction.
    """
    for character in text:
        category = unicodedata.category(character)
        is_control = category == "Cc" and character not in _LINE_BREAKS
        if is_control or category == "Cs" or character in _DIRECTION_CHANGES:
            raise ValueError(f"holds the character U+{ord(character):04X}, which can't be shown; remove it.")
    return unicodedata.normalize("NFC", text).strip()
