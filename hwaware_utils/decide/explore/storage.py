"""Where a study lives: one file beside the results, or one database for workers on any number of machines.

Every worker writes a heartbeat while a trial runs. A trial whose worker died is marked failed by the next worker that
asks for one, and queued again.
"""

import contextlib
import warnings
from pathlib import Path

from ...base.errors import UserError
from ...base.results import build_dir

HEARTBEAT_S = 10  # a trial is given up after three heartbeats that did not come
HELP = "a file such as explore.db, or a database such as postgresql+psycopg://user:password@host/name"


def storage_url(place: str) -> str:
    """The SQLAlchemy URL of `place`: a URL stays, a path becomes SQLite's. UserError when it is neither."""
    import sqlalchemy

    if "//" in place or "@" in place:
        try:
            url = sqlalchemy.make_url(place)
            url.get_dialect()
        except (sqlalchemy.exc.NoSuchModuleError, ImportError) as error:
            raise UserError(f"storage {hidden(place)!r} names a database without a driver here: give {HELP}.") from error
        except (sqlalchemy.exc.ArgumentError, ValueError) as error:
            raise UserError(f"storage {hidden(place)!r} is no database URL: give {HELP}.") from error
        return place
    path = Path(place)
    if not place or path.is_dir():
        raise UserError(f"storage {place!r} is a folder or nothing: give {HELP}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{path}"


def default_file(platform: str) -> str:
    """The file of a platform's study when nobody names another."""
    return str(build_dir("explore") / f"{platform}.db")


def hidden(place: str) -> str:
    """`place` without a password, whether it can be parsed or not: an @ too many is taken as part of the password.

    >>> hidden("postgresql+psycopg://me:secret@host/study"), hidden("not://a:b:c@@d"), hidden("study.db")
    ('postgresql+psycopg://me:***@host/study', 'not://a:***@d', 'study.db')
    """
    scheme, separator, rest = place.partition("//")
    account, at, host = rest.rpartition("@")
    if not separator or not at:
        return place
    user, colon, _ = account.partition(":")
    return f"{scheme}//{user}{':***' if colon else ''}@{host}"


def open_storage(url: str, heartbeat_s: int = HEARTBEAT_S):
    """Optuna's storage at `url`, its tables made when they are not there. Raises what `told` turns into a sentence."""
    from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback

    engine = {"pool_pre_ping": True}
    if url.startswith("sqlite"):
        engine["connect_args"] = {"timeout": 60}
    else:
        engine |= {"pool_size": 2, "connect_args": {"connect_timeout": 10}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls its heartbeat experimental, every time
        return RDBStorage(
            url, engine_kwargs=engine, heartbeat_interval=heartbeat_s, grace_period=3 * heartbeat_s,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=3),
        )  # fmt: skip


@contextlib.contextmanager
def told(place: str):
    """Turn what a database can do to a study into one sentence without a password."""
    import sqlalchemy

    try:
        yield
    except UserError:
        raise
    except Exception as error:
        # When the database dies inside a trial, Optuna stumbles over a variable of its own: the cause stands further down
        causes = [one for one in _chain(error) if isinstance(one, sqlalchemy.exc.DatabaseError)]
        if not causes:
            raise
        cause = (str(causes[-1].orig).strip().splitlines() or ["no message"])[0].rstrip(".:")[:160]
        if url_is_file(place):
            raise UserError(
                f"{hidden(place)} is no study or is damaged ({cause}): give another file, or delete it to start anew."
            ) from None
        raise UserError(
            f"the database {hidden(place)} does not answer ({cause}): start it and run the same command again; the study "
            "resumes, only the trials that were running are lost."
        ) from None


def url_is_file(place: str) -> bool:
    return "://" not in place or place.startswith("sqlite")


def _chain(error: BaseException | None) -> list[BaseException]:
    """The error, what it came from, and so on."""
    found = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
