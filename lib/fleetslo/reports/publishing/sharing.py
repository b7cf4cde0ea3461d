"""Publishing a site to the storage: upload beside, look it over, switch.

Nothing that readers see changes before the one file that names the release does, and that file is
only written over the version that was read before. Whoever comes second looks again, and takes
over the pages that the first one brought.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fleetslo.errors import OutputError
from fleetslo.reports.publishing.joining import joined
from fleetslo.reports.publishing.lock import publishing
from fleetslo.reports.publishing.reading import contents_of, current
from fleetslo.reports.publishing.store import Store
from fleetslo.reports.publishing.uploading import Step, Upload
from fleetslo.reports.site import read_published

_ATTEMPTS = 5
"""How often others may publish in between before this one gives up."""


@dataclass(frozen=True)
class Shared:
    """What publishing came to: the release that readers see, and how many files it took.

    Files that lay there in the release before were ``copied`` inside the storage.
    """

    run_id: str
    uploaded: int = 0
    copied: int = 0


def publish_site(site: Path, store: Store, step: Step = lambda done, total: None) -> Shared:
    """Publish what a site shows to the storage.

    Files that lie there already are not sent again. Where another machine has published since,
    its pages are fetched first and made part of the site here.

    Raises:
        OutputError: nothing to publish; the storage refused or did not answer; or others published
            again and again. Readers never see half of it.
    """
    from google.api_core.exceptions import PreconditionFailed

    with publishing(site):
        for _ in range(_ATTEMPTS):
            there, here = current(store), read_published(site)
            before = contents_of(store, there.run_id) if there else None
            if there and there.run_id not in here.known:
                if here.release and before and here.release.name in before.history:
                    return Shared(there.run_id)  # others have built on what is here
                here = joined(site, here, store, there.run_id)
            if here.release is None:
                raise OutputError(
                    f"{site}: nothing was published here yet; 'fleetslo run' makes the reports"
                )
            upload = Upload(store, here, here.release, before, step)
            upload.send()
            with suppress(PreconditionFailed):
                upload.switch(there)
                return Shared(here.release.name, len(upload.uploaded), len(upload.copied))
    raise OutputError(
        f"{store.address}: others publish there all the time; readers see what they published: "
        "'fleetslo site publish' tries again"
    )


def catch_up(site: Path, store: Store) -> None:
    """Take over what other machines have published, where this site does not know it.

    Raises:
        OutputError: the storage refused or did not answer.
    """
    with publishing(site):
        there, here = current(store), read_published(site)
        if there and there.run_id not in here.known:
            joined(site, here, store, there.run_id)
