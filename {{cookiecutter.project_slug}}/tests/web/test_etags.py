from types import SimpleNamespace

import pytest
from sqlalchemy import delete, update
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound, PreconditionFailed, PreconditionRequired

from {{ cookiecutter.__package }}.web.etags import (
    IfMatchHeader,
    IfNoneMatchHeader,
    check_if_match,
    entity_tag,
    matches_if_none_match,
)

from ..support.probe import Probe, ProbeFactory

ROW = SimpleNamespace(version=7)


def if_none_match(tags: str | None) -> IfNoneMatchHeader:
    return IfNoneMatchHeader.model_validate({"If-None-Match": tags})


def if_match(tags: str | None) -> IfMatchHeader:
    return IfMatchHeader.model_validate({"If-Match": tags})


def test_the_entity_tag_is_the_version() -> None:
    assert entity_tag(ROW) == '"7"'


@pytest.mark.parametrize("tags", ['"7"', 'W/"7"', '"1", W/"7"', "*"])
def test_if_none_match_matches_the_current_version(tags: str) -> None:
    assert matches_if_none_match(ROW, if_none_match(tags))


@pytest.mark.parametrize("tags", [None, "", '"77"', 'W/"1", "2"', '"*"'])
def test_if_none_match_does_not_match_another_version(tags: str | None) -> None:
    assert not matches_if_none_match(ROW, if_none_match(tags))


@pytest.mark.parametrize("tags", ['"7"', '"1","7"'])
def test_if_match_accepts_the_current_version(tags: str) -> None:
    check_if_match(ROW, if_match(tags))


@pytest.mark.parametrize("tags", ["", '"77"', 'W/"7"', '"*"'])
def test_if_match_rejects_another_version(tags: str) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        check_if_match(ROW, if_match(tags))
    assert caught.value.description == "This is not the current state; read it again."


def test_if_match_of_any_version_reads_the_row_again(session: Session) -> None:
    row = ProbeFactory.create()
    session.execute(update(Probe).values(version=7).execution_options(synchronize_session=False))

    check_if_match(row, if_match("*"))

    assert row.version == 7


def test_if_match_of_any_version_rejects_a_row_that_is_gone(session: Session) -> None:
    row = ProbeFactory.create()
    session.execute(delete(Probe).execution_options(synchronize_session=False))

    with pytest.raises(NotFound):
        check_if_match(row, if_match("*"))


def test_if_match_is_required() -> None:
    with pytest.raises(PreconditionRequired) as caught:
        check_if_match(ROW, if_match(None))
    remedy = "Send If-Match with the ETag that you read, or * for any state."
    assert caught.value.description == remedy
