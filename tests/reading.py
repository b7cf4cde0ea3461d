"""Readers of a site, many at once, in a process of their own.

    python -m tests.reading COUNT ROOT

Each opens index and pages with what these ask for, again and again, until standard input ends. A
line on standard output says that they have begun; the one after it is a JSON document: what was
wrong, how often what was opened, which releases.
"""

import json
import random
import re
import sys
import threading
import time
from collections import Counter

import requests

from tests.small_site import SLUG, asked_by, style_of


class Readers:
    """Many of them, and what they met."""

    def __init__(self, count: int, root: str) -> None:
        self.count, self.root = count, root
        self.done = threading.Event()
        self.wrong: list[str] = []
        self.opened: Counter[str] = Counter()
        self.releases: set[str] = set()

    def read_while_asked(self) -> None:
        """Read until standard input ends, and then to the end of what each has begun."""
        threads = [
            threading.Thread(target=self._read, args=(number,)) for number in range(self.count)
        ]
        for thread in threads:
            thread.start()
        print("reading", flush=True)
        sys.stdin.read()
        self.done.set()
        for thread in threads:
            thread.join()

    def _read(self, number: int) -> None:
        chance = random.Random(number)  # noqa: S311  when they come, not a secret
        with requests.Session() as session:
            session.trust_env = False
            while True:
                try:
                    self._visit(session, chance)
                except requests.RequestException as error:
                    self.wrong.append(repr(error))
                if self.done.wait(chance.uniform(0, 1)):
                    return

    def _get(self, session: requests.Session, url: str) -> str | None:
        answer = session.get(url, timeout=60)
        self.opened[url.rpartition("/")[2].partition("-")[0]] += 1
        if answer.status_code != 200:
            self.wrong.append(f"{answer.status_code} {url}")
            return None
        return answer.text

    def _visit(self, session: requests.Session, chance: random.Random) -> None:
        """Open the index, what it asks for, and from there a page, what it asks for."""
        url = f"{self.root}/index.html"
        index = self._get(session, url)
        if index is None:
            return
        time.sleep(chance.uniform(0, 0.1))  # a slow line; the switch may come in between
        for asset in asked_by(url, index):
            text = self._get(session, asset)
            if text and "/index-" in asset:
                # The rows name one service per release; the title above them counts all.
                rows = len(re.findall(r'"(?:service-|new-)', text))
                (told,) = re.findall(r"(\d+) services</h2>", index)
                if rows != int(told):
                    self.wrong.append(f"{rows} rows under a title of {told}: {asset}")
        base = re.search(r'<base href="([^"]+)"', index)
        page_url = f"{self.root}/{base[1] if base else ''}{SLUG}/fleet.html"
        page = self._get(session, page_url)
        if page is None:
            return
        (release,) = re.findall(r'name="release" content="([^"]+)"', page)
        self.releases.add(release)
        if not page.rstrip().endswith("</html>"):
            self.wrong.append(f"torn: {page_url}")
        time.sleep(chance.uniform(0, 0.1))
        for asset in asked_by(page_url, page):
            if (text := self._get(session, asset)) is not None and text != style_of(release)[1]:
                self.wrong.append(f"page of {release} with {text!r}")


def main() -> None:
    readers = Readers(int(sys.argv[1]), sys.argv[2])
    readers.read_while_asked()
    met = {
        "wrong": readers.wrong,
        "opened": readers.opened,
        "releases": sorted(readers.releases),
    }
    print(json.dumps(met))


if __name__ == "__main__":
    main()
