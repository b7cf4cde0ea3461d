"""``fleetslo site``: what is published, going back, publishing to a bucket, pruning."""

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
    """Say what readers see: where, which run, since when, how large; and what is kept or stale."""
    from fleetslo.reports.publishing.overview import overview, stale
    from fleetslo.settings import load_settings

    settings = load_settings().settings
    places = overview(settings)
    if not any(place.kept for place in places):
        say("nothing is published yet; 'fleetslo run' makes the reports")
        return
    rows = [
        (place.index, place.run_id, _minute(place.since), place.page_count, _size(place.size))
        for place in places
        if place.run_id
    ]
    table(["where", "release", "since (UTC)", "pages", "size"], rows, numeric=2)
    kept = [
        (
            one.name,
            _minute(one.made_at),
            place.where,
            "shown" if one.name == place.run_id else "kept",
        )
        for place in places
        for one in reversed(place.kept)
    ]
    table(["release", "made (UTC)", "where", "readers"], kept)
    for place in places[1:]:
        if place.run_id != places[0].run_id:
            say(f"{place.where} does not show what is published here: 'fleetslo site publish'")
    for line in stale(settings.home):
        say(line)


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
def switch(
    release: Annotated[str, typer.Argument(help="a release that 'fleetslo site show' names")],
) -> None:
    """Show readers another release that is kept, here and in the bucket: how one goes back."""
    from fleetslo.reports.publishing.returning import show_again
    from fleetslo.reports.publishing.store import open_store
    from fleetslo.settings import load_settings

    settings = load_settings().settings
    store = open_store(settings) if settings.publish else None
    for where in show_again(settings.home / "site", store, release):
        say(f"{where} shows {release}")


@app.command()
def prune(
    keep: Annotated[
        int | None,
        typer.Option(
            min=0, help="releases kept besides the one shown; default: setting keep_releases"
        ),
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option(
            help="only those made longer ago than this, such as 90d or 12w; default: setting "
            "keep_releases_days"
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say what would go, and remove nothing")
    ] = False,
) -> None:
    """Remove old releases, here and from the bucket; every page that is published stays."""
    from datetime import UTC, datetime, timedelta

    from fleetslo.periods import Period
    from fleetslo.reports.publishing.lock import publishing
    from fleetslo.reports.publishing.pruning import prune_store
    from fleetslo.reports.publishing.store import open_store
    from fleetslo.reports.site import prune as prune_folder
    from fleetslo.settings import load_settings

    settings = load_settings().settings
    now = datetime.now(UTC)
    age = timedelta(days=settings.keep_releases_days)
    if older_than:
        age = Period.parse(older_than, as_of=now).length
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


def _minute(moment: "datetime | None") -> str | None:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else None


def _size(byte_count: int) -> str:
    return f"{byte_count / 1024**2:,.1f} MiB"
