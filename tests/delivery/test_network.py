"""Who reaches whom in a cluster: the NetworkPolicies of each variant against what it needs."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.delivery.test_delivery import documents, in_kubernetes, own_pods
from tests.harness.baked import Bake, BakedProject
from tests.harness.variants import CHOICES

pytestmark = [pytest.mark.about("deployment"), pytest.mark.xdist_group("delivery")]

DATABASE = {"postgresql": 5432, "mariadb": 3306, "mysql": 3306}
DNS, HTTPS, OTLP = 53, 443, (4317, 4318)
BROKERS = {6379, 6380, 5672, 5671}  # Redis and RabbitMQ, each with and without TLS


def policies(project: BakedProject, labels: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Return the policies that select a pod with these labels."""
    for path in sorted((project.path / "deploy" / "kubernetes").glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if document["kind"] == "NetworkPolicy":
                selector = document["spec"]["podSelector"]["matchLabels"]
                if selector.items() <= labels.items():
                    yield document["spec"]


def ports(project: BakedProject, labels: dict[str, str], direction: str) -> set[int | str]:
    """Return the ports that a pod may reach, or on which it may be reached.

    Policies add up; a pod that no policy of the direction selects is open, which is an error here.
    """
    chosen = [each for each in policies(project, labels) if direction in each["policyTypes"]]
    assert chosen, f"nothing limits the {direction} of {labels}"
    rules = [rule for each in chosen for rule in each.get(direction.lower(), ())]
    return {port["port"] for rule in rules for port in rule["ports"]}


def needed(component: str, answers: dict[str, str]) -> set[int]:
    """Return the ports that a component has to reach."""
    wanted = {DNS, DATABASE[answers["database"]], *OTLP}
    has_jobs = answers["background_jobs"] == "celery"
    if has_jobs:
        wanted |= BROKERS
    if component == "service" and answers["auth"] == "oidc":
        wanted.add(HTTPS)  # the OpenID provider
    if component == "worker":
        wanted.add(HTTPS)  # webhooks
    return wanted


@pytest.mark.parametrize("auth", CHOICES["auth"])
@pytest.mark.parametrize("background_jobs", CHOICES["background_jobs"])
@pytest.mark.parametrize("database", [name for name in CHOICES["database"] if name != "sqlite"])
def test_each_component_reaches_what_it_needs_and_no_more(
    bake: Bake, database: str, background_jobs: str, auth: str
) -> None:
    answers = {"database": database, "background_jobs": background_jobs, "auth": auth}
    project = bake(**answers, deployment="kubernetes")
    assert in_kubernetes([project])
    components = set()
    for pod in own_pods(documents(project)).values():
        labels = pod["metadata"]["labels"]
        component = labels["app.kubernetes.io/component"]
        components.add(component)
        assert ports(project, labels, "Egress") == needed(component, answers), component
        reached = {"metrics", "http"} if component == "service" else {"metrics"}
        assert ports(project, labels, "Ingress") == reached, component
    assert ("worker" in components) == (background_jobs == "celery")
    if background_jobs == "celery":
        redis = documents(project)["StatefulSet redis"]["spec"]["template"]["metadata"]["labels"]
        assert ports(project, redis, "Egress") == set()
        assert ports(project, redis, "Ingress") == {"redis"}
