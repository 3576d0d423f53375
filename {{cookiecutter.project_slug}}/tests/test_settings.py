import os
import socket
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from {{ cookiecutter.__package }}.base_settings import (
    DEVELOPMENT_KEY,
    DRIVERS,
    EXAMPLE_URL,
)
from {{ cookiecutter.__package }}.settings import Settings

from .support.programs import run_program

KNOWN_OPTION = "{{ 'mode=rw' if cookiecutter.database == 'sqlite' else 'connect_timeout=3' }}"
PASSWORD = "correct-horse-battery-staple"
STRONG_KEY = "k" * 32
REQUIRED = {"DATABASE_URL": EXAMPLE_URL}
PRODUCTION = {
    "environment": "production",
    "database_url": EXAMPLE_URL,
{% if cookiecutter.auth == "oidc" %}
    "oidc_issuer": "https://id.example.com",
{% endif %}
}


def errors_of(**values: object) -> dict[str, str]:
    """Return the errors in settings by name, and fail if there are none."""
    with pytest.raises(ValidationError) as caught:
        Settings(**values)  # type: ignore[arg-type]
    return {str(error["loc"][0]): error["msg"] for error in caught.value.errors()}


def read(folder: Path, variables: dict[str, str], env_file: str = "") -> Settings:
    """Load settings like a program that is started in `folder`."""
    (folder / ".env").write_text(env_file, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        return Settings.load(str(folder / ".env"))


def test_a_database_url_is_the_only_required_setting() -> None:
    made = Settings(database_url=SecretStr(EXAMPLE_URL))

    assert made.environment == "development"
    assert made.max_body_bytes == 1024 * 1024


def test_an_environment_can_have_defaults_of_its_own() -> None:
    for environment, log_format in {"development": "text", "test": "json"}.items():
        made = Settings.model_validate({"database_url": EXAMPLE_URL, "environment": environment})
        assert made.log_format == log_format
    given = {"database_url": EXAMPLE_URL, "environment": "test", "log_format": "text"}
    assert Settings.model_validate(given).log_format == "text"


def test_the_environment_takes_precedence_over_the_file(tmp_path: Path) -> None:
    file = "THREADS=3\nWORKERS=5\nMAX_BODY_BYTES=\nUNKNOWN=1\n"

    made = read(tmp_path, REQUIRED | {"THREADS": "7"}, file)

    assert (made.threads, made.workers, made.max_body_bytes) == (7, 5, 1024 * 1024)


def test_settings_can_come_from_the_file_alone(tmp_path: Path) -> None:
    made = read(tmp_path, {}, f"DATABASE_URL='{EXAMPLE_URL}'\n")

    assert made.database_url.get_secret_value() == EXAMPLE_URL


def test_lists_are_separated_by_commas(tmp_path: Path) -> None:
    made = read(
        tmp_path,
        REQUIRED
        | {
            "TRUSTED_HOSTS": "api.example.com, .example.org",
            "CORS_ORIGINS": "https://a.example,http://localhost:8080",
        },
    )

    assert made.trusted_hosts == ("api.example.com", ".example.org")
    assert made.cors_origins == ("https://a.example", "http://localhost:8080")
    same = Settings.model_validate({"database_url": EXAMPLE_URL, "trusted_hosts": ("a", "b")})
    assert same.trusted_hosts == ("a", "b")


def test_all_errors_are_reported_together() -> None:
    errors = errors_of(
        environment="production",
        database_url="oracle://x/y",
        threads=0,
        pool_timeout_seconds="soon",
        trusted_hosts="a b/c",
        cors_origins="example.com",
        max_body_bytes=1,
        log_level="loud",
    )

    assert errors.keys() == {
        "database_url",
        "secret_key",
        "threads",
{% if cookiecutter.auth == "oidc" %}
        "oidc_issuer",
{% endif %}
        "pool_timeout_seconds",
        "trusted_hosts",
        "cors_origins",
        "max_body_bytes",
        "log_level",
    }


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (None, "valid string"),
        ("nonsense", "is not a database URL"),
        ("", "is not a database URL"),
        (f"db://host:{PASSWORD}/db", "is not a database URL"),
        (
            "oracle://user@host/db",
            f"has the unknown driver 'oracle'; this service speaks {' or '.join(DRIVERS)}",
        ),
        (f"{EXAMPLE_URL.split(':')[0]}://", "does not name a database"),
{% if cookiecutter.database == "sqlite" %}
        (f"{EXAMPLE_URL}?timeout=5", "has the option 'timeout', which is unknown or which the"),
        (f"{EXAMPLE_URL}?mode={PASSWORD}", "has the option 'mode' with a value other than ro|rw"),
        (f"{EXAMPLE_URL}?mode=ro&mode=rw", "has the option 'mode' twice"),
        ("sqlite://host:65536/service.db", "has a port that is not between 1 and 65535"),
{% else %}
        (
            f"{EXAMPLE_URL}?connect_timeout={PASSWORD}",
            "has the option 'connect_timeout' with a value other than [0-9]{1,4}",
        ),
        (f"{EXAMPLE_URL}?connect_timeout=1&connect_timeout=2", "option 'connect_timeout' twice"),
        (EXAMPLE_URL.replace("@host", "@host:65536"), "has a port that is not between 1 and 65535"),
        (EXAMPLE_URL.replace("@host", "@host:0"), "has a port that is not between 1 and 65535"),
{% endif %}
{% if cookiecutter.database == "postgresql" %}
        (f"{EXAMPLE_URL}?autocommit=true", "has the option 'autocommit', which is unknown or"),
        (f"{EXAMPLE_URL}?prepare_threshold=5", "has the option 'prepare_threshold' with a value"),
        (f"{EXAMPLE_URL}?sslrootcert=/missing", "a file by the option 'sslrootcert' that does not"),
{% elif cookiecutter.database in ("mariadb", "mysql") %}
        (f"{EXAMPLE_URL}?read_timeout=5", "has the option 'read_timeout', which is unknown or"),
        (f"{EXAMPLE_URL}?charset=latin1", "has the option 'charset' with a value other than utf8"),
        (f"{EXAMPLE_URL}?ssl_ca=/missing", "a file by the option 'ssl_ca' that does not exist"),
{% endif %}
    ],
)
def test_an_invalid_database_url_is_reported(url: str | None, message: str) -> None:
    errors = errors_of(database_url=url)

    assert message in errors["database_url"]
    assert PASSWORD not in str(errors)


{% if cookiecutter.database == "sqlite" %}
def test_a_folder_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "missing"

    errors = errors_of(database_url=f"sqlite:///{folder}/service.db")

    assert f"names a file in {folder}, which is not a folder" in errors["database_url"]
    assert Settings(database_url=SecretStr(f"sqlite:///file:{folder}/service.db?uri=true"))
    folder.mkdir()
    assert Settings(database_url=SecretStr(f"sqlite:///{folder}/service.db"))


{% endif %}
def test_a_known_option_of_a_database_url_is_accepted() -> None:
    url = f"{EXAMPLE_URL}?{KNOWN_OPTION}"

    assert Settings(database_url=SecretStr(url)).database_url.get_secret_value() == url


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "trusted_hosts",
            "https://x",
            "holds 'https://x', which is not a host name in lower case without a port; write them"
            " like api.example.com,.example.org",
        ),
        (
            "cors_origins",
            "example.com",
            "holds 'example.com', which is not an origin; write them like https://app.example.com",
        ),
    ],
)
def test_an_invalid_list_is_reported_with_an_example(name: str, value: str, message: str) -> None:
    errors = errors_of(database_url=EXAMPLE_URL, **{name: value})

    assert errors == {name: f"Value error, {message}"}


def test_an_unknown_option_of_a_database_url_is_reported() -> None:
    errors = errors_of(database_url=f"{EXAMPLE_URL}?unknown={PASSWORD}")

    assert "has the option 'unknown', which is unknown" in errors["database_url"]
    assert PASSWORD not in str(errors)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("nonsense", "holds 'nonsense', which is not an address to listen on; write it like"),
        ("127.0.0.1:http", "holds '127.0.0.1:http', which is not an address to listen on"),
        ("127.0.0.1:65536", "holds '127.0.0.1:65536', which is not an address to listen on"),
        ("unix:/missing/socket", "holds 'unix:/missing/socket', whose folder does not exist"),
        ("unix:/tmp", "holds 'unix:/tmp', which exists and is not a socket"),
        ("127.0.0.1:80, nonsense", "holds 'nonsense', which is not an address to listen on"),
    ],
    ids=["no port", "name of a port", "port", "folder", "no socket", "second"],
)
def test_an_address_that_cannot_be_listened_on_is_reported(value: str, message: str) -> None:
    errors = errors_of(database_url=EXAMPLE_URL, bind=value)

    assert message in errors["bind"]


@pytest.mark.parametrize("value", ["0.0.0.0:80", "[::1]:8000", ":8000", "fd://3", "unix:/tmp/s"])
def test_addresses_to_listen_on_are_accepted(value: str) -> None:
    assert Settings.model_validate({"database_url": EXAMPLE_URL, "bind": value}).bind == value


def test_a_socket_that_is_left_can_be_listened_on(tmp_path: Path) -> None:
    bind = f"unix:{tmp_path}/s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(f"{tmp_path}/s")

    assert Settings.model_validate({"database_url": EXAMPLE_URL, "bind": bind}).bind == bind


def test_addresses_are_separated_by_commas() -> None:
    made = Settings.model_validate({"database_url": EXAMPLE_URL, "bind": ":80, [::1]:81,fd://3"})

    assert made.addresses == [":80", "[::1]:81", "fd://3"]


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_the_host_of_metrics_may_be_an_address_of_ipv6(host: str) -> None:
    made = Settings.model_validate({"database_url": EXAMPLE_URL, "metrics_host": host})

    assert made.metrics_host == "::1"


@pytest.mark.parametrize("name", ["statement_timeout_seconds", "migration_lock_timeout_seconds"])
def test_a_limit_of_less_than_a_millisecond_is_reported(name: str) -> None:
    """It would be none: engines count in milliseconds, and 0 switches the limit off."""
    errors = errors_of(database_url=EXAMPLE_URL, **{name: 0.0001})

    assert errors == {name: "Input should be greater than or equal to 0.001"}


@pytest.mark.parametrize("bind", ["0.0.0.0:9464", "127.0.0.1:80, [::1]:9464"])
def test_one_port_cannot_be_bound_twice(bind: str) -> None:
    errors = errors_of(database_url=EXAMPLE_URL, bind=bind)

    assert "is the port of BIND, too" in errors["metrics_port"]


{% if cookiecutter.database != "sqlite" %}
def test_migrations_may_have_a_url_of_their_own() -> None:
    url = EXAMPLE_URL.replace("@host", "@past-the-pooler")
    given = {"database_url": EXAMPLE_URL}
    made = Settings.model_validate(given | {"migration_database_url": url})

    assert made.url_for_migrations == url
    assert Settings.model_validate(given).url_for_migrations == EXAMPLE_URL
    errors = errors_of(database_url=EXAMPLE_URL, migration_database_url="nonsense")
    assert "is not a database URL" in errors["migration_database_url"]


{% endif %}
def test_the_database_url_is_required() -> None:
    assert errors_of() == {"database_url": "Field required"}


{% if cookiecutter.background_jobs == "celery" %}
@pytest.mark.parametrize(
    "url",
    [
        f"kafka://u:{PASSWORD}@host",
        f"redis://u:{PASSWORD}@",
        f"redis://h:{PASSWORD}",
        f"redis://:{PASSWORD}@h:6379/x",
        f"rediss://:{PASSWORD}@h/0/1",
        f"redis://:{PASSWORD}@h:65536/0",
        "redis",
    ],
    ids=["scheme", "host", "port", "name", "path", "large port", "word"],
)
def test_an_invalid_broker_url_is_reported(url: str) -> None:
    errors = errors_of(database_url=EXAMPLE_URL, broker_url=url)

    assert "write it like redis://:password@host:6379/0" in errors["broker_url"]
    assert PASSWORD not in str(errors)


@pytest.mark.parametrize(
    "url",
    [
        "redis://h",
        "redis://h:65535/",
        f"redis://:{PASSWORD}@h:6379/0",
        f"rediss://u:{PASSWORD}@h.example:1/2?a=b",
        f"amqp://u:{PASSWORD}@h:5672/name",
        f"amqps://u:{PASSWORD}@h//",
    ],
)
def test_a_broker_url_is_accepted_and_not_shown(url: str) -> None:
    made = Settings.model_validate({"database_url": EXAMPLE_URL, "broker_url": url})

    assert made.broker_url.get_secret_value() == url
    assert PASSWORD not in repr(made)


@pytest.mark.parametrize("value", ["", "[]", "task_routes"])
def test_settings_of_celery_are_a_json_object(value: str) -> None:
    errors = errors_of(database_url=EXAMPLE_URL, celery=value)

    assert "is not a JSON object" in errors["celery"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('{"broker_transport_options": []}', "options that are not an object"),
        ('{"broker_transport_options": {"visibility_timeout": "9"}}', "visibility_timeout that"),
        ('{"task_time_limit": null}', "task_time_limit that is not a number of seconds"),
        ('{"task_time_limit": true}', "task_time_limit that is not a number of seconds"),
        ('{"task_time_limit": 0}', "task_time_limit that is not a number of seconds"),
    ],
)
def test_times_of_celery_are_numbers(value: str, expected: str) -> None:
    errors = errors_of(database_url=EXAMPLE_URL, celery=value)

    assert expected in errors["celery"]


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ('{"task_routes": 5}', "task_routes"),
        ('{"task_routes": {"*": 5}}', "task_routes"),
        ('{"task_routes": {"reports.*": 5}}', "task_routes"),
        ('{"task_routes": {"a": {"queue": 5}}}', "task_routes"),
        ('{"task_routes": [{"a": 5}]}', "task_routes"),
        ('{"task_queues": 3}', "task_queues"),
        ('{"task_default_queue": null}', "task_default_queue"),
        ('{"task_serializer": "of-nobody"}', "task_serializer"),
        ('{"task_compression": "of-nobody"}', "task_compression"),
        ('{"task_compression": [1]}', "task_compression"),
    ],
)
def test_settings_with_which_celery_cannot_publish_are_reported(value: str, names: str) -> None:
    errors = errors_of(database_url=EXAMPLE_URL, celery=value)

    assert names in errors["celery"]
    assert "of-nobody" not in errors["celery"]


@pytest.mark.parametrize(
    "value",
    [
        '{"task_routes": {"a.*": "b", "c": {"queue": "d"}}}',
        '{"task_routes": [{"a.*": "b"}], "task_queues": null}',
        '{"task_serializer": "json", "task_compression": "gzip"}',
    ],
)
def test_settings_with_which_celery_can_publish_are_accepted(value: str) -> None:
    made = Settings.model_validate({"database_url": EXAMPLE_URL, "celery": value})

    assert made.celery == value


{% endif %}
@pytest.mark.parametrize("key", [None, DEVELOPMENT_KEY, "k" * 31, " " * 36])
def test_production_requires_a_secret_of_its_own(key: str | None) -> None:
    errors = errors_of(**PRODUCTION, **({"secret_key": key} if key else {}))

    assert errors.keys() == {"secret_key"}
    assert "openssl rand" in errors["secret_key"]


def test_a_long_secret_is_accepted_in_production() -> None:
    values = PRODUCTION | {"secret_key": STRONG_KEY}

    assert Settings.model_validate(values).secret_key.get_secret_value() == STRONG_KEY


def test_settings_show_no_secret() -> None:
    url = f"{EXAMPLE_URL.split(':')[0]}://user:{PASSWORD}@host/name"
    made = Settings(database_url=SecretStr(url), secret_key=SecretStr(STRONG_KEY))

    for shown in (repr(made), str(made), str(made.model_dump()), made.model_dump_json()):
        assert PASSWORD not in shown
        assert STRONG_KEY not in shown


def test_errors_show_no_secret() -> None:
    values = {"database_url": f"oracle://u:{PASSWORD}@h/d", "secret_key": STRONG_KEY}

    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(values)

    for shown in (repr(caught.value), str(caught.value)):
        assert PASSWORD not in shown
        assert STRONG_KEY not in shown


def test_settings_are_frozen() -> None:
    made = Settings(database_url=SecretStr(EXAMPLE_URL))

    with pytest.raises(ValidationError):
        made.threads = 8  # type: ignore[misc]


def test_the_program_exits_with_a_line_for_each_error(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        read(tmp_path, {"THREADS": "many", "DATABASE_URL": f"oracle://u:{PASSWORD}@h/d"})

    text = str(caught.value)
    assert text.startswith("The service cannot start.")
    assert "\n  THREADS: Input should be a valid integer" in text
    assert "\n  DATABASE_URL: has the unknown driver 'oracle'" in text
    assert len(text.splitlines()) == 3
    assert PASSWORD not in text


def test_a_file_that_is_not_utf_8_is_reported(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"SECRET_KEY=\xff\xfe")

    with pytest.raises(SystemExit, match=r"\.env is not UTF-8"):
        Settings.load(str(tmp_path / ".env"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["flask", "--app", "{{ cookiecutter.__package }}", "routes"],
        ["gunicorn"],
    ],
    ids=["flask", "gunicorn"],
)
def test_programs_exit_with_the_errors_in_the_settings(tmp_path: Path, command: list[str]) -> None:
    project = Path(__file__).parents[1]
    (tmp_path / "gunicorn.conf.py").write_bytes((project / "gunicorn.conf.py").read_bytes())
    environment = {**os.environ, "PYTHONPATH": str(project / "src"), "WORKERS": "none"}

    done = run_program(*command, environment=environment, folder=tmp_path)

    output = done.stdout
    assert done.returncode != 0
    assert output.count("The service cannot start.") == 1
    assert "DATABASE_URL: Field required" in output
    assert "WORKERS: " in output
    assert "Traceback" not in output
