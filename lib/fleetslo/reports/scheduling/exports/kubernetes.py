"""The schedule as CronJobs of Kubernetes; with shards, each a job with an index."""

import shlex
from collections.abc import Sequence
from typing import Any

import yaml

from fleetslo.reports.scheduling.exports.parts import (
    LIMIT_H,
    NOTE,
    Surroundings,
    by_name,
    five_fields,
    words,
)
from fleetslo.reports.scheduling.groups import Group

_HOME = "/var/lib/fleetslo"
# The user of the Dockerfile.
_USER = 10001


def manifests(groups: Sequence[Group], surroundings: Surroundings) -> dict[str, str]:
    """Return a CronJob for each group and, with shards, a Job to run it once by hand.

    Batches keep their home folder in the volume claim ``fleetslo-home``, which shards share, and
    take settings from the config map and credentials from the secret named ``fleetslo``. Where a
    batch is one pod, it tells people; shards do not know of each other, and tell nobody.

    Raises:
        SettingsError: an expression with seconds, or two groups of one name.
    """
    files = {}
    for name, group in by_name(groups).items():
        about = {
            "labels": {"app.kubernetes.io/name": "fleetslo", "app.kubernetes.io/instance": name}
        }
        job = _job(group, surroundings, about)
        files[f"{name}.yaml"] = _text(
            {
                "apiVersion": "batch/v1",
                "kind": "CronJob",
                "metadata": {"name": name, **about},
                "spec": {
                    "schedule": five_fields(group, "Kubernetes"),
                    "timeZone": group.timing.zone,
                    "concurrencyPolicy": "Forbid",
                    "startingDeadlineSeconds": 3600,
                    "successfulJobsHistoryLimit": 3,
                    "failedJobsHistoryLimit": 3,
                    "jobTemplate": {"metadata": about, "spec": job},
                },
            }
        )
        if surroundings.shards > 1:
            files[f"{name}-now.yaml"] = _text(
                {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "metadata": {"generateName": f"{name}-now-", **about},
                    "spec": job,
                }
            )
    return files


def _job(group: Group, surroundings: Surroundings, about: dict[str, Any]) -> dict[str, Any]:
    shards = surroundings.shards
    parts = (
        {
            "completionMode": "Indexed",
            "completions": shards,
            "parallelism": shards,
            "backoffLimitPerIndex": group.retries,
        }
        if shards > 1
        else {"backoffLimit": group.retries}
    )
    return {
        **parts,
        "ttlSecondsAfterFinished": 7 * 24 * 3600,
        "template": {"metadata": about, "spec": _pod(group, surroundings)},
    }


def _pod(group: Group, surroundings: Surroundings) -> dict[str, Any]:
    if surroundings.shards > 1:
        # The index of a pod begins at 0, shards at 1; only a shell can add.
        part = f"$((JOB_COMPLETION_INDEX + 1))/{surroundings.shards}"
        line = f"exec fleetslo {shlex.join(words(group))} --shard {part}"
        command = {"command": ["/bin/sh", "-c", line]}
    else:
        # $(NAME) would be a variable to Kubernetes.
        said = [*words(group), *(["--tell"] if surroundings.tells else [])]
        escaped = [word.replace("$(", "$$(") for word in said]
        command = {"command": ["fleetslo"], "args": escaped}
    return {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": LIMIT_H * 3600,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "fleetslo",
                "image": surroundings.image,
                "workingDir": surroundings.project,
                **command,
                "env": [
                    {"name": "FLEETSLO_HOME", "value": _HOME},
                    {"name": "HOME", "value": "/tmp"},  # noqa: S108 - the pod's own
                ],
                "envFrom": [
                    {"configMapRef": {"name": "fleetslo", "optional": True}},
                    {"secretRef": {"name": "fleetslo", "optional": True}},
                ],
                "resources": {
                    "requests": {"cpu": "1", "memory": "2Gi"},
                    "limits": {"memory": "8Gi"},
                },
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [
                    {"name": "home", "mountPath": _HOME},
                    {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108 - the pod's own
                ],
            }
        ],
        "volumes": [
            {"name": "home", "persistentVolumeClaim": {"claimName": "fleetslo-home"}},
            {"name": "scratch", "emptyDir": {}},
        ],
    }


class _Plain(yaml.SafeDumper):
    """Writes what is said twice twice; nobody reads anchors gladly."""

    def ignore_aliases(self, data: Any) -> bool:
        """Return True: no aliases."""
        return True


def _text(document: dict[str, Any]) -> str:
    body = yaml.dump(document, Dumper=_Plain, sort_keys=False, width=100, allow_unicode=True)
    return f"# {NOTE}\n{body}"
