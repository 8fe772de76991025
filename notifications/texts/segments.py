"""What a text costs: how many SMS segments it takes. One character outside GSM-7 makes all of it UCS-2."""

_GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENDED = frozenset("\f^{}\\[~]|€")  # sent behind an escape: two each


def encoding(text: str) -> str:
    """`GSM-7` or `UCS-2`."""
    return "GSM-7" if all(c in _GSM_BASIC or c in _GSM_EXTENDED for c in text) else "UCS-2"


def units(text: str) -> int:
    """Length in septets (GSM-7) or UTF-16 code units (UCS-2)."""
    if encoding(text) == "GSM-7":
        return sum(2 if c in _GSM_EXTENDED else 1 for c in text)
    return len(text.encode("utf-16-be")) // 2


def count(text: str) -> int:
    """Segments a provider will charge: 160, then 153 each in GSM-7; 70, then 67 each in UCS-2."""
    single, joined = (160, 153) if encoding(text) == "GSM-7" else (70, 67)
    length = units(text)
    return 1 if length <= single else -(-length // joined)
