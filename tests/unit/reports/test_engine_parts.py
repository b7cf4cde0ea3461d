"""The parts of the engine, each by itself."""

import os
import signal
import sys
from multiprocessing import Pipe

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from fleetslo.errors import SettingsError
from fleetslo.reports.engine import outputs as outputs_module
from fleetslo.reports.engine.choice import engine_of, limits_of
from fleetslo.reports.engine.limits import Limits, memory_held
from fleetslo.reports.engine.outputs import Outputs, merge_streams
from fleetslo.reports.engine.saving import EVERY_S, Saving
from fleetslo.reports.engine.wire import Messages, Text
from fleetslo.settings import load_settings

TOKEN = b"\x8f" + bytes(range(15))


def mark(number):
    return TOKEN + number.to_bytes(4, "big")


@pytest.mark.parametrize("step", [1, 2, 3, 7, 19, 20, 21, 1000])
def test_text_is_cut_at_the_marks_however_it_is_read(step):
    written = "aé\n".encode() + mark(1) + b"b" + mark(2) + mark(3) + "—c".encode() + TOKEN[:9]
    text = Text(TOKEN)
    for begin in range(0, len(written), step):
        text.feed(written[begin : begin + step])
    assert text.newest == 3
    assert (text.before(1), text.before(2), text.before(3)) == ("aé\n", "b", "")
    assert text.after(3) == "—c"  # the beginning of a mark is held back until it is known


def test_text_after_a_mark_waits_for_its_message():
    text = Text(TOKEN)
    text.feed(b"one" + mark(1) + b"two")
    assert text.after(0) == "one"
    assert text.after(0) == ""
    assert (text.before(1), text.after(1)) == ("", "two")


def test_bytes_that_are_no_text_are_shown_as_such():
    text = Text(TOKEN)
    text.feed(b"\xff\xfea")
    assert text.after(0) == "��a"


def test_messages_are_whole_however_they_are_read():
    body = b'["stream",{"n":1}]'
    whole = (7).to_bytes(4, "big") + len(body).to_bytes(8, "big") + body
    messages = Messages()
    got = [m for byte in whole * 2 for m in messages.feed(bytes([byte]))]
    assert [(m.number, m.kind, m.content, m.length) for m in got] == [
        (7, "stream", {"n": 1}, len(body))
    ] * 2


def test_what_is_no_message_is_refused():
    with pytest.raises(ValueError, match="this is no message"):
        list(Messages().feed(b"\xff" * 12))


def taking():
    outputs, cell = Outputs(lambda content: content), new_code_cell("")
    outputs.begin(cell)
    return outputs, cell


def shown(text, **more):
    return {"data": {"text/plain": text}, "metadata": {}, **more}


def test_a_display_is_changed_wherever_it_was_shown():
    outputs, first = taking()
    named = {"transient": {"display_id": "d"}}
    outputs.message("display_data", shown("1", **named), 10)
    second = new_code_cell("")
    outputs.begin(second)
    outputs.message("display_data", shown("1", **named), 10)
    outputs.message("update_display_data", shown("2", **named), 10)
    outputs.message("update_display_data", shown("3", transient={"display_id": "other"}), 10)
    assert [cell.outputs[0].data["text/plain"] for cell in (first, second)] == ["2", "2"]
    assert "transient" not in first.outputs[0]


def test_outputs_are_cleared_at_once_or_by_what_comes_next():
    outputs, cell = taking()
    outputs.text("stdout", "a")
    outputs.message("clear_output", {"wait": True}, 10)
    assert len(cell.outputs) == 1
    outputs.text("stdout", "b")
    assert [output.text for output in cell.outputs] == ["b"]
    outputs.message("clear_output", {"wait": False}, 10)
    assert cell.outputs == []


def test_what_is_beyond_measure_is_left_out_and_said(monkeypatch):
    monkeypatch.setattr(outputs_module, "TEXT_MAX", 10)
    monkeypatch.setattr(outputs_module, "DATA_MAX", 100)
    outputs, cell = taking()
    outputs.text("stdout", "12345678")
    outputs.text("stdout", "90ab")
    outputs.message("display_data", shown("x"), 60)
    outputs.message("display_data", shown("y"), 60)
    outputs.message("error", {"ename": "E", "evalue": "", "traceback": []}, 60)
    outputs.end()
    assert cell.outputs[0].text == "1234567890"
    assert [output.output_type for output in cell.outputs] == [
        "stream", "display_data", "error", "stream",
    ]  # fmt: skip
    assert cell.outputs[-1].text == (
        "\n[left out of this cell: 2 characters of text and 1 more outputs]\n"
    )
    nbformat.validate(new_notebook(cells=[cell]))


def test_neighbours_of_one_stream_are_merged():
    parts = [("stdout", "a"), ("stdout", "b"), ("stderr", "c"), ("stdout", "d")]
    cell = new_code_cell("")
    cell.outputs = [
        NotebookNode(output_type="stream", name=name, text=text) for name, text in parts
    ]
    merge_streams(cell)
    assert [(o.name, o.text) for o in cell.outputs] == [
        ("stdout", "ab"), ("stderr", "c"), ("stdout", "d"),
    ]  # fmt: skip


def test_a_notebook_is_kept_when_it_is_due(tmp_path):
    path = tmp_path / "deep" / "n.ipynb"
    saving = Saving(path)
    assert not saving.due
    saving._next -= EVERY_S
    assert saving.due
    saving.keep(new_notebook(cells=[new_code_cell("1")]))
    assert not saving.due
    assert nbformat.read(path, as_version=4).cells[0].source == "1"
    assert list(path.parent.iterdir()) == [path]
    assert not Saving(None).due


def test_the_limit_that_passes_first_is_named():
    limits = Limits(60, cell_timeout_s=10)
    assert limits.time_said(0.0, 49.0) == "the cell took longer than 10 s"
    # The cell's time would be over at 61, the notebook's is at 60.
    assert limits.time_said(0.0, 51.0) == "the notebook took longer than 60 s"
    said = Limits(1, None, 512 * 2**20).memory_said(600 * 2**20)
    assert said == "the notebook held 600 MiB of memory; it may hold 512 MiB"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_is_that_of_a_process_and_what_it_started():
    before = memory_held(os.getpid())
    held = b"1" * (200 * 2**20)
    assert memory_held(os.getpid()) - before >= len(held)
    reading, writing = Pipe()
    pid = os.fork()
    if pid == 0:
        more = b"1" * (100 * 2**20)
        writing.send(len(more))
        signal.pause()
    try:
        assert reading.recv() == 100 * 2**20
        # The child shares the 200 MiB, which count for both, and has 100 of its own.
        assert memory_held(os.getpid()) - before >= 500 * 2**20
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def test_settings_choose_the_engine_and_the_limits(monkeypatch):
    def settings(**given):
        return load_settings(given, {}).settings

    assert engine_of(settings(engine="kernel")) == "kernel"
    assert limits_of(settings(cell_timeout_s=5, notebook_memory_mib=512)) == Limits(
        900.0, 5.0, 512 * 2**20
    )
    for platform, auto in (("linux", "fork"), ("darwin", "kernel")):
        monkeypatch.setattr(sys, "platform", platform)
        assert engine_of(settings()) == auto
    with pytest.raises(SettingsError, match="needs Linux; use 'auto'"):
        engine_of(settings(engine="fork"))
