"""``fleetslo site``: what is published, publishing it to a bucket, removing what is old."""

from typing import TYPE_CHECKING, Annotated

import typer

from fleetslo.commands.screen import progress, say, table

if TYPE_CHECKING:
    from datetime import datetime

app = typer.Typer(
    help="The published site: in the home folder, and in the bucket that the setting publish "
    "names.",
    no_args_is_help=True,
)


@app.command()
def show() -> None:
    """Say what readers see: where, which run, since when, how many pages."""
    from fleetslo.reports.publishing.pruning import kept_releases as kept_in
    from fleetslo.reports.publishing.reading import current
    from fleetslo.reports.publishing.store import open_store
    from fleetslo.reports.site import kept_releases, read_published
    from fleetslo.settings import load_settings

    settings = load_settings().settings
    site = settings.home / "site"
    here = read_published(site)
    rows: list[tuple[object, ...]] = []
    if here.release:
        kept = kept_releases(site)
        (since,) = [one.made_at for one in kept if one.name == here.release.name]
        index = site / "current" / "index.html"
        rows.append((index, here.release.name, _minute(since), len(here.pages), len(kept)))
    if settings.publish:
        store = open_store(settings)
        there = current(store)
        if there:
            index_there = f"{store.address}/index.html"
            row = (index_there, there.run_id, _minute(there.published_at), there.page_count)
            rows.append((*row, len(kept_in(store))))
        if here.release and (there is None or there.run_id != here.release.name):
            say(f"{store.address} does not show what is published here: 'fleetslo site publish'")
    if rows:
        table(["where", "release", "since (UTC)", "pages", "releases kept"], rows, numeric=2)
    else:
        say("nothing is published yet; 'fleetslo run' makes the reports")


@app.command()
def publish() -> None:
    """Publish the site of the home folder to the bucket that the setting publish names."""
    from fleetslo.reports.publishing.sharing import publish_site
    from fleetslo.reports.publishing.store import open_store
    from fleetslo.settings import load_settings

    settings = load_settings().settings
    store = open_store(settings)
    with progress() as told:
        done = publish_site(
            settings.home / "site", store, lambda done, total: told("uploading", done, total)
        )
    say(f"{store.address} shows {done.run_id}")
    say(f"{done.uploaded} files uploaded, {done.copied} unchanged since the release before")


@app.command()
def prune(
    keep: Annotated[
        int | None,
        typer.Option(
            min=0, help="releases kept besides the one shown; default: setting keep_releases"
        ),
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(help="only those made longer ago than this, such as 90d or 12w")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say what would go, and remove nothing")
    ] = False,
) -> None:
    """Remove old releases, here and from the bucket; every page that is published stays."""
    from datetime import UTC, datetime

    from fleetslo.periods import Period
    from fleetslo.reports.publishing.lock import publishing
    from fleetslo.reports.publishing.pruning import prune_store
    from fleetslo.reports.publishing.store import open_store
    from fleetslo.reports.site import prune as prune_folder
    from fleetslo.settings import load_settings

    settings = load_settings().settings
    now = datetime.now(UTC)
    age = Period.parse(older_than, as_of=now).length if older_than else None
    count = settings.keep_releases if keep is None else keep
    site = settings.home / "site"
    gone: list[tuple[str, str]] = []
    if (site / "releases").is_dir():
        with publishing(site):
            names = prune_folder(site, count, older_than=age, dry_run=dry_run)
        gone += [(str(site), name) for name in names]
    if settings.publish:
        store = open_store(settings)
        names = prune_store(store, keep=count, older_than=age, now=now, dry_run=dry_run)
        gone += [(store.address, name) for name in names]
    for where, name in gone:
        say(f"{'would remove' if dry_run else 'removed'} {name} from {where}")
    if not gone:
        say("there is nothing to remove")


def _minute(moment: "datetime") -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
