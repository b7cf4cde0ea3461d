"""Telling people of a run, through real servers on this machine."""

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from tests.listening import Hook, Mailbox, listening
from tests.small_records import write_record

from fleetslo.cli import run
from fleetslo.errors import OutputError, SettingsError, UnknownName, UsageError
from fleetslo.files import write_file
from fleetslo.published import record
from fleetslo.reports.missed import Missed
from fleetslo.reports.page import Page
from fleetslo.reports.records.reading import LATEST, find_run
from fleetslo.reports.telling.messages import message_for
from fleetslo.reports.telling.reading import read_batch, runs_of
from fleetslo.reports.telling.recipients import Recipients, read_recipients
from fleetslo.reports.telling.slack import post
from fleetslo.reports.telling.telling import tell
from fleetslo.settings import Settings

RUN, BEFORE = "20261102T060000Z-0001", "20261026T060000Z-0001"
PERIOD = "2026-10-05/2026-11-02"
END = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.fixture
def hook() -> Iterator[Hook]:
    with listening() as server:
        yield server


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, port
    controller.stop()


def page(service: str | None, verdict: str | None, sentence: str, squad: str | None = None) -> Page:
    name = f"service_slo/{service}" if service else f"squad_review/{squad}"
    path = f"2026-10-05_2026-11-02/{name}.html"
    headline = {"squad": "Payments", "verdict": verdict} if service else {"squad": squad}
    return Page(
        path, name, "reports/x", service, PERIOD, RUN, service or squad or "", verdict, sentence,
        headline, squad,
    )  # fmt: skip


def number(service: str, verdict: str, left: float, end: datetime = END) -> dict[str, Any]:
    return {
        "service": service,
        "objective": f"{service}-availability",
        "label": "Availability",
        "unit": "requests",
        "window_start": (end - timedelta(days=28)).isoformat(),
        "window_end": end.isoformat(),
        "target": 0.999,
        "good_count": 1.0,
        "valid_count": 1.0,
        "uncertain_count": 0.0,
        "bad_count": 0.0,
        "sli": 1.0,
        "budget_left": left,
        "verdict": verdict,
    }


PAGES = [
    page(None, "missed", "**1 of 2** objectives of Payments are missed.", "Payments"),
    page("checkout", "missed", "`checkout` missed its availability objective by **12 %**."),
    page("ledger", "met", "`ledger` met its objective."),
    page("<img src=x>", "at_risk", "`<img src=x>` has **3 %** left."),
]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home in which a run published four pages, and one report failed."""
    release = tmp_path / "site" / "releases" / RUN
    state = {"format": 1, "run_id": RUN, "pages": [vars(one) for one in PAGES], "services": {}}
    write_file(release / "site.json", json.dumps(state))
    (tmp_path / "site" / "current").symlink_to(release)
    failure = {"cell": 4, "error": "ValueError", "message": "boom"}
    jobs = [{"page": one.name, "outcome": "ok", "failure": None} for one in PAGES] + [
        {"page": "service_slo/search", "outcome": "failed", "failure": failure}
    ]
    write_record(tmp_path, RUN, jobs, outcome="failed")
    earlier = END - timedelta(days=7)
    was = [number("checkout", "met", 0.4, earlier), number("ledger", "missed", -0.1, earlier)]
    record(tmp_path, BEFORE, earlier, was)
    record(tmp_path, RUN, END, [number("checkout", "missed", -0.12), number("ledger", "met", 0.7)])
    return Settings(project=tmp_path, home=tmp_path, warehouse=f"duckdb://{tmp_path}")


def told_by(hook: Hook, mailbox: tuple[Mailbox, int], **more: Any) -> Recipients:
    return Recipients.model_validate(
        {
            "site": "https://slo.example.com/",
            "smtp": {"host": "127.0.0.1", "port": mailbox[1], "security": "none"},
            "recipients": {
                "payments": {
                    "squad": "Payments",
                    "email": ["payments@example.com"],
                    "webhook": "${HOOK}",
                },
                "search": {"squad": "Search", "email": ["search@example.com"]},
                "operators": {"failures": True, "webhook": "${HOOK}"},
                **more,
            },
        }
    )


def environ(hook: Hook) -> dict[str, str]:
    return {"HOOK": f"http://127.0.0.1:{hook.server_port}/secret-part"}


class TestWhatIsSaid:
    def test_a_squad_hears_of_its_own_services_and_what_changed(
        self, settings: Settings, hook: Hook, mailbox: tuple[Mailbox, int]
    ) -> None:
        tell(settings, told_by(hook, mailbox), [RUN], environ=environ(hook))
        (mail,) = mailbox[0].mails
        assert mail["To"] == "payments@example.com"
        assert mail["Subject"] == ("Payments: 1 missed, 1 at risk, 1 met, 5 Oct – 2 Nov 2026")
        text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        assert "1 of 2 objectives of Payments are missed." in text
        assert "■ checkout: Availability is newly missed" in text
        assert "● ledger: Availability is met again" in text
        assert "https://slo.example.com/2026-10-05_2026-11-02/service_slo/checkout.html" in text
        html = mail.get_body(("related", "html"))
        assert html is not None
        shown = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
        assert "<img src=x>" not in shown
        assert "&lt;img src=x&gt;" in shown

    def test_the_picture_is_in_the_mail_and_said_in_words(
        self, settings: Settings, hook: Hook, mailbox: tuple[Mailbox, int]
    ) -> None:
        tell(settings, told_by(hook, mailbox), [RUN], environ=environ(hook))
        (mail,) = mailbox[0].mails
        (picture,) = [part for part in mail.walk() if part.get_content_type() == "image/png"]
        assert picture.get_content().startswith(b"\x89PNG\r\n\x1a\n")
        shown = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
        assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in shown
        # 12 % overspent and 70 % left, the worst first
        assert "checkout: Availability −12" in shown
        assert shown.index("checkout: Availability −12") < shown.index("ledger: Availability 70")

    def test_a_webhook_gets_the_format_of_slack(
        self, settings: Settings, hook: Hook, mailbox: tuple[Mailbox, int]
    ) -> None:
        tell(settings, told_by(hook, mailbox), [RUN], environ=environ(hook))
        of_squad, of_failures = sorted(hook.posted, key=lambda one: "failed" in one["text"])
        assert [block["type"] for block in of_squad["blocks"]] == ["section", "section"]
        lines = of_squad["blocks"][1]["text"]["text"].splitlines()
        assert lines[0] == "■ checkout: Availability is newly missed"
        assert lines[-1].startswith("▲ <https://slo.example.com/")
        assert lines[-1].endswith("|&lt;img src=x&gt; has 3 % left.>")
        assert of_failures["text"] == f"1 report of run {RUN} failed"
        assert "service_slo/search: failed: cell 4, ValueError: boom" in json.dumps(of_failures)

    def test_without_a_site_nothing_is_linked(self, settings: Settings) -> None:
        batch = read_batch(settings.home, [RUN], "")
        for about, squad in (("squad", "Payments"), ("failures", None)):
            message = message_for(batch, "x", about, squad)  # type: ignore[arg-type]
            assert message is not None
            assert [message.link, *(line.link for line in message.lines)] == [None] * (
                1 + len(message.lines)
            )

    def test_a_failure_links_to_the_page_of_the_site_that_says_why(
        self, settings: Settings
    ) -> None:
        batch = read_batch(settings.home, [RUN], "https://slo.example.com/")
        (alone,) = message_for(batch, "x", "failures").lines  # type: ignore[union-attr]
        assert alone.link is None  # the site has no such page
        state = settings.home / "site" / "current" / "site.json"
        search = replace(PAGES[1], name="service_slo/search", path="service_slo/search.html")
        known = json.loads(state.read_text()) | {"missed": [Missed(search, "boom", RUN).stored()]}
        state.write_text(json.dumps(known))
        batch = read_batch(settings.home, [RUN], "https://slo.example.com/")
        (line,) = message_for(batch, "x", "failures").lines  # type: ignore[union-attr]
        assert line.link == "https://slo.example.com/failures/service_slo/search.html"

    @pytest.mark.parametrize("address", ["nonsense", "ftp://a.example", "https://"])
    def test_a_webhook_whose_address_is_none_is_told_what_to_write(
        self, settings: Settings, address: str
    ) -> None:
        message = message_for(read_batch(settings.home, [RUN], ""), "x", "failures")
        assert message is not None
        with pytest.raises(OutputError, match="the webhook's address is none; write https://"):
            post(message, address)

    def test_a_report_about_one_service_counts_it_no_second_time(self, settings: Settings) -> None:
        batch = read_batch(settings.home, [RUN], "")
        once = message_for(batch, "x", "squad", "Payments")
        (checkout,) = [one for one in batch.pages if one.service == "checkout"]
        week = replace(checkout, name="checkout_week", path="w.html", verdict="met")
        twice = replace(batch, pages=[week, *batch.pages])
        assert message_for(twice, "x", "squad", "Payments") == once

    def test_one_page_was_and_several_were_published(self, settings: Settings) -> None:
        batch = read_batch(settings.home, [RUN], "")
        for count, said in ((1, "1 other page was published"), (4, "4 other pages were published")):
            told = message_for(replace(batch, pages=batch.pages[:count]), "x", "failures")
            assert told is not None
            assert said in told.sentence


class TestOnce:
    def test_nobody_is_told_twice_of_one_run(
        self, settings: Settings, hook: Hook, mailbox: tuple[Mailbox, int]
    ) -> None:
        recipients = told_by(hook, mailbox)
        first = tell(settings, recipients, [RUN], environ=environ(hook))
        again = tell(settings, recipients, [RUN], environ=environ(hook))
        assert [one.state for one in first] == ["sent"] * 3
        assert [one.state for one in again] == ["before"] * 3
        assert (len(mailbox[0].mails), len(hook.posted)) == (1, 2)

    def test_what_failed_is_tried_again_and_the_rest_is_not(
        self, settings: Settings, hook: Hook, mailbox: tuple[Mailbox, int]
    ) -> None:
        hook.answers = [404, 404]
        recipients = told_by(hook, mailbox)
        first = tell(settings, recipients, [RUN], environ=environ(hook))
        assert [one.state for one in first] == ["sent", "failed", "failed"]
        assert "answered 404 (no_service)" in first[1].says
        assert "secret-part" not in first[1].says
        again = tell(settings, recipients, [RUN], environ=environ(hook))
        assert [one.state for one in again] == ["before", "sent", "sent"]

    def test_what_may_have_arrived_is_not_sent_again(
        self, settings: Settings, hook: Hook, mailbox: tuple[Mailbox, int]
    ) -> None:
        # what a process leaves that was killed while it sent
        write_file(settings.home / "told" / f"{RUN}.json", '{"payments/email": "sending"}')
        notices = tell(settings, told_by(hook, mailbox), [RUN], environ=environ(hook))
        assert [one.state for one in notices] == ["perhaps", "sent", "sent"]
        assert mailbox[0].mails == []

    def test_a_busy_webhook_is_asked_again(
        self, settings: Settings, hook: Hook, mailbox: tuple[Mailbox, int]
    ) -> None:
        hook.answers = [429, 503]
        notices = tell(settings, told_by(hook, mailbox), [RUN], environ=environ(hook))
        assert [one.state for one in notices] == ["sent"] * 3
        assert len(hook.posted) == 2

    def test_a_dry_run_sends_and_notes_nothing(
        self, settings: Settings, hook: Hook, mailbox: tuple[Mailbox, int]
    ) -> None:
        notices = tell(settings, told_by(hook, mailbox), [RUN], dry_run=True, environ={})
        assert [(one.recipient, one.channel) for one in notices] == [
            ("payments", "email"),
            ("payments", "webhook"),
            ("operators", "webhook"),
        ]
        assert (mailbox[0].mails, hook.posted) == ([], [])
        assert not (settings.home / "told").exists()


def later(home: Path, run_id: str, jobs: list[dict[str, Any]], **more: Any) -> None:
    """Let another run have left a record."""
    write_record(home, run_id, jobs, **more)


GOOD = {
    "page": "service_slo/search",
    "path": "search.html",
    "outcome": "ok",
    "entry": "service_slo",
}
BAD = {
    **GOOD,
    "outcome": "failed",
    "failure": {"cell": 4, "error": "ValueError", "message": "boom"},
}
RETRY, NEXT = "20261102T060200Z-0002", "20261102T070000Z-0003"


class TestBatches:
    """Several runs that are told as one: attempts, or shards."""

    def test_what_a_later_attempt_made_did_not_fail(self, settings: Settings) -> None:
        later(settings.home, RUN, [BAD])
        later(settings.home, RETRY, [GOOD])
        later(settings.home, NEXT, [{**BAD, "outcome": "cancelled"}])
        assert [one.page for one in read_batch(settings.home, [RUN], "").failed] == [BAD["page"]]
        assert read_batch(settings.home, [RUN, RETRY], "").failed == []
        assert read_batch(settings.home, [NEXT], "").failed == []

    def test_of_a_batch_only_the_rest_is_told(
        self, settings: Settings, hook: Hook, mailbox: tuple[Mailbox, int]
    ) -> None:
        recipients = told_by(hook, mailbox)
        tell(settings, recipients, [RUN], environ=environ(hook))
        later(settings.home, RETRY, [{**BAD, "path": "other.html", "page": "service_slo/other"}])
        notices = tell(settings, recipients, [RUN, RETRY], environ=environ(hook))
        assert [(one.recipient, one.state) for one in notices] == [
            ("payments", "before"),
            ("payments", "before"),
            ("operators", "sent"),
        ]
        assert "service_slo/other" in json.dumps(hook.posted[-1])
        assert "service_slo/search" not in json.dumps(hook.posted[-1])
        again = tell(settings, recipients, [RUN, RETRY], environ=environ(hook))
        assert [one.state for one in again] == ["before"] * 3

    def test_a_page_that_an_earlier_run_published_is_no_news(self, settings: Settings) -> None:
        jobs = [{"page": one.name, "path": one.path, "outcome": "ok"} for one in PAGES]
        for released, news in ((BEFORE, 0), (None, len(PAGES))):
            later(settings.home, BEFORE, [], release=released)
            later(settings.home, RUN, [{**one, "reused_from": BEFORE} for one in jobs])
            assert len(read_batch(settings.home, [RUN], "").pages) == news
        # An attempt that was killed before it published is of the same batch.
        later(settings.home, BEFORE, [], release=BEFORE)
        assert len(read_batch(settings.home, [BEFORE, RUN], "").pages) == len(PAGES)

    def test_a_report_that_came_to_nothing_is_named(
        self, settings: Settings, hook: Hook, mailbox: tuple[Mailbox, int]
    ) -> None:
        notices = tell(
            settings, told_by(hook, mailbox), [NEXT], lost=["squad_review"], environ=environ(hook)
        )
        assert [(one.recipient, one.state) for one in notices] == [("operators", "sent")]
        assert "squad_review: its batch failed as a whole; the log of" in json.dumps(hook.posted)
        later(settings.home, NEXT, [], failure={"error": "WarehouseMissing", "message": "gone"})
        (batch,) = read_batch(settings.home, [NEXT], "", lost=["squad_review"]).failed
        assert batch.says == "its batch failed as a whole; WarehouseMissing: gone"

    @pytest.mark.parametrize(
        "ended",
        [
            {"outcome": "failed", "failure": {"error": "WarehouseMissing", "message": "gone"}},
            {"outcome": "killed"},
        ],
    )
    def test_what_a_run_came_to_that_broke_off_is_told_by_its_record_alone(
        self, settings: Settings, ended: dict[str, Any]
    ) -> None:
        def lost(*runs: str) -> list[str]:
            return [one.entry for one in read_batch(settings.home, runs, "").failed]

        reports = ["fleet_overview", "service_slo"]
        later(settings.home, RUN, [], reports=reports, **ended)  # before it had a plan
        assert lost(RUN) == reports
        later(settings.home, RETRY, [], reports=reports)  # there was nobody to make them for
        assert lost(RUN, RETRY) == []
        good = {"page": "service_slo/a", "entry": "service_slo", "outcome": "ok"}
        open_ = {"page": "service_slo/b", "entry": "service_slo", "outcome": None}
        later(settings.home, RUN, [good, open_], reports=["service_slo"], **ended)
        assert lost(RUN) == ["service_slo"]
        later(settings.home, RETRY, [{**open_, "outcome": "ok"}], reports=["service_slo"])
        assert lost(RUN, RETRY) == []
        later(settings.home, RUN, [good, open_], reports=["service_slo"], outcome="cancelled")
        assert lost(RUN) == []

    def test_shards_and_attempts_of_a_day_are_found_by_their_reports(
        self, settings: Settings
    ) -> None:
        home = settings.home
        later(home, RUN, [], reports=["service_slo"], as_of="2026-11-02")
        later(home, RETRY, [], reports=["service_slo", "other"], as_of="2026-11-02")
        later(home, NEXT, [], reports=["other"], as_of="2026-11-03")
        later(home, BEFORE, [], reports=["service_slo"], as_of="2026-10-26")
        assert runs_of(home, ["service_slo"]) == [RUN, RETRY]
        assert runs_of(home, ["service_slo"], "2026-10-26") == [BEFORE]
        assert runs_of(home, ["other"]) == [NEXT]
        assert runs_of(home, ["other"], "2026-11-01") == []

    def test_a_failure_that_stays_the_same_is_told_once_until_it_came_good(
        self, settings: Settings, hook: Hook, mailbox: tuple[Mailbox, int]
    ) -> None:
        recipients = told_by(hook, mailbox)

        def told(run_id: str, *jobs: dict[str, Any]) -> int:
            later(settings.home, run_id, list(jobs))
            before = len(hook.posted)
            tell(settings, recipients, [run_id], environ=environ(hook))
            return len(hook.posted) - before

        assert told("20261103T060000Z-0001", BAD) == 1
        assert told("20261103T060100Z-0002", BAD) == 0
        other = {**BAD, "path": "other.html", "page": "service_slo/other"}
        assert told("20261103T060200Z-0003", BAD, other) == 1  # of both, for one is new
        assert "service_slo/search" in json.dumps(hook.posted[-1])
        worse = {**BAD, "failure": {**BAD["failure"], "message": "bang"}}
        assert told("20261103T060300Z-0004", worse, other) == 1
        assert told("20261103T060400Z-0005", GOOD) == 0
        assert told("20261103T060500Z-0006", worse) == 1
        # A day later it is news again.
        book = settings.home / "told" / "failures.json"
        said = json.loads(book.read_text())
        for pages in said.values():
            for page, (text, _) in pages.items():
                pages[page] = (text, "2026-11-01T00:00:00+00:00")
        write_file(book, json.dumps(said))
        assert told("20261104T060500Z-0007", worse) == 1

    def test_a_report_may_say_whom_it_is_for(
        self, settings: Settings, hook: Hook, mailbox: tuple[Mailbox, int]
    ) -> None:
        later(
            settings.home,
            RUN,
            [
                {"page": one.name, "path": one.path, "outcome": "ok", "entry": "service_slo"}
                for one in PAGES
            ]
            + [BAD],
        )
        others = {
            "others": {"squad": "Payments", "webhook": "${HOOK}"},
            "watch": {"failures": True, "webhook": "${HOOK}"},
        }
        recipients = told_by(hook, mailbox, **others)

        def told(*names: str) -> list[str]:
            notices = tell(settings, recipients, [RUN], meant={"service_slo": names}, dry_run=True)
            return list(dict.fromkeys(one.recipient for one in notices))

        assert told() == ["payments", "operators", "others", "watch"]
        assert told("others") == ["operators", "others", "watch"]
        assert told("others", "watch") == ["others", "watch"]
        with pytest.raises(
            SettingsError, match=r"service_slo: tell: there is no 'other' .*'others'"
        ):
            told("other")


class TestFaults:
    def test_one_that_cannot_be_told_does_not_keep_the_others(
        self, settings: Settings, hook: Hook, mailbox: tuple[Mailbox, int]
    ) -> None:
        gone = {"squad": "Payments", "email": ["gone@nowhere.example"]}
        notices = tell(settings, told_by(hook, mailbox, gone=gone), [RUN], environ=environ(hook))
        assert [one.state for one in notices] == ["sent", "sent", "sent", "failed"]
        assert "refuses gone@nowhere.example" in notices[-1].says

    def test_a_server_that_is_away_is_named(
        self, settings: Settings, hook: Hook, mailbox: tuple[Mailbox, int]
    ) -> None:
        away = {"smtp": {"host": "127.0.0.1", "port": 9, "security": "none"}}
        recipients = Recipients.model_validate(
            {**away, "recipients": {"fleet": {"fleet": True, "email": ["a@example.com"]}}}
        )
        (notice,) = tell(settings, recipients, [RUN])
        assert notice.state == "failed"
        assert "127.0.0.1:9 cannot be reached" in notice.says

    def test_a_secret_that_is_not_set_is_named(
        self, settings: Settings, hook: Hook, mailbox: tuple[Mailbox, int]
    ) -> None:
        notices = tell(settings, told_by(hook, mailbox), [RUN], environ={})
        assert "${HOOK} is not set in the environment" in notices[1].says

    def test_a_run_that_is_not_there(self, settings: Settings) -> None:
        with pytest.raises(UnknownName, match=f"The newest is {RUN}"):
            read_batch(settings.home, ["20261102T060000Z-0002"], "")
        assert find_run(settings.home, LATEST) == RUN


class TestRecipients:
    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("recipients: {a: {squad: A}}", "recipients.a: say where: email"),
            ("recipients: {a: {email: [a@b.c]}}", "recipients.a: say one of squad: NAME"),
            ("recipients: {a: {fleet: true, email: [a@b.c]}}", "a is told by e-mail; say smtp"),
            ("recipients: {a: {fleet: true, webhok: x}}", "Did you mean 'webhook'?"),
            (
                "smtp: {host: h, password: hunter2}\nrecipients: {}",
                "smtp: a password is written as ${NAME}",
            ),
            ("recipients: [", "not valid YAML"),
        ],
    )
    def test_what_is_wrong_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, says: str
    ) -> None:
        write_file(tmp_path / "fleetslo.toml", "")
        write_file(tmp_path / "notebooks" / "recipients.yaml", text)
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SettingsError) as refused:
            read_recipients()
        assert says in str(refused.value)
        assert "recipients.yaml" in str(refused.value)
        assert "hunter2" not in str(refused.value)


class TestCommand:
    def test_a_dry_run_prints_what_would_be_sent(
        self,
        settings: Settings,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        write_file(settings.home / "fleetslo.toml", f'home = "{settings.home}"\n')
        write_file(
            settings.home / "notebooks" / "recipients.yaml",
            "recipients: {payments: {squad: Payments, webhook: '${HOOK}'}}",
        )
        monkeypatch.chdir(settings.home)
        assert run(["tell", "--dry-run"]) == 0
        said = capsys.readouterr().out
        assert "To payments (its webhook): Payments: 1 missed" in said
        assert "■ checkout: Availability is newly missed" in said

    def test_without_recipients_it_says_what_to_write(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert run(["tell"]) == SettingsError.exit_code
        assert "there is no notebooks/recipients.yaml" in capsys.readouterr().err

    def test_a_shard_tells_nobody(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert run(["run", "--tell", "--shard", "1/2"]) == UsageError.exit_code
        assert "run 'fleetslo tell --only REPORT' when all of them are done" in (
            capsys.readouterr().err
        )

    def test_runs_are_named_or_chosen(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write_file(tmp_path / "fleetslo.toml", "")
        write_file(
            tmp_path / "notebooks" / "recipients.yaml",
            "recipients: {payments: {squad: Payments, webhook: '${HOOK}'}}",
        )
        monkeypatch.chdir(tmp_path)
        assert run(["tell", RUN, "--only", "service_slo"]) == UsageError.exit_code
        assert "name runs, or choose them with --only" in capsys.readouterr().err
        assert run(["tell", "--only", "service_slo"]) == 0
        assert "no run has made these reports for that day" in capsys.readouterr().out
