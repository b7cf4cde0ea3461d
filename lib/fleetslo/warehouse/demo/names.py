"""The names and characters of the demo's services.

``CAST`` is the small fleet, each service with a part in the story; larger fleets add services
made from ``DOMAINS`` and ``ROLES``.
"""

from dataclasses import dataclass

STOCKHOLM, NEW_YORK, LONDON = "Europe/Stockholm", "America/New_York", "Europe/London"


@dataclass(frozen=True)
class Part:
    """A service of the small fleet.

    ``rpm`` is the mean of requests per minute; ``errors`` and ``slow`` are the shares of the
    28-day budget that the usual background spends; ``deploys`` is rollouts per week; ``median_ms``
    is that of a cache hit.
    """

    name: str
    squad: str
    system: str
    tier: int
    language: str
    zone: str
    rpm: float
    shape: str
    regions: str
    deploys: float
    errors: float
    slow: float
    median_ms: float
    endpoints: tuple[str, ...]
    upstreams: tuple[str, ...] = ()
    lifecycle: str = "production"


# regions: e europe-west1, u us-central1, a asia-southeast1, s southamerica-east1.
# fmt: off
CAST = (
    Part("checkout", "Payments", "payments", 1, "java", STOCKHOLM,
         145, "purchase", "eu", 4.5, 0.50, 0.55, 34,
         ("GET /v1/cart", "POST /v1/orders", "POST /v1/cart/items", "GET /v1/orders/{id}"),
         ("payments-gateway", "user-profile", "token-issuer")),
    Part("payments-gateway", "Payments", "payments", 1, "java", STOCKHOLM,
         85, "purchase", "eu", 3.0, 0.16, 0.46, 62,
         ("POST /v2/authorize", "POST /v2/capture", "GET /v2/methods"), ("card-processor",)),
    Part("playlist-read", "Playlists", "playlists", 1, "java", STOCKHOLM,
         525, "listening", "eua", 3.5, 0.56, 0.34, 18,
         ("GET /v1/playlists/{id}", "GET /v1/playlists/{id}/tracks", "GET /v1/me/playlists"),
         ("track-metadata", "session-store")),
    Part("playlist-indexer", "Playlists", "playlists", 2, "scala", STOCKHOLM,
         50, "batch", "e", 2.0, 0.18, 0.42, 48,
         ("POST /v1/index", "GET /v1/index/status"), ("playlist-read", "track-metadata")),
    Part("track-metadata", "Catalog", "catalog", 1, "java", STOCKHOLM,
         840, "listening", "eua", 2.5, 0.08, 0.12, 7,
         ("GET /v1/tracks/{id}", "GET /v1/tracks", "GET /v1/albums/{id}")),
    Part("ads-decision", "Ads", "ads", 2, "java", NEW_YORK,
         315, "listening", "eu", 6.0, 1.18, 0.60, 46,
         ("POST /v3/decide", "POST /v3/impressions"), ("user-profile",)),
    Part("user-profile", "Identity", "identity", 2, "java", LONDON,
         265, "browsing", "eu", 2.5, 0.47, 0.38, 22,
         ("GET /v1/me", "GET /v1/users/{id}", "PUT /v1/me/settings"),
         ("session-store", "token-issuer")),
    Part("token-issuer", "Identity", "identity", 1, "go", LONDON,
         210, "listening", "eu", 1.2, 0.06, 0.09, 5,
         ("POST /oauth/token", "POST /oauth/introspect")),
    Part("session-store", "Identity", "identity", 1, "java", LONDON,
         630, "listening", "eua", 1.5, 0.11, 0.21, 4,
         ("GET /v1/sessions/{id}", "PUT /v1/sessions/{id}")),
    Part("follow-graph", "Social", "social", 3, "scala", NEW_YORK,
         80, "browsing", "eu", 2.0, 0.35, 0.29, 58,
         ("GET /v1/following", "PUT /v1/following", "GET /v1/followers"), ("user-profile",)),
    Part("lyrics", "Lyrics", "catalog", 3, "java", STOCKHOLM,
         105, "listening", "eu", 1.5, 0.22, 0.004, 31,
         ("GET /v1/tracks/{id}/lyrics", "GET /v1/lyrics/synced"), ("track-metadata",)),
    Part("image-resize", "Media", "media", 2, "java", STOCKHOLM,
         120, "browsing", "eu", 3.0, 0.14, 0.31, 52,
         ("GET /image/{id}", "GET /mosaic/{ids}")),
    Part("podcast-feed", "Podcasts", "podcasts", 2, "java", LONDON,
         55, "commute", "eu", 3.5, 0.27, 0.44, 40,
         ("GET /v1/shows/{id}", "GET /v1/shows/{id}/episodes"),
         ("session-store", "image-resize")),
    Part("home-shelf", "Home", "home", 1, "java", STOCKHOLM,
         240, "browsing", "eu", 7.0, 0.33, 0.58, 74,
         ("GET /v2/home", "GET /v2/shelves/{id}"),
         ("playlist-read", "daily-mix", "user-profile", "ads-decision")),
    Part("daily-mix", "Personalization", "home", 3, "python", NEW_YORK,
         40, "listening", "eu", 1.5, 0.41, 0.47, 130,
         ("GET /v1/mixes", "POST /v1/mixes/refresh"), ("track-metadata", "follow-graph")),
    Part("notifications", "Messaging", "messaging", 3, "java", STOCKHOLM,
         85, "batch", "eu", 3.0, 0.81, 0.26, 66,
         ("POST /v1/push", "GET /v1/inbox"), ("user-profile", "follow-graph")),
    Part("search-suggest", "Search", "search", 2, "java", STOCKHOLM,
         370, "browsing", "eu", 5.0, 0.24, 0.36, 27,
         ("GET /v1/suggest", "GET /v1/recent"), ("track-metadata",)),
    Part("search-query", "Search", "search", 1, "java", STOCKHOLM,
         160, "browsing", "eu", 4.0, 0.29, 0.52, 56,
         ("GET /v1/search", "POST /v1/search/feedback"), ("search-suggest", "track-metadata")),
    Part("audio-manifest", "Playback", "playback", 1, "go", STOCKHOLM,
         560, "listening", "eua", 2.0, 0.16, 0.18, 11,
         ("GET /v1/manifests/{id}", "POST /v1/manifests/license"),
         ("track-metadata", "token-issuer")),
    Part("concert-tickets", "Live Events", "live", 4, "java", NEW_YORK,
         0.17, "purchase", "u", 0.5, 0.25, 0.30, 120,
         ("GET /v1/events/{id}", "POST /v1/reservations"), ("payments-gateway",)),
    Part("canvas-clips", "Media", "media", 4, "go", STOCKHOLM,
         24, "listening", "eu", 5.0, 0.60, 0.40, 60,
         ("GET /v0/clips/{id}",), ("image-resize",), "experimental"),
    Part("radio-seeds", "Personalization", "home", 4, "java", NEW_YORK,
         36, "commute", "eu", 0.1, 0.38, 0.33, 95,
         ("GET /v1/seeds/{id}",), ("track-metadata",), "deprecated"),
    Part("royalty-ledger", "Royalties", "royalties", 2, "java", NEW_YORK,
         0.013, "office", "e", 0.3, 0.40, 0.20, 80,
         ("POST /v1/entries",)),
    Part("royalty-export", "Royalties", "royalties", 3, "scala", NEW_YORK,
         0, "office", "e", 0.3, 0.30, 0.30, 90,
         ("POST /v1/exports",)),
)
# Seen in telemetry, and missing from the catalogue.
STRAY = Part("artist-image-proxy", "", "", 3, "go", STOCKHOLM,
             28, "listening", "e", 0.0, 0.45, 0.20, 44,
             ("GET /proxy/{id}",), ("image-resize",))
# fmt: on

TINY = ("checkout", "concert-tickets", "payments-gateway", "playlist-indexer")
WITHOUT_TELEMETRY = frozenset({"royalty-export"})

# Indicators that are not requests: name, events a minute, share of the budget usually spent.
SLIS = {
    "playlist-indexer": ("queue-lag", 24, 0.30),
    "daily-mix": ("fresh-mixes", 6, 0.20),
    "notifications": ("delivered-in-time", 60, 0.40),
}

# Squads that took a service over inside the history: service, former squad, when.
MOVES = {"daily-mix": ("Home", "10-12 00:00"), "lyrics": ("Catalog", "08-03 00:00")}

# Larger fleets: a squad's name and the nouns that its services are about.
DOMAINS = tuple(
    (squad, tuple(nouns.split()))
    for squad, nouns in (
        ("Playlists", "playlist playlist-cover collaborative-playlist playlist-folder"),
        ("Catalog", "album artist label release recording territory"),
        ("Search", "search autocomplete spelling query-intent"),
        ("Ads", "ad-inventory ad-pacing ad-targeting ad-creative campaign"),
        ("Payments", "invoice refund voucher subscription receipt tax"),
        ("Identity", "account consent device login password family-plan"),
        ("Social", "friend-feed blend share-link comment reaction"),
        ("Podcasts", "episode show transcript chapter podcast-ranking"),
        ("Audiobooks", "audiobook bookmark narration book-license"),
        ("Home", "shelf banner greeting recent-play"),
        ("Personalization", "taste radio discover mix embedding"),
        ("Playback", "stream playback-state queue crossfade offline-sync cast"),
        ("Media", "image video-clip waveform transcode canvas"),
        ("Messaging", "push email inbox in-app-message digest"),
        ("Lyrics", "lyric lyric-translation songwriter"),
        ("Live Events", "concert venue ticket presale"),
        ("Artist Tools", "artist-profile pitch audience merch"),
        ("Royalties", "royalty contract statement payout"),
        ("Trust", "abuse takedown age-gate fraud-score"),
        ("Experimentation", "experiment feature-flag exposure metric-store"),
        ("Client Platform", "client-config app-version crash-report deep-link"),
        ("Edge", "edge-route rate-limit geo-lookup asset"),
        ("Data Platform", "event-intake schema-registry lineage quota"),
        ("Car and Home", "car-session speaker-link wearable voice-command"),
        ("Markets", "price currency storefront eligibility locale"),
    )
)
ROLES = (
    "read", "write", "index", "gateway", "store", "events", "feed", "rank", "cache", "sync",
    "lookup", "api", "scheduler", "validator", "stats", "export",
)  # fmt: skip
