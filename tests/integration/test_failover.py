"""A PostgreSQL that fails over: nothing is accepted that is not kept, and nobody here need be told that it is over."""

from collections.abc import Callable, Iterator

import psycopg
import pytest

from tests.chaos.proxy import Mode, Proxy
from tests.e2e.procfile import until
from tests.integration.sites import Site, told
from tests.servers import Postgres, Standby

READ_ONLY = "the database is read-only: a standby, or in recovery"


class Admin:
    """Whoever looks after one database of a server."""

    def __init__(self, server: Postgres, name: str) -> None:
        self.url = server.create_database(name)
        self._server = server
        self._name = name

    def set_read_only(self, value: str) -> None:
        """For the connections that are made from now on."""
        self._run(f"ALTER DATABASE {self._name} SET default_transaction_read_only = {value}")

    def cut(self) -> int:
        """End every connection to the database from the server's side; how many there were."""
        of_it = f"FROM pg_stat_activity WHERE datname = '{self._name}'"
        ended = self._run(f"SELECT count(pg_terminate_backend(pid)) {of_it}")
        until(lambda: self._run(f"SELECT count(*) {of_it}") == 0, 20, "the server has ended them")
        return ended

    def _run(self, statement: str) -> int:
        with psycopg.connect(self._server.url().replace("+psycopg", ""), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else 0


MakeSite = Callable[[str], Site]


@pytest.fixture
def make_site() -> Iterator[MakeSite]:
    """Makes installations on databases of their own."""
    made: list[Site] = []

    def make(url: str) -> Site:
        made.append(Site(url))
        return made[-1]

    yield make
    for site in made:
        site.close()


def use_connections(site: Site, number: int) -> None:
    """Have so many in the pool."""
    taken = [site.runtime.database.engine.connect() for _ in range(number)]
    for connection in taken:
        connection.close()


def test_connections_that_the_server_cuts_are_made_anew_before_anybody_is_sent_away(
    server: Postgres, make_site: MakeSite
) -> None:
    admin = Admin(server, "cut")
    site = make_site(admin.url)
    use_connections(site, 4)
    assert admin.cut() == 4
    site.assert_well()


def test_a_server_that_is_restarted_under_the_pool_is_found_again(server: Postgres, make_site: MakeSite) -> None:
    site = make_site(server.create_database("restarted"))
    use_connections(site, 4)
    server.kill()
    server.start()
    site.assert_well()


def test_a_server_that_takes_no_writes_says_so_until_it_does(
    server: Postgres, make_site: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    admin = Admin(server, "standby")
    site = make_site(admin.url)
    use_connections(site, 4)
    admin.set_read_only("on")
    admin.cut()
    site.assert_troubled(READ_ONLY)
    assert told(caplog) == {READ_ONLY}
    admin.set_read_only("off")
    admin.cut()
    site.assert_well()


def test_connections_to_a_server_that_takes_no_writes_are_given_up_without_being_cut(
    server: Postgres, make_site: MakeSite
) -> None:
    admin = Admin(server, "left_behind")
    site = make_site(admin.url)
    admin.set_read_only("on")
    admin.cut()
    use_connections(site, 6)
    site.assert_troubled(READ_ONLY)
    use_connections(site, 6)
    site.assert_troubled(READ_ONLY)
    admin.set_read_only("off")
    site.assert_well()


@pytest.mark.slow
def test_a_standby_that_takes_over_finds_everything_going_on(
    server: Postgres, make_site: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    with Proxy() as proxy:
        own = server.create_database("failed_over")
        port = proxy.link("database", server.port)
        site = make_site(own.replace(f":{server.port}/", f":{port}/"))
        with Standby(server) as standby:
            use_connections(site, 4)
            standby.follow()
            server.kill()
            site.assert_troubled("can't be reached")
            proxy.lead("database", standby.port)
            site.assert_troubled(READ_ONLY)
            standby.promote()
            site.assert_well()


@pytest.mark.slow
def test_connections_to_a_standby_are_left_for_a_primary_that_is_there_again(
    server: Postgres, make_site: MakeSite
) -> None:
    with Proxy() as proxy:
        own = server.create_database("went_astray")
        port = proxy.link("database", server.port)
        site = make_site(own.replace(f":{server.port}/", f":{port}/"))
        with Standby(server) as standby:
            standby.follow()
            proxy.lead("database", standby.port)
            proxy.use("database", Mode.CUT)
            proxy.use("database", Mode.PASS)
            use_connections(site, 4)
            site.assert_troubled(READ_ONLY)
            proxy.lead("database", server.port)
            site.assert_well()
