"""File names for services, periods and reports that may be called anything at all."""

import hashlib
import re
import unicodedata

_PLAIN = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_HASHED = re.compile(r".*-[0-9a-f]{8}")
_PLAIN_MAX = 60
_CLEANED_MAX = 40
# Names that a web server or Windows gives a meaning of its own.
_RESERVED = re.compile(r"(?:index|con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?")


def slug(name: str) -> str:
    """Return a file name for any text: lower case, at most 60 of ``a-z 0-9 . _ -``.

    It depends on the name alone, so the address of a page never changes. A plain name is its own
    slug. Any other is cleaned and gets eight hexadecimal digits of its SHA-256, so two names that
    differ in case or punctuation only never share a file, not even where the file system ignores
    case. A plain name that looks hashed already is hashed too, so that nobody can name a service
    into the file of another.

    >>> slug("checkout")
    'checkout'
    >>> slug("Checkout") == slug("checkout")
    False
    """
    plain = _PLAIN.fullmatch(name) and len(name) <= _PLAIN_MAX
    if plain and not _HASHED.fullmatch(name) and not _RESERVED.fullmatch(name):
        return name
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    cleaned = re.sub(r"[^a-z0-9]+", "-", ascii_only.lower())[:_CLEANED_MAX].strip("-")
    # surrogatepass: a name that is not valid Unicode is still a name, and gets a file.
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{cleaned or 'name'}-{digest}"


def page_path(page: str, period_slug: str) -> str:
    """Return where the page ``service_slo/<service>`` or ``fleet_overview`` lies in the site.

    The first part of a page's name is the report, and the rest, slashes included, is what it is
    about.
    """
    report, slash, subject = page.partition("/")
    name = f"{slug(report)}/{slug(subject)}" if slash else slug(report)
    return f"{period_slug}/{name}.html"
