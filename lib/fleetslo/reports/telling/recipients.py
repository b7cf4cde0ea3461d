"""Who is told what, and how: the file ``notebooks/recipients.yaml``.

::

    site: https://slo.example.com/            # where readers open the site; links begin with it
    sender: fleetslo <slo@example.com>
    smtp: {host: mail.example.com, port: 587, user: slo, password: "${SMTP_PASSWORD}"}
    recipients:
      payments:  {squad: Payments, email: [payments@example.com], webhook: "${PAYMENTS_WEBHOOK}"}
      everyone:  {fleet: true, webhook: "${RELIABILITY_WEBHOOK}"}
      operators: {failures: true, email: [ops@example.com]}

A secret is never written here: ``${NAME}`` stands for a variable of the environment, which is read
when something is sent.
"""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fleetslo import resources
from fleetslo.errors import SettingsError, nearest

FILE = "recipients.yaml"
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Smtp(_Strict):
    """The server that takes e-mail; ``security`` says how the connection is kept private."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: str | None = None

    @model_validator(mode="after")
    def _is_reference(self) -> "Smtp":
        if self.password is not None and not _REFERENCE.fullmatch(self.password):
            raise ValueError("a password is written as ${NAME}, and NAME is set where it runs")
        return self


class Recipient(_Strict):
    """Whoever is told of one squad, of the fleet, or of what failed, and where."""

    squad: str | None = None
    fleet: bool = False
    failures: bool = False
    email: list[str] = []
    webhook: str | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> "Recipient":
        if (self.squad is not None) + self.fleet + self.failures != 1:
            raise ValueError("say one of squad: NAME, fleet: true and failures: true")
        if not self.email and self.webhook is None:
            raise ValueError("say where: email: [ADDRESS, …] or webhook: ${NAME}")
        return self


class Recipients(_Strict):
    """All of the file."""

    site: str = ""
    sender: str = "fleetslo@localhost"
    smtp: Smtp | None = None
    recipients: dict[str, Recipient]

    @model_validator(mode="after")
    def _has_server(self) -> "Recipients":
        mailed = [name for name, one in self.recipients.items() if one.email]
        if mailed and self.smtp is None:
            raise ValueError(f"{mailed[0]} is told by e-mail; say smtp: {{host: …}}")
        return self

    def check(self, meant: Mapping[str, Sequence[str]]) -> None:
        """Refuse reports that are meant for somebody who is not here.

        Raises:
            SettingsError: one is.
        """
        for report, names in meant.items():
            for name in names:
                if name not in self.recipients:
                    raise SettingsError(
                        f"schedule.yaml: {report}: tell: there is no {name!r} in {FILE}."
                        f"{nearest(name, list(self.recipients))}"
                    )

    def hear(self, name: str, meant: Sequence[str]) -> bool:
        """Return whether somebody hears of a report that is meant for these.

        Where it names nobody, everybody does; of those who are told of failures, and of the
        others, each apart.
        """
        failures = self.recipients[name].failures
        alike = [one for one in meant if self.recipients[one].failures == failures]
        return not alike or name in alike


def read_recipients() -> Recipients | None:
    """Return who is told, or None where the project has no ``notebooks/recipients.yaml``.

    Raises:
        SettingsError: the file is wrong; the message names it, the key and what to write.
    """
    path = resources.find("notebooks", FILE)
    if path is None:
        return None
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid YAML: {error}") from None
    try:
        return Recipients.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        said = str(first["msg"]).removeprefix("Value error, ")
        raise SettingsError(f"{path}: {key}: {said}{_known(first)}") from None


def _known(fault: Any) -> str:
    if fault["type"] != "extra_forbidden":
        return ""
    kinds: tuple[type[BaseModel], ...] = (Recipients, Smtp, Recipient)
    known = list(kinds[min(len(fault["loc"]), 3) - 1].model_fields)
    return f".{nearest(str(fault['loc'][-1]), known)}"


def resolved(text: str, environ: Mapping[str, str] | None = None) -> str:
    """Return a text with each ``${NAME}`` replaced by the environment's variable.

    Raises:
        SettingsError: a variable is not set.
    """
    known = os.environ if environ is None else environ

    def value(found: re.Match[str]) -> str:
        if not known.get(found[1]):
            raise SettingsError(f"{FILE}: ${{{found[1]}}} is not set in the environment; set it")
        return known[found[1]]

    return _REFERENCE.sub(value, text)
