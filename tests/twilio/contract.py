"""What Twilio's published API (2010-04-01; the definition of April 2026) takes of the requests we make.

Names, whether they are needed, and the form of each value; told in our own words, compared with the definition itself
where that lies beside the repository.
"""

import re
from collections.abc import Mapping

SID = "[0-9a-fA-F]{32}"
NUMBER, WHOLE, ADDRESS, ANY = r"\+[1-9][0-9]{6,14}", "[0-9]+", r"https?://\S+", r"(?s).+"
MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?"
EVENT = "initiated|ringing|answered|completed"
CALLS = rf"/2010-04-01/Accounts/AC{SID}/Calls\.json"
CALL = rf"/2010-04-01/Accounts/AC{SID}/Calls/CA{SID}\.json"
TWIML = r"(?s)<\?xml .{1,3900}</Response>"  # 4,000 characters are taken
MESSAGES = rf"/2010-04-01/Accounts/AC{SID}/Messages\.json"
MESSAGE = rf"/2010-04-01/Accounts/AC{SID}/Messages/(SM|MM){SID}\.json"

# (method, path) → field → (needed, form)
OPERATIONS: Mapping[tuple[str, str], Mapping[str, tuple[bool, str]]] = {
    ("POST", MESSAGES): {
        "To": (True, NUMBER),
        "MessagingServiceSid": (False, f"MG{SID}"),
        "Body": (False, ANY),
        "StatusCallback": (False, ADDRESS),
        "ValidityPeriod": (False, WHOLE),
    },
    ("POST", CALLS): {
        "To": (True, NUMBER),
        "From": (True, NUMBER),
        "Twiml": (False, TWIML),
        "Timeout": (False, WHOLE),
        "StatusCallback": (False, ADDRESS),
        "StatusCallbackEvent": (False, EVENT),
    },
    ("GET", CALL): {},
    ("GET", MESSAGE): {},
    ("GET", MESSAGES): {
        "To": (False, NUMBER),
        "DateSent>": (False, MOMENT),
        "PageSize": (False, WHOLE),
    },
}


def departures(method: str, path: str, given: Mapping[str, str]) -> list[str]:
    """How a request departs from the contract; empty where it does not."""
    fields = next(
        (some for (verb, shape), some in OPERATIONS.items() if verb == method and re.fullmatch(shape, path)), None
    )
    if fields is None:
        return [f"no such operation: {method} {path}"]
    found = [f"unknown field {name}" for name in given if name not in fields]
    found += [f"{name} is missing" for name, (needed, _) in fields.items() if needed and name not in given]
    found += [
        f"{name} is {given[name]!r}"
        for name, (_, form) in fields.items()
        if name in given and not re.fullmatch(form, given[name])
    ]
    return found
